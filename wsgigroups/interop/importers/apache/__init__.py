"""Apache with mod_wsgi. Pure."""

from wsgigroups.interop.importers.apache.importing import import_apache

__all__ = ["import_apache"]
