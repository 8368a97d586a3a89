"""Pages that a reader can follow from the first line to the last are followed here, with their commands and files."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

import pytest
from support.nginx import NGINX, nginx
from support.pages import Reader, blocks
from support.tree import ROOT

DOCS = ROOT / "docs"
SAYS = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("wsgi.url_scheme", "REMOTE_ADDR", "HTTP_HOST", "PATH_INFO")
    return [" ".join(environ[name] for name in names).encode()]
"""


@pytest.mark.needs("curl")
@pytest.mark.parametrize("page", ["tutorial.md", "how-to/deploy.md"])
def test_a_page_can_be_followed(page: str) -> None:
    with Reader() as reader:
        done = list(reader.follow((DOCS / page).read_text(encoding="utf-8")))
    assert len(done) > 3, "mend the search for commands"


@pytest.mark.needs(NGINX, "curl")
def test_nginx_in_front_as_on_the_page() -> None:
    """Both configurations of the page, with other paths and the account of this test."""
    page = {block.language: block.body for block in reversed(blocks((DOCS / "how-to/nginx.md").read_text("utf-8")))}
    with Reader() as reader:
        static, sockets = reader.work / "static", reader.place / "sockets"
        paths = {"/run/wsgigroups-sites": str(sockets), "/srv/blog/static": str(static), "/srv/blog": str(reader.work)}

        def own(text: str) -> str:
            return re.sub("|".join(paths), lambda found: paths[found[0]], text)

        sockets.mkdir()
        reader.save("blog/__init__.py", "")
        reader.save("blog/wsgi.py", SAYS)
        reader.save("static/site.css", "body {}\n")
        theirs = re.sub(r"(?m)^python-home.*\n|^user.*\n", "", own(page["toml"]))
        reader.save("groups.toml", theirs.replace('"www-data"', f'"#{os.geteuid()}"'))
        done = reader.typed("wsgigroups apply groups.toml")
        assert done.returncode == 0, done.stderr
        at = reader.own("127.0.0.1:8000")
        directory = Path(reader.place, "nginx")
        directory.mkdir()
        listens = f"listen {{front}};\n    listen {at};"
        with nginx(directory, own(page["nginx"]).replace("listen 80;", listens)):
            asked = urllib.request.Request(f"http://{at}/a%20b", headers={"X-Forwarded-Proto": "https"})
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(asked, timeout=30) as answer:
                assert answer.read().decode() == f"http 127.0.0.1 {at.partition(':')[0]} /a b"
            with direct.open(f"http://{at}/static/site.css", timeout=30) as answer:
                assert answer.read() == b"body {}\n"
