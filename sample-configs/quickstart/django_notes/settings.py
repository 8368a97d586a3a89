"""Settings of the notes project: SQLite in a private directory, sessions in the database, one template.

The directory is made for the account that runs the process, so the same file serves root's `www-data` and anybody's
own try. A site of yours would name a real place, and take its secret from `environment-files`.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def private_directory() -> Path:
    """Return a directory of this account alone; raise PermissionError when somebody else made it."""
    named = os.environ.get("NOTES_DIRECTORY")
    path = Path(named) if named else Path(tempfile.gettempdir()) / f"wsgigroups-notes-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    facts = path.lstat()
    if not path.is_dir() or path.is_symlink() or facts.st_uid != os.getuid():
        raise PermissionError(f"cannot keep notes in {path}: it belongs to somebody else")
    return path


def kept_secret(path: Path) -> str:
    """Return the secret in `path`, made at the first call; every process of the group reads the same, whole one."""
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):  # another process of the group was first: its secret counts
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


DIRECTORY = private_directory()
SECRET_KEY = os.environ.get("NOTES_SECRET_KEY") or kept_secret(DIRECTORY / "secret")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "django_notes.urls"
WSGI_APPLICATION = "django_notes.wsgi.application"
INSTALLED_APPS = ["django.contrib.sessions", "django_notes"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "notes.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
