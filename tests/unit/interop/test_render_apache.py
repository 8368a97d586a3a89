"""A configuration as one of Apache with mod_wsgi: each option in its place, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.importing import corpus, imported, loaded

from wsgigroups.config import Configuration, load
from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.foreign_files import ForeignFiles
from wsgigroups.interop.importers import ImportRequest, import_files
from wsgigroups.interop.renderers import RENDERERS, RenderContext

TEXT = """
version = 1
[server]
user = "www-data"
timeout = "90s"
log-rotate-size = "10M"
[gateway]
trusted-proxies = ["10.0.0.0/8", "unix"]
processes = 2
[groups.shop]
script = "/srv/shop/shop.wsgi"
processes = 2
request-timeout = "1m30s"
python-path = ["/srv/a", "/srv/b c"]
memory-limit = "1G"
supplementary-groups = ["one", "two"]
limit-request-body = "1M"
chunked-bodies = "stream"
script-reloading = true
error-log = "/var/log/www.log"
listen = ["127.0.0.1:8000"]
environment = {KEY = "a \\\\ \\"b\\""}
signals = "allow"
[groups.blog]
app = "blog.wsgi:application"
home = "/srv/blog"
processes = "auto"
limit-request-body = "2M"
[groups.idle]
script = "/srv/idle.wsgi"
[sites."www.example.org"]
aliases = ["example.org"]
listen = ["0.0.0.0:80", "0.0.0.0:443", "[::1]:8443"]
certificate = "/etc/ssl/a.crt"
certificate-key = "/etc/ssl/a.key"
redirect-to-https = true
hsts = "365d"
tls-minimum = "1.3"
error-log = "/var/log/www.log"
access-log = "/var/log/access.log"
index = "index.html"
error-pages = {404 = "/srv/static/404.html", 502 = "/elsewhere/502.html"}
process-group = "shop"
mounts = [
  {path = "/"},
  {path = "/blog/entries", process-group = "blog"},
  {path = "/api", script = "/srv/api.py", callable-object = "api"},
]
static = [{path = "/static", directory = "/srv/static"}]
[sites."alone.example.org"]
listen = ["0.0.0.0:443"]
certificate = "/etc/ssl/a.pem"
certificate-key = "/etc/ssl/a.pem"
http-redirect = true
process-group = "shop"
mounts = [{path = "/alone"}]
static = [{path = "/", directory = "/srv/alone"}]
"""
CONTEXT = RenderContext(Path("/run/wsgigroups"), {}, "", "", "")


def rendered(configuration: Configuration) -> str:
    return RENDERERS["apache"].render(configuration, CONTEXT)


def of(text: str, path: Path) -> str:
    path.write_text(text)
    result = load([path], trust=False, variables={})
    assert result.configuration is not None, [item.message for item in result.diagnostics]
    return rendered(result.configuration)


def comparable(configuration: Configuration) -> dict[str, Any]:
    """What was written, with mounts in one order: Apache takes the first that fits, wsgigroups the longest."""
    document = configuration.to_document()
    for site in document.get("sites", {}).values():
        site.get("mounts", []).sort(key=lambda mount: mount["path"])
    return document


def hosts(text: str) -> list[list[str]]:
    """The lines of each virtual host, without what directories are opened."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("<VirtualHost"):
            found.append([line])
        elif (
            line.startswith("    ") and "Directory " not in line and "/Directory" not in line and "Require" not in line
        ):
            found[-1].append(line.strip())
    return found


