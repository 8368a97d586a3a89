"""The page of notes."""

import os

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from django_notes.models import Note


@require_http_methods(["GET", "HEAD", "POST"])
def notes(request: HttpRequest) -> HttpResponse:
    """Show the newest notes; POST keeps one more."""
    if request.method == "POST":
        text = request.POST.get("text", "").strip()[:200]
        if text:
            Note.objects.create(text=text)
        return redirect("notes")
    visits = request.session.get("visits", 0) + 1
    request.session["visits"] = visits
    return render(request, "notes.html", {"notes": Note.objects.all()[:20], "visits": visits, "pid": os.getpid()})
