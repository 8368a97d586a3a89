"""Groups of WSGI daemon processes from one declarative file."""

__version__ = "0.1.0"
