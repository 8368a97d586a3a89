"""Static files of Django, found in the text of its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config.discovery import discover
from wsgigroups.config.django_static import static_of

NEW = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
OLD = "import os\nBASE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n"

KNOWN = {
    "startproject": NEW + 'STATIC_URL = "static/"\nSTATIC_ROOT = BASE_DIR / "staticfiles"\n',
    "as a text": NEW + 'STATIC_URL = "/static/"\nSTATIC_ROOT = str(BASE_DIR.joinpath("staticfiles"))\n',
    "before pathlib": OLD + 'STATIC_URL = "/static/"\nSTATIC_ROOT = os.path.join(BASE_DIR, "staticfiles/")\n',
    "annotated": NEW + 'STATIC_URL: str = "static/"\nSTATIC_ROOT: Path = BASE_DIR / "x" / ".." / "staticfiles"\n',
    "the last one": 'STATIC_URL = "no/"\nSTATIC_URL = "static"\nSTATIC_ROOT = "/srv/shop/staticfiles"\n',
}


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN.keys())
def test_what_projects_write(text: str) -> None:
    assert static_of(text, "/srv/shop/mysite/settings.py") == ("/static", "/srv/shop/staticfiles")


UNKNOWN = {
    "no root": 'STATIC_URL = "static/"\n',
    "no prefix": 'STATIC_ROOT = "/srv"\n',
    "another host": 'STATIC_URL = "https://cdn.example.org/"\nSTATIC_ROOT = "/srv"\n',
    "without a scheme": 'STATIC_URL = "//cdn.example.org/"\nSTATIC_ROOT = "/srv"\n',
    "all of the site": 'STATIC_URL = "/"\nSTATIC_ROOT = "/srv"\n',
    "computed": 'STATIC_URL = "static/"\nSTATIC_ROOT = os.environ["ROOT"]\n',
    "computed at last": 'STATIC_URL = "static/"\nSTATIC_ROOT = "/srv"\nSTATIC_ROOT = env("ROOT", default="/srv")\n',
    "relative": 'STATIC_URL = "static/"\nSTATIC_ROOT = "static"\n',
    "no Python": "STATIC_URL = (\n",
    "no text": "STATIC_URL = 1\nSTATIC_ROOT = None\n",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known(text: str) -> None:
    assert static_of(text, "/srv/shop/mysite/settings.py") is None


@pytest.mark.parametrize("base", [".", "backend"])
def test_only_what_was_collected_is_found(tmp_path: Path, base: str) -> None:
    package = tmp_path / base / "mysite"
    package.mkdir(parents=True)
    manage = 'import os\n# django\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\n'
    (package.parent / "manage.py").write_text(manage)
    (package / "wsgi.py").write_text("application = None\n")
    assert discover(tmp_path)[0].static == {}
    (package / "settings.py").write_text(KNOWN["startproject"])
    assert discover(tmp_path)[0].static == {}
    (package.parent / "staticfiles").mkdir()
    found = "staticfiles" if base == "." else "backend/staticfiles"
    assert discover(tmp_path)[0].static == {"/static": found}
