"""A configuration as a Caddyfile: each directive in its place, and Caddy itself finds nothing wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.rendering import configured, rendered
from support.tree import ROOT

from wsgigroups.errors import WsgigroupsError

CADDY = shutil.which("caddy") or "caddy"
CERTIFICATES = ROOT / "tests" / "support" / "certificates"
TEXT = """
version = 1
[server]
timeout = "20s"
[gateway]
trusted-proxies = ["10.0.0.0/8", "unix"]
http2 = false
[groups.shop]
app = "shop.wsgi:application"
listen = ["unix:/run/sites/shop.sock"]
connect-timeout = "1500ms"
request-timeout = "30s"
request-timeout-mode = "each"
trusted-proxies = ["unix"]
[groups.blog]
app = "blog.wsgi:application"
listen = ["127.0.0.1:8001"]
[sites."www.example.org"]
aliases = ["*.example.org"]
listen = ["0.0.0.0:8080"]
access-log = "/tmp/a b.log"
index = "index.html"
process-group = "shop"
mounts = [{path = "/"}, {path = "/a.b", process-group = "blog"}]
static = [{path = "/static", directory = "/srv/static files"}]
error-pages = {502 = "/srv/pages/502.html"}
[sites."blog.example.org"]
listen = ["127.0.0.1:8443"]
certificate = "CHAIN"
certificate-key = "KEY"
hsts = "365d"
tls-minimum = "1.3"
process-group = "blog"
mounts = [{path = "/api"}]
[sites."away.example.org"]
listen = ["127.0.0.1:80", "127.0.0.1:8443"]
certificate = "CHAIN"
certificate-key = "KEY"
redirect-to-https = true
process-group = "blog"
mounts = [{path = "/"}]
"""


def text_of(tmp_path: Path, text: str = TEXT) -> str:
    text = text.replace("CHAIN", str(CERTIFICATES / "one.crt")).replace("KEY", str(CERTIFICATES / "one.key"))
    return rendered("caddy", configured(text, tmp_path / "groups.toml"))


def block(text: str, title: str) -> list[str]:
    (found,) = [part for part in text.split("\n\n") if f"{title} {{".strip() in part.split("\n")]
    return [line.strip() for line in found.split("\n")[1:]]


def in_order(lines: list[str], wanted: list[str]) -> None:
    assert [line for line in lines if line in wanted] == wanted


def test_what_is_rendered(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    first = block(text, "http://www.example.org:8080, http://*.example.org:8080, http://:8080")
    in_order(
        first,
        [
            "bind 0.0.0.0",
            "output file `/tmp/a b.log`",
            "@page-502 expression `{http.error.status_code} == 502`",
            "rewrite * /502.html",
            "@stranger not remote_ip 10.0.0.0/8",
            "request_header @stranger -X-Remote-User",
            "request_header @stranger -X-Forwarded-*",
            "@place-0 path_regexp `^/static(/|$)`",
            "uri strip_prefix /static",
            "root `/srv/static files`",
            "index index.html",
            "@place-1 path_regexp `^/a\\.b(/|$)`",
            "import group-blog",
            "import group-shop",
        ],
    )
    secure = block(text, "https://blog.example.org:8443, https://:8443")
    assert {"bind 127.0.0.1", "protocols tls1.3", "header Strict-Transport-Security max-age=31536000"} <= set(secure)
    away = block(text, "http://away.example.org:80, http://:80")
    in_order(away, ["redir @read https://{host}:8443{uri} 301", "redir https://{host}:8443{uri} 308"])
    shop, blog = block(text, "(group-shop)"), block(text, "(group-blog)")
    in_order(
        shop,
        [
            "reverse_proxy unix//run/sites/shop.sock {",
            "lb_try_duration 1500ms",
            "response_header_timeout 37s",  # 30 s in the application, 5 s to end, 2 s more
        ],
    )
    in_order(blog, ["reverse_proxy 127.0.0.1:8001 {", "response_header_timeout 20s"])
    assert "admin unix//run/wsgigroups/caddy/admin.sock" in block(text, "")
    assert "protocols h1" in block(text, "")
    said = {line[4:].partition(":")[0] for line in text.splitlines() if line.startswith("#   ")}
    site = 'sites."www.example.org"'
    assert said == {f"{site}.{name}" for name in ("access-log", "static", "aliases")} | {
        "socket-timeout",
        "groups.blog",
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"127.0.0.1:8001"', "", "cannot render group 'blog': Caddy asks groups"),
        ("/static files", "/{static}", "cannot render '/srv/{static}': Caddy cannot be told"),
        (
            '["0.0.0.0:8080"]',
            '["unix:/run/caddy.sock"]',
            "cannot render site 'www.example.org': Caddy is told of sites by",
        ),
        ("/tmp/a b.log", "/dev/log", 'cannot render access-log = "/dev/log"'),
        (
            'index = "index.html"',
            'proxy-protocol = ["unix"]',
            "cannot render site 'www.example.org': Caddy 2.6 does not",
        ),
    ],
)
def test_what_cannot_be_rendered(before: str, after: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError) as refused:
        text_of(tmp_path, TEXT.replace(before, after))
    assert refused.value.message.startswith(said)


@pytest.mark.needs(CADDY)
def test_caddy_finds_nothing_wrong(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(text_of(tmp_path).replace("/tmp/a b.log", str(tmp_path / "a b.log")))
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [CADDY, "validate", "--adapter", "caddyfile", "--config", file],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not formatted" not in done.stderr
