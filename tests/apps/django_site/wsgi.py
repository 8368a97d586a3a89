"""The callable; makes the tables and twenty rows where they are missing, one process at a time."""

import fcntl
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_site.settings")
application = get_wsgi_application()


def prepare_database():
    """Make tables and rows under a lock beside the database."""
    from django.core.management import call_command
    from django.db import connection

    from django_site.models import Entry

    with open(os.environ["SITE_DATABASE"] + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
        if not Entry.objects.exists():
            Entry.objects.bulk_create(Entry(title=f"Entry {n}", text="Some <text> to escape. " * 5) for n in range(20))
    connection.close()


prepare_database()
