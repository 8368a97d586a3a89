"""What comes up in an application whose request is interrupted."""


class RequestTimeout(BaseException):
    """The request has lasted for request-timeout. Not an Exception, so that `except Exception` does not keep it."""
