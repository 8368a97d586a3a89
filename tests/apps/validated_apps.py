"""Every well-behaved fixture application under wsgiref.validate, in a server: `/hello/…`, `/flask/…`, `/django/…` …

The validator raises AssertionError for every rule of PEP 3333 that the server (or the application) breaks, and warns of
what is merely doubtful, which is an error here too: a traceback in the log, or a 500, is the finding. The first word of
the path is moved to SCRIPT_NAME. An application is imported by its first request: Django needs an environment.
"""

import importlib
import threading
import warnings
from wsgiref.util import shift_path_info
from wsgiref.validate import WSGIWarning, validator

warnings.simplefilter("error", WSGIWarning)

MODULES = {
    "bulk": "bulk_app",
    "busy": "busy_app",
    "counted": "counted_app",
    "counting": "counting_app",
    "crashing": "crashing_app",
    "denying": "denying_app",
    "django": "django_site.wsgi",
    "flask": "flask_app",
    "forking": "forking_app",
    "gated": "gated_app",
    "hello": "hello_app",
    "hoarding": "hoarding_app",
    "identity": "identity_app",
    "leaking": "leaking_app",
    "lasting": "lasting_app",
    "leaving": "leaving_app",
    "live_facts": "live_facts_app",
    "noisy": "noisy_app",
    "printing": "printing_app",
    "reporting": "reporting_app",
    "slow": "slow_app",
    "streaming": "streaming_app",
    "traced": "traced_app",
    "uploading": "uploading_app",
}


class Input:
    """The validator's input with read() as frameworks call it: it insists on a size, which PEP 3333 makes optional."""

    def __init__(self, validated):
        self._validated = validated

    def read(self, size=-1):
        """Read with a size."""
        return self._validated.read(size)

    def __getattr__(self, name):
        return getattr(self._validated, name)

    def __iter__(self):
        return iter(self._validated)


def reading_without_size(application):
    """Return the application with such an input."""

    def called(environ, start_response):
        environ["wsgi.input"] = Input(environ["wsgi.input"])
        return application(environ, start_response)

    return called


_validated = {}
_loading = threading.Lock()


def application(environ, start_response):
    """Dispatch on the first word of the path."""
    name = shift_path_info(environ)
    with _loading:
        if name not in _validated:
            _validated[name] = validator(reading_without_size(importlib.import_module(MODULES[name]).application))
    return _validated[name](environ, start_response)
