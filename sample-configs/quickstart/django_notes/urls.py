"""Routes of the project."""

from django.urls import path

from django_notes.views import notes

urlpatterns = [path("", notes, name="notes")]
