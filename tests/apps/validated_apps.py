"""Fixture applications under wsgiref.validate, in a server: `/hello/…`, `/streaming/…`, `/uploading/…`, `/identity/…`.

The validator raises AssertionError for every rule of PEP 3333 that the server (or the application) breaks, so a
traceback in the log, or a 500, is the finding. The first word of the path is moved to SCRIPT_NAME.
"""

from wsgiref.util import shift_path_info
from wsgiref.validate import validator

import hello_app
import identity_app
import streaming_app
import uploading_app

APPLICATIONS = {
    "hello": validator(hello_app.application),
    "streaming": validator(streaming_app.application),
    "uploading": validator(uploading_app.application),
    "identity": validator(identity_app.application),
}


def application(environ, start_response):
    """Dispatch on the first word of the path."""
    return APPLICATIONS[shift_path_info(environ)](environ, start_response)
