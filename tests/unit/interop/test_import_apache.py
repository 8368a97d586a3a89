"""Apache with mod_wsgi: what becomes of its directives."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.importing import group, imported, loaded, said

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import Draft, Fidelity, report

HOST = """
<VirtualHost *:443>
  ServerName www.example.org:443
  ServerAlias example.org *.example.org www.*
  SSLEngine on
  SSLCertificateFile /etc/ssl/a.crt
  SSLCertificateKeyFile /etc/ssl/a.key
  SSLProtocol -all +TLSv1.3
  ErrorLog ${APACHE_LOG_DIR}/error.log
  CustomLog "|/usr/bin/rotatelogs /var/log/a 86400" combined
  CustomLog logs/access.log common
  Alias /static/ /srv/blog/static/
  Alias /favicon.ico /srv/blog/static/favicon.ico
  WSGIDaemonProcess blog user=alice group=alice processes=2 threads=15 umask=027 home=/srv/blog maximum-requests=1k
  WSGIScriptAlias / /srv/blog/blog/wsgi.py
  WSGIScriptAlias /api /srv/blog/api.wsgi process-group=%{GLOBAL}
  WSGIScriptAliasMatch ^/old(/.*)?$ /srv/blog/old.wsgi
  <Directory /srv/blog/blog>
    WSGIProcessGroup blog
    WSGIApplicationGroup %{GLOBAL}
  </Directory>
  <Location /admin>
    AuthType Basic
    Require valid-user
  </Location>
  Header always set Strict-Transport-Security "max-age=31536000; includeSubDomains"
  SetEnv DJANGO_SETTINGS_MODULE blog.settings
  LimitRequestBody 1048576
