"""Settings of a site as `wagtail start` makes it, with WhiteNoise for its static files, as that documents."""

import os

from mysite.settings.base import *  # noqa: F403 — as settings of Django are written
from mysite.settings.base import MIDDLEWARE

DEBUG = False
SECRET_KEY = "of no value"
ALLOWED_HOSTS = ["127.0.0.1"]
WAGTAILADMIN_BASE_URL = "http://127.0.0.1"
DATA = os.environ["REAL_DATA"]
STATIC_ROOT = DATA + "/static"
MEDIA_ROOT = DATA + "/media"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA + "/wagtail.sqlite3"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MIDDLEWARE = [MIDDLEWARE[0], "whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE[1:]]
