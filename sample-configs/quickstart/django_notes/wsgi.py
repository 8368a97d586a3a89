"""The WSGI callable. The sample migrates its own database first, one process at a time, so that it needs no set-up.

A project of yours would run `manage.py migrate` when it is deployed, before `wsgigroups apply`.
"""

import fcntl
import os

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_notes.settings")
application = get_wsgi_application()

with open(settings.DIRECTORY / "migrating", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    call_command("migrate", verbosity=0, interactive=False)
