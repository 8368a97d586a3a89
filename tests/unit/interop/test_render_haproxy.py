"""A configuration as a haproxy.cfg: each rule in its place, and HAProxy itself finds nothing wrong."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.fronts import HAPROXY
from support.rendering import CONTEXT, configured, rendered
from support.tree import ROOT

from wsgigroups.errors import WsgigroupsError

CERTIFICATES = ROOT / "tests" / "support" / "certificates"
TEXT = """
version = 1
[server]
timeout = "20s"
[gateway]
trusted-proxies = ["10.0.0.0/8", "unix"]
[groups.shop]
app = "shop.wsgi:application"
listen = ["127.0.0.1:8000", "unix:/run/sites/shop.sock"]
processes = 2
threads = 5
request-timeout = "30s"
request-timeout-mode = "each"
queue-timeout = "10s"
trusted-proxies = ["unix"]
[groups.blog]
app = "blog.wsgi:application"
listen = ["0.0.0.0:8001"]
processes = "auto"
[sites."www.example.org"]
aliases = ["example.org", "*.example.org", "*.eu.example.org"]
listen = ["0.0.0.0:80"]
process-group = "shop"
mounts = [{path = "/"}, {path = "/a b", process-group = "blog"}, {path = "/a b/c"}]
static = [{path = "/static", directory = "/srv/static"}]
error-pages = {502 = "/srv/502.html"}
[sites."blog.example.org"]
listen = ["0.0.0.0:80", "[::]:8443"]
certificate = "CERTIFICATE"
certificate-key = "KEY"
redirect-to-https = true
hsts = "365d"
process-group = "blog"
mounts = [{path = "/"}]
"""


def text_of(tmp_path: Path, text: str = TEXT, chain: str = "/etc/ssl/a.crt", key: str = "/etc/ssl/a.key") -> str:
    text = text.replace("CERTIFICATE", chain).replace("KEY", key)
    return rendered("haproxy", configured(text, tmp_path / "groups.toml"), replace(CONTEXT, user="haproxy"))


def lines_of(text: str, section: str) -> list[str]:
    (found,) = [part for part in text.split("\n\n") if part.split("\n")[0] == section]
    return [line.strip() for line in found.split("\n")[1:]]


def in_order(lines: list[str], wanted: list[str]) -> None:
    assert [line for line in lines if line in wanted] == wanted


def test_what_is_rendered(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    plain, secure = lines_of(text, "frontend listener-0"), lines_of(text, "frontend listener-1")
    first, second = "{ var(txn.site) -m int 0 }", "{ var(txn.site) -m int 1 }"
    in_order(
        plain,
        [
            "bind 0.0.0.0:80",
            "http-request set-var(txn.site) int(0)",
            "http-request set-var(txn.site) int(0) if { var(txn.host) -m end .example.org }",
            "http-request set-var(txn.site) int(0) if { var(txn.host) -m end .eu.example.org }",
            "http-request set-var(txn.site) int(0) if { var(txn.host) -m str www.example.org example.org }",
            "http-request set-var(txn.site) int(1) if { var(txn.host) -m str blog.example.org }",
            f"http-request redirect location https://%[var(txn.name)]:8443%[pathq] code 308 if {second}",
            f"use_backend _nothing if {first} {{ var(txn.path) -m beg /static/ }}",
            f"use_backend shop if {first} {{ var(txn.path) -m beg '/a b/c/' }}",
            f"use_backend blog if {first} {{ var(txn.path) -m str '/a b' }}",
            f"use_backend blog if {first} {{ var(txn.path) -m beg '/a b/' }}",
            f"use_backend shop if {first}",
            "default_backend _nothing",
        ],
    )
    assert "acl is_trusted src 10.0.0.0/8" in plain
    assert {
        "http-request del-header X-Remote-User if !is_trusted",
        "http-request add-header X-Forwarded-For %[src]",
    } <= set(plain)
    assert f"http-response set-header Strict-Transport-Security max-age=31536000 if {second}" in secure
    assert "bind [::]:8443 v6only ssl crt /etc/ssl/a.crt ssl-min-ver TLSv1.2 alpn h2,http/1.1" in secure
    assert {"user haproxy", "ssl-load-extra-del-ext"} <= set(lines_of(text, "global"))
    shop, blog = lines_of(text, "backend shop"), lines_of(text, "backend blog")
    assert shop[-1] == "server group unix@/run/sites/shop.sock maxconn 110"
    assert blog[-1] == "server group 127.0.0.1:8001"
    assert "timeout server 47s" in shop  # 10 s in the queue, 30 s in the application, 5 s to end, 2 s more
    assert "timeout server 20s" in blog
    for said in (
        'sites."www.example.org".error-pages',
        'sites."www.example.org".static: HAProxy serves no files, and answers 404 there',
        "groups.blog: HAProxy is the client of each of its requests",
    ):
        assert any(line.startswith(f"#   {said}") for line in text.splitlines())
    assert "groups.shop:" not in text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"KEY"', '"/etc/ssl/other/a.key"', "cannot render site 'blog.example.org': HAProxy reads certificate and key"),
        ('listen = ["0.0.0.0:8001"]', "", "cannot render group 'blog': HAProxy asks groups where they listen"),
        ('"/a b/c"', '"/it\'s"', 'cannot render "/it\'s": HAProxy cannot be told control characters'),
        ('"30s"', '"30d"', "cannot render a time of 2592034 s: HAProxy knows none above"),
        (
            'mounts = [{path = "/"}]',
            'mounts = [{path = "/a b", app = "other:app"}]',
            "cannot render mount /a b of site 'blog.example.org': group 'blog' has another application there",
        ),
    ],
)
def test_what_cannot_be_rendered(before: str, after: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError) as refused:
        text_of(tmp_path, TEXT.replace(before, after))
    assert refused.value.message.startswith(said)


@pytest.mark.needs(HAPROXY)
def test_haproxy_finds_nothing_wrong(tmp_path: Path) -> None:
    text = text_of(tmp_path, chain=str(CERTIFICATES / "one.crt"), key=str(CERTIFICATES / "one.key"))
    (tmp_path / "haproxy.cfg").write_text(text.replace("    user haproxy\n", ""))
    done = subprocess.run(
        [HAPROXY, "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