def test_each_option_has_its_place(tmp_path: Path) -> None:
    text = of(TEXT, tmp_path / "groups.toml")
    secure, plain, alone, away = hosts(text)
    names = ["ServerName www.example.org", "ServerAlias example.org"]
    applications = [
        "WSGIScriptAlias /blog/entries /srv/blog/blog/wsgi.py process-group=blog application-group=%{GLOBAL}",
        "WSGIScriptAlias /api /srv/api.py process-group=shop application-group=%{GLOBAL} callable-object=api",
        "WSGIScriptAlias / /srv/shop/shop.wsgi process-group=shop application-group=%{GLOBAL}",
        "WSGIPassAuthorization On",
        "ErrorDocument 404 /static/404.html",
    ]
    common = [
        "ErrorLog /var/log/www.log",
        "CustomLog /var/log/access.log combined",
        "LimitRequestBody 2097152",
        "WSGIScriptReloading Off",
        "Alias /static /srv/static",
        "DirectoryIndex index.html",
        *applications,
    ]
    assert secure == [
        "<VirtualHost *:443 [::1]:8443>", *names, "SSLEngine on", "SSLCertificateFile /etc/ssl/a.crt",
        "SSLCertificateKeyFile /etc/ssl/a.key", "SSLProtocol -all +TLSv1.3",
        "Header always set Strict-Transport-Security max-age=31536000", *common,
    ]  # fmt: skip
    assert plain == ["<VirtualHost *:80>", *names, "Redirect permanent / https://www.example.org/", *common]
    assert "DocumentRoot /srv/alone" in alone
    assert 'SetEnv KEY "a \\\\ \\"b\\""' in alone
    assert "WSGIChunkedRequest On" in alone
    assert "WSGIScriptReloading Off" not in alone
    redirection = "Redirect permanent / https://alone.example.org/"
    assert away == ["<VirtualHost *:80>", "ServerName alone.example.org", redirection]
    before = text.partition("<VirtualHost")[0].splitlines()
    assert "WSGIDaemonProcess blog home=/srv/blog" in before
    shop = (
        'WSGIDaemonProcess shop processes=2 supplementary-groups=one,two python-path="/srv/a:/srv/b c" '
        "request-timeout=90 memory-limit=1073741824"
    )
    assert shop in before
    assert {"User www-data", "Timeout 90", "Listen [::1]:8443", "WSGIRestrictSignal Off"} <= set(before)
    assert "WSGITrustedProxies 10.0.0.0/8" in before
    assert not any(line.startswith(("Listen 0.0.0.0:80", "Listen 0.0.0.0:443")) for line in before)


def test_what_cannot_be_said_stands_at_the_top(tmp_path: Path) -> None:
    text = of(TEXT, tmp_path / "groups.toml")
    said = {line[4:].partition(":")[0] for line in text.splitlines() if line.startswith("#   ")}
    assert said == {
        "groups.blog.processes = auto",
        "groups.blog.signals",
        "groups.idle",
        "groups.shop.chunked-bodies",
        "groups.shop.environment",
        "groups.shop.error-log",  # of a group for two host names
        "groups.shop.limit-request-body",
        "groups.shop.listen",
        "groups.shop.script-reloading",
        "gateway.processes",
        "server.log-rotate-size",
        'sites."www.example.org".error-pages.502',
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('app = "blog.wsgi:application"', 'app = "blog.wsgi:make()"', "is a factory"),
        ('home = "/srv/blog"', 'home = "/srv/$${HOME}"', "Apache would put a variable in"),
        ('home = "/srv/blog"', "", "not known which file blog.wsgi:application"),
        (
            'certificate = "/etc/ssl/a.crt"\ncertificate-key = "/etc/ssl/a.key"',
            'certificate = "acme"',
            "by the manager",
        ),
    ],
)
def test_what_apache_cannot_be_told(old: str, new: str, message: str, tmp_path: Path) -> None:
    agreed = "acme-terms-agreed = true\nprocesses = 2"
    text = TEXT.replace(old, new).replace("processes = 2", agreed, 1) if "acme" in new else TEXT.replace(old, new)
    with pytest.raises(WsgigroupsError, match=message) as refused:
        of(text, tmp_path / "groups.toml")
    assert refused.value.hint


@pytest.mark.parametrize("path", corpus("apache"), ids=lambda path: path.stem)
def test_the_way_from_apache_and_back_changes_nothing(path: Path, tmp_path: Path) -> None:
    first = loaded(import_files("apache", ImportRequest((str(path),)), ForeignFiles()), "apache", tmp_path / "a.toml")
    text = rendered(first)
    second = loaded(imported("apache", {"/etc/apache2/rendered.conf": text}), "apache", tmp_path / "b.toml")
    assert comparable(second) == comparable(first)
    assert rendered(second) == text


def test_the_way_from_a_file_of_ours_is_stable(tmp_path: Path) -> None:
    """What Apache cannot say is lost on the first way, and nothing on the second."""
    texts = [of(TEXT, tmp_path / "groups.toml")]
    for name in ("a.toml", "b.toml"):
        draft = imported("apache", {"/etc/apache2/rendered.conf": texts[-1]})
        texts.append(rendered(loaded(draft, "apache", tmp_path / name)))
    assert texts[2] == texts[1]
    lost = set(texts[0].splitlines()) ^ set(texts[1].splitlines())
    assert all(line.startswith("#") for line in lost), lost