</VirtualHost>
"""


def of(text: str, **files: str) -> Draft:
    others = {f"/etc/apache2/{name.replace('__', '/')}.conf": more for name, more in files.items()}
    return imported("apache", {"/etc/apache2/apache2.conf": text, **others}, "/etc/apache2/apache2.conf")


def one(line: str, more: str = "") -> Draft:
    """A virtual host with one application, and one line more."""
    alias = "WSGIDaemonProcess app\nWSGIProcessGroup app\nWSGIScriptAlias / /srv/app.wsgi\n"
    return of(f"{more}\n<VirtualHost *:80>\nServerName a.example.org\n{alias}{line}\n</VirtualHost>\n")


def test_a_virtual_host_becomes_a_site_and_its_processes_a_group(tmp_path: Path) -> None:
    draft = of(HOST)
    site = loaded(draft, "apache", tmp_path / "groups.toml").sites["www.example.org"]
    assert (site.listen, site.tls_minimum, site.hsts) == (("0.0.0.0:443",), "1.3", 31536000)
    assert site.aliases == ("example.org", "*.example.org")
    assert (site.certificate, site.certificate_key) == ("/etc/ssl/a.crt", "/etc/ssl/a.key")
    assert (site.error_log, site.access_log) == ("/var/log/apache2/error.log", "/etc/apache2/logs/access.log")
    assert [(mount.path, mount.script, mount.process_group) for mount in site.mounts] == [
        ("/", "/srv/blog/blog/wsgi.py", "blog"),
        ("/api", "/srv/blog/api.wsgi", "www.example.org"),
        ("/old", "/srv/blog/old.wsgi", "www.example.org"),
    ]
    assert [(static.path, static.directory) for static in site.static] == [("/static", "/srv/blog/static")]
    blog = group(draft, "blog")
    assert (blog["user"], blog["processes"], blog["umask"], blog["maximum-requests"]) == ("alice", 2, "0027", 1)
    assert blog["environment"] == {"DJANGO_SETTINGS_MODULE": "blog.settings"}
    assert blog["limit-request-body"] == 1048576


def test_what_could_not_be_kept_is_said_with_its_place() -> None:
    draft = of(HOST)
    approximated, dropped = said(draft, Fidelity.APPROXIMATED), said(draft, Fidelity.DROPPED)
    assert "reads 1k as 1" in approximated["WSGIDaemonProcess maximum-requests=1k"]
    assert "combined format" in approximated["CustomLog logs/access.log common"]
    assert "embedded mode" in approximated["WSGIScriptAlias /api /srv/blog/api.wsgi process-group=%{GLOBAL}"]
    assert "NOT limited" in dropped["Require valid-user"]
    assert "a single file" in dropped["Alias /favicon.ico /srv/blog/static/favicon.ico"]
    assert any("rotatelogs" in what for what in dropped)
    assert "dropped: /etc/apache2/apache2.conf:24: Require valid-user" in report(draft)


def test_files_that_are_included_are_read_in_their_order() -> None:
    draft = of(
        "ServerRoot /etc/apache2\nInclude mods/*.conf\nIncludeOptional none/*.conf\n"
        "Include missing.conf\nIncludeOptional sites",
        mods__b="Define PLACE /srv/b\n",
        mods__a="Define PLACE /srv/a\nDefine OTHER x",
        sites__one="<VirtualHost *:80>\nServerName b.example.org\n"
        "WSGIScriptAlias / ${PLACE}/${OTHER}.wsgi\n</VirtualHost>",
    )
    assert draft.document["sites"]["b.example.org"]["mounts"][0]["script"] == "/srv/b/x.wsgi"
    assert "no such file" in said(draft, Fidelity.DROPPED)["Include missing.conf"]


def test_a_file_that_includes_itself_is_refused() -> None:
    with pytest.raises(WsgigroupsError, match="included by itself"):
        of("Include apache2.conf")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("IfModule mod_ssl.c", True), ("IfModule !mod_ssl.c", False), ("IfDefine GIVEN", True),
        ("IfDefine !GIVEN", False),
        ("IfVersion >= 2.4", True), ("IfVersion < 2.4", False), ("IfVersion 2.4", True),
        ("IfFile /etc/apache2/apache2.conf", True),
        ("IfFile /nonexistent", False),
    ],
)  # fmt: skip
def test_conditions(condition: str, holds: bool) -> None:
    draft = one(f"Define GIVEN\n<{condition}>\nServerAlias b.example.org\n</{condition.split(maxsplit=1)[0]}>")
    assert ("aliases" in draft.document["sites"]["a.example.org"]) == holds


def test_macros_are_filled_in() -> None:
    draft = of(
        "<Macro Site $name $where>\n<VirtualHost *:80>\nServerName $name\n"
        "WSGIScriptAlias / $where/app.wsgi\n</VirtualHost>\n"
        "</Macro>\nUse Site a.example.org /srv/a\nUse Site b.example.org /srv/b\nUse Other x\n"
    )
    assert [site["mounts"][0]["script"] for site in draft.document["sites"].values()] == [
        "/srv/a/app.wsgi",
        "/srv/b/app.wsgi",
    ]
    assert "no such macro" in said(draft, Fidelity.DROPPED)["Use Other x"]


@pytest.mark.parametrize("text", ["<VirtualHost *:80>\n", "</VirtualHost>\n", "<Directory /x>\n</Location>\n"])
def test_sections_that_do_not_fit_together_are_refused(text: str) -> None:
    with pytest.raises(WsgigroupsError, match=r"cannot read /etc/apache2/apache2\.conf:"):
        of(text)


def test_a_redirection_to_https_belongs_to_the_site_that_it_leads_to() -> None:
    draft = of(
        "<VirtualHost *:80>\nServerName www.example.org\nRewriteEngine On\nRewriteCond %{HTTPS} off\n"
        "RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]\n</VirtualHost>\n" + HOST
    )
    sites = draft.document["sites"]
    assert sites["www.example.org"]["redirect-to-https"] is True
    assert sites["www.example.org:443"]["server-name"] == "www.example.org"
    assert not [what for what in said(draft, Fidelity.DROPPED) if "Rewrite" in what]


def test_a_host_without_an_application_stays_with_apache() -> None:
    draft = of("<VirtualHost *:80>\nServerName php.example.org\nDocumentRoot /var/www\n</VirtualHost>\n" + HOST)
    assert "php.example.org" not in draft.document["sites"]
    assert "no Python application" in said(draft, Fidelity.DROPPED)["<VirtualHost *:80> ServerName php.example.org"]


def test_a_variable_that_nobody_defines_has_a_default_so_that_the_file_can_be_read(tmp_path: Path) -> None:
    draft = of("<VirtualHost *:80>\nServerName a.example.org\nWSGIScriptAlias / ${ROOT}/app.wsgi\n</VirtualHost>")
    site = loaded(draft, "apache", tmp_path / "groups.toml").sites["a.example.org"]
    assert site.mounts[0].script == "/ROOT/app.wsgi"
    given = imported("apache", {"/a.conf": "WSGIScriptAlias / ${ROOT}/app.wsgi"}, ROOT="/srv")
    assert given.document["sites"]["localhost"]["mounts"][0]["script"] == "/srv/app.wsgi"


@pytest.mark.parametrize(
    ("line", "option", "value"),
    [
        ("Timeout 30", "socket-timeout", 30),
        ("WSGIChunkedRequest On", "chunked-bodies", "stream"),
        ("WSGIScriptReloading Off", "script-reloading", None),
        ("LimitRequestFieldSize 16380", "limit-request-field-size", 16380),
        ("PassEnv LC_TIME", "environment", {"LC_TIME": "${LC_TIME:-}"}),
    ],
)
def test_directives_that_are_options_of_the_group(line: str, option: str, value: object) -> None:
    assert group(one(line), "app").get(option) == value


def test_the_server_gives_its_own_to_all() -> None:
    draft = one(
        "",
        "User ${APACHE_RUN_USER}\nGroup #33\nTimeout 45\nWSGIPythonHome /srv/venv\nWSGIPythonPath /srv/only-embedded\n"
        "WSGIRestrictSignal Off\nWSGITrustedProxies 10.0.0.1 10.1.0.0/16\nErrorLog syslog:local1",
    )
    server = draft.document["server"]
    assert server == {"user": "www-data", "group": "#33", "timeout": 45, "error-log": "/dev/log"}
    app = group(draft, "app")
    assert (app["python-home"], app["signals"]) == ("/srv/venv", "allow")
    assert "python-path" not in app
    assert draft.document["gateway"] == {"trusted-proxies": ["10.0.0.1/32", "10.1.0.0/16"]}


def test_packages_of_an_environment_are_its_home() -> None:
    draft = of(
        "WSGIDaemonProcess a python-path=/srv/a:/srv/venv/lib/python3.9/site-packages\n"
        "WSGIScriptAlias / /a.wsgi process-group=a"
    )
    assert (group(draft, "a")["python-path"], group(draft, "a")["python-home"]) == (["/srv/a"], "/srv/venv")


def test_an_address_of_one_interface_beside_all_of_them_is_joined(tmp_path: Path) -> None:
    hosts = "".join(
        f"<VirtualHost {address}>\nServerName {name}.example.org\nWSGIScriptAlias / /{name}.wsgi\n</VirtualHost>\n"
        for name, address in (
            ("a", "*:80"),
            ("b", "192.0.2.1:80"),
            ("c", "[2001:db8::1]:80"),
            ("d", "host.example.org:81"),
        )
    )
    draft = of(hosts)
    loaded(draft, "apache", tmp_path / "groups.toml")
    found = [site["listen"] for site in draft.document["sites"].values()]
    assert found == [["0.0.0.0:80"], ["0.0.0.0:80"], ["[2001:db8::1]:80"], ["0.0.0.0:81"]]


def test_root_is_never_who_an_application_runs_as() -> None:
    draft = of("WSGIDaemonProcess a user=root threads=5\nWSGIScriptAlias / /a.wsgi process-group=a")
    assert "user" not in group(draft, "a")
    assert "never run as root" in said(draft, Fidelity.DROPPED)["WSGIDaemonProcess user=root"]


def test_values_are_no_part_of_comments_where_they_may_be_secret() -> None:
    assert "hush" not in report(one("SetEnv SECRET_KEY hush"))
