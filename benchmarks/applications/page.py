"""The measured Django page: a template over an SQLite query of twenty rows (the project of tests/apps)."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_site.settings")
os.environ.setdefault("SITE_DATABASE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "site.sqlite3"))

from django_site.wsgi import application

__all__ = ["application"]
