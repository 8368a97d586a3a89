"""What frameworks get of a request's body: `{"size": …, "sha256": …}`, by Django, by Flask, and as Bottle reads it.

Tests compare it with what was sent: a framework that finds no length takes a body for empty, or refuses it.
"""

import hashlib
import json


def found(body):
    """Say what has arrived."""
    return json.dumps({"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}).encode()


def make_django():
    """Return a Django application of one view."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    settings.configure(
        ROOT_URLCONF=(path("up", lambda request: HttpResponse(found(request.body), "application/json")),),
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
    )
    return get_wsgi_application()


def make_flask():
    """Return a Flask application of one view."""
    from flask import Flask, request

    app = Flask(__name__)
    app.add_url_rule(
        "/up", "up", lambda: (found(request.get_data()), {"Content-Type": "application/json"}), methods=["POST"]
    )
    return app


def make_bottle():
    """Return an application that reads as Bottle does: CONTENT_LENGTH bytes, and no coding of transfer."""

    def application(environ, start_response):
        """Read in blocks."""
        blocks, left = [], max(0, int(environ.get("CONTENT_LENGTH") or -1))
        if "HTTP_TRANSFER_ENCODING" in environ:
            start_response("400 Bad Request", [])
            return []
        while left > 0:
            block = environ["wsgi.input"].read(min(left, 102400))
            if not block:
                break
            blocks.append(block)
            left -= len(block)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [found(b"".join(blocks))]

    return application


_MAKERS = {"django": make_django, "flask": make_flask, "bottle": make_bottle}


def __getattr__(name):
    """Make an application when it is asked for, so that the other framework need not be there."""
    if name in _MAKERS:
        return _MAKERS[name]()
    raise AttributeError(name)
