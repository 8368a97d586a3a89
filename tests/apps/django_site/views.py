"""Views and their routes."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

from django_site.models import Entry


def page(request: HttpRequest) -> HttpResponse:
    """Render twenty rows."""
    return render(request, "page.html", {"entries": Entry.objects.order_by("id")[:20], "path": request.path})


def visit(request: HttpRequest) -> HttpResponse:
    """Count visits in the session, which the database keeps."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def keep(request: HttpRequest) -> HttpResponse:
    """Add a row from the posted form."""
    entry = Entry.objects.create(title=request.POST["title"][:100], text=request.POST.get("text", ""))
    return JsonResponse({"id": entry.pk}, status=201)


def count(request: HttpRequest) -> HttpResponse:
    """Tell how many rows there are."""
    return JsonResponse({"entries": Entry.objects.count()})


def fail(request: HttpRequest) -> HttpResponse:
    """Raise what Django turns into its 500 page."""
    raise RuntimeError("a view of the fixture failed on purpose")


urlpatterns = [
    path("", page),
    path("visit", visit),
    path("keep", keep),
    path("count", count),
    path("fail", fail),
]
