"""A configuration as one of Apache with mod_wsgi. Pure."""

from wsgigroups.interop.renderers.apache.conf import apache_conf

__all__ = ["apache_conf"]
