"""What becomes of each directive of Apache and mod_wsgi: no one goes without a word."""

from __future__ import annotations

from typing import Any

import pytest
from support.importing import corpus, imported

from wsgigroups.config.shape import OPTIONS
from wsgigroups.host.foreign_files import ForeignFiles
from wsgigroups.interop.importers import Draft, Fidelity, Gap, GivenFiles, ImportRequest, import_files
from wsgigroups.interop.importers.apache.reading import ApacheReader
from wsgigroups.interop.importers.apache.syntax import parse

KEPT, APPROXIMATED, DROPPED = Fidelity.KEPT, Fidelity.APPROXIMATED, Fidelity.DROPPED
PATH = "/etc/apache2/apache2.conf"
GROUP, SITE = ("groups", "app"), ("sites", "a.example.org")
# inside of a virtual host, with an application that a group serves: line → verdict, place, value (None: nowhere)
IN_HOST: tuple[tuple[str, Fidelity, tuple[str, ...], Any], ...] = (
    ("ServerAlias b.example.org", KEPT, (*SITE, "aliases"), ["b.example.org"]),
    ("ErrorLog /var/log/a.log", KEPT, (*GROUP, "error-log"), "/var/log/a.log"),
    ("CustomLog /var/log/a.log combined", KEPT, (*SITE, "access-log"), "/var/log/a.log"),
    ("CustomLog /var/log/a.log common", APPROXIMATED, (*SITE, "access-log"), "/var/log/a.log"),
    ('CustomLog "|/usr/bin/rotatelogs /a 86400" combined', DROPPED, (), None),
    ("TransferLog /var/log/a.log", APPROXIMATED, (*SITE, "access-log"), "/var/log/a.log"),
    ("SSLCertificateFile /a.pem", KEPT, (*SITE, "certificate"), "/a.pem"),
    ("SSLCertificateKeyFile /a.key", DROPPED, (), None),  # without a certificate
    ("SSLCertificateChainFile /chain.pem", DROPPED, (), None),
    ("SSLCACertificateFile /ca.pem", DROPPED, (), None),
    ("SSLVerifyClient require", DROPPED, (), None),
    ("SSLCipherSuite HIGH", DROPPED, (), None),
    ("SSLHonorCipherOrder on", KEPT, (), None),
    ("SSLOptions +StdEnvVars", DROPPED, (), None),
    ("SSLUseStapling On", DROPPED, (), None),
    ("SSLUseStapling off", KEPT, (), None),
    ("Timeout 60", KEPT, (*GROUP, "socket-timeout"), 60),
    ("KeepAliveTimeout 4", DROPPED, (), None),
    ("LimitRequestBody 1024", KEPT, (*GROUP, "limit-request-body"), 1024),
    ("LimitRequestLine 4096", KEPT, (*GROUP, "limit-request-line"), 4096),
    ("DocumentRoot /srv/www", KEPT, (), None),
    ("DirectoryIndex index.html", KEPT, (), None),
    ("Alias /static /srv/static", KEPT, (*SITE, "static"), [{"path": "/static", "directory": "/srv/static"}]),
    ("AliasMatch ^/s/(.*)$ /srv/s/$1", APPROXIMATED, (*SITE, "static"), [{"path": "/s", "directory": "/srv/s"}]),
    ("Alias /favicon.ico /srv/favicon.ico", DROPPED, (), None),
    ("Alias /map /srv/sitemap.xml", DROPPED, (), None),
    ("Alias /a.b /srv/www.org", KEPT, (*SITE, "static"), [{"path": "/a.b", "directory": "/srv/www.org"}]),
    ("AllowOverride All", DROPPED, (), None),
    ("AllowOverride None", KEPT, (), None),
    ("AddOutputFilterByType DEFLATE text/html", DROPPED, (), None),
    ("User alice", DROPPED, (), None),
    ("Require all granted", KEPT, (), None),
    ("Require valid-user", DROPPED, (), None),
    ("AuthType Basic", DROPPED, (), None),
    ("ProxyPass /x http://127.0.0.1:1/", DROPPED, (), None),
    ("RewriteRule ^/a /b", DROPPED, (), None),
    ("Redirect /a /b", DROPPED, (), None),
    ("Header set X-A b", DROPPED, (), None),
    ("RequestHeader set X-A b", DROPPED, (), None),
    ("ExpiresActive On", DROPPED, (), None),
    ("ScriptAlias /cgi-bin /x", DROPPED, (), None),
    ("SetEnvIf Host a B=1", DROPPED, (), None),
    ("SetEnv A b", APPROXIMATED, (*GROUP, "environment"), {"A": "b"}),
    ("PassEnv A", APPROXIMATED, (*GROUP, "environment"), {"A": "${A:-}"}),
    ("NoSuchDirective x", DROPPED, (), None),
    ("WSGIAcceptMutex default", KEPT, (), None),
    ("WSGIAccessScript /a.py", DROPPED, (), None),
    ("WSGIApplicationGroup %{GLOBAL}", KEPT, (), None),
    ("WSGIAuthGroupScript /a.py", DROPPED, (), None),
    ("WSGIAuthUserScript /a.py", DROPPED, (), None),
    ("WSGICallableObject app", KEPT, (), None),
    ("WSGICaseSensitivity On", KEPT, (), None),
    ("WSGIChunkedRequest On", KEPT, (*GROUP, "chunked-bodies"), "stream"),
    ("WSGIChunkedRequest Off", KEPT, (), None),
    ("WSGIDestroyInterpreter Off", DROPPED, (), None),
    ("WSGIEnableSendfile On", KEPT, (), None),
    ("WSGIErrorOverride On", DROPPED, (), None),
    ("WSGIErrorOverride Off", KEPT, (), None),
    ("WSGIHandlerScript a /a.py", DROPPED, (), None),
    ("WSGIIgnoreActivity On", DROPPED, (), None),
    ("WSGIImportScript /srv/app.wsgi process-group=app application-group=%{GLOBAL}", KEPT, (), None),
    ("WSGIImportScript /srv/other.py process-group=app application-group=%{GLOBAL}", DROPPED, (), None),
    ("WSGILazyInitialization On", KEPT, (), None),
    ("WSGIMapHEADToGET Auto", KEPT, (), None),
    ("WSGIPassAuthorization On", KEPT, (), None),
    ("WSGIPassAuthorization Off", DROPPED, (), None),
    ("WSGIProcessGroup app", KEPT, (), None),
    ("WSGIPythonHome /venv", DROPPED, (), None),  # Apache refuses it there
    ("WSGIRestrictStdin Off", KEPT, (), None),
    ("WSGIScriptAliasMatch ^/x(/.*)?$ /x.wsgi", APPROXIMATED, (), None),
    ("WSGIScriptAliasMatch ^/x(\\d)$ /x$1.wsgi", DROPPED, (), None),
    ("WSGIScriptReloading Off", KEPT, (*GROUP, "script-reloading"), None),
    ("WSGIScriptReloading On", KEPT, (*GROUP, "script-reloading"), True),
    ("WSGISocketPrefix run/wsgi", KEPT, (), None),
    ("WSGITrustedProxies 10.0.0.0/8", APPROXIMATED, ("gateway", "trusted-proxies"), ["10.0.0.0/8"]),
    ("WSGITrustedProxyHeaders X-Forwarded-For", DROPPED, (), None),
)
# outside of it
IN_SERVER: tuple[tuple[str, Fidelity, tuple[str, ...], Any], ...] = (
    ("User alice", KEPT, ("server", "user"), "alice"),
    ("Group #33", KEPT, ("server", "group"), "#33"),
    ("Timeout 60", KEPT, ("server", "timeout"), 60),
    ("ErrorLog /var/log/a.log", KEPT, ("server", "error-log"), "/var/log/a.log"),
    ("CustomLog /var/log/a.log combined", KEPT, (*SITE, "access-log"), "/var/log/a.log"),
    ("Alias /static /srv/static", KEPT, (*SITE, "static"), [{"path": "/static", "directory": "/srv/static"}]),
    ("ServerAlias b.example.org", DROPPED, (), None),  # Apache refuses it there
    ("Listen 80", KEPT, (), None),
    ("MaxRequestWorkers 400", KEPT, (), None),
    ("WSGIDontWriteBytecode On", DROPPED, (), None),
    ("WSGIPythonEggs /eggs", KEPT, (), None),  # of embedded mode alone, as the two behind
    ("WSGIServerMetrics On", KEPT, (), None),
    ("WSGISwitchInterval 0.01", KEPT, (), None),
    ("WSGIPythonHashSeed 1", KEPT, (), None),
    ("WSGIPythonHome /venv", KEPT, (*GROUP, "python-home"), "/venv"),
    ("WSGIPythonOptimize 1", KEPT, (), None),
    ("WSGIPythonPath /lib", KEPT, (), None),  # of embedded mode alone
    ("WSGIPythonWarnings ignore", DROPPED, (), None),
    ("WSGIRestrictEmbedded On", KEPT, (), None),
    ("WSGIRestrictSignal Off", KEPT, (*GROUP, "signals"), "allow"),
    ("WSGIRestrictSignal On", KEPT, (), None),
    ("WSGITrustedProxies 10.0.0.0/8 192.0.2.1", KEPT, ("gateway", "trusted-proxies"), ["10.0.0.0/8", "192.0.2.1/32"]),
    ("WSGIVerboseDebugging On", KEPT, (), None),
)
# sections and words that are followed; each leads to python-home = "/venv" or not
FOLLOWED = (
    ("<IfModule wsgi_module>\nWSGIPythonHome /venv\n</IfModule>", True),
    ("<IfModule !wsgi_module>\nWSGIPythonHome /venv\n</IfModule>", False),
    ("<IfDefine NO>\nWSGIPythonHome /venv\n</IfDefine>", False),
    ("Define YES\n<IfDefine YES>\nWSGIPythonHome /venv\n</IfDefine>", True),
    ("<IfVersion >= 2.4>\nWSGIPythonHome /venv\n</IfVersion>", True),
    ("<IfVersion < 2.4>\nWSGIPythonHome /venv\n</IfVersion>", False),
    ("<IfFile /etc/apache2/more.conf>\nWSGIPythonHome /venv\n</IfFile>", True),
    ("<IfFile /nowhere>\nWSGIPythonHome /venv\n</IfFile>", False),
    ("Define WHERE venv\nWSGIPythonHome /${WHERE}", True),
    ("Include more.conf", True),
    ("IncludeOptional nowhere.conf", False),
    ("Include conf.d/*.conf", True),
    ("<Macro home $where>\nWSGIPythonHome $where\n</Macro>\nUse home /venv", True),
)


def of(server: str = "", host: str = "", options: str = "") -> Draft:
    text = f"""{server}
<VirtualHost *:80>
ServerName a.example.org
WSGIDaemonProcess app {options}
WSGIProcessGroup app
WSGIScriptAlias / /srv/app.wsgi
{host}
</VirtualHost>
"""
    home = "WSGIPythonHome /venv\n"
    return imported("apache", {PATH: text, "/etc/apache2/more.conf": home, "/etc/apache2/conf.d/a.conf": home}, PATH)


def about(draft: Draft, line: str) -> list[Gap]:
    name = line.split(maxsplit=1)[0]
    return [gap for gap in draft.gaps if gap.setting.what.startswith(name) and line.startswith(gap.setting.what)]


def at(draft: Draft, place: tuple[str, ...]) -> Any:
    if not place:
        return None
    found: Any = draft.document
    for part in place:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def check(draft: Draft, line: str, verdict: Fidelity, place: tuple[str, ...], value: Any) -> None:
    found = about(draft, line)
    assert found, f"{line}: not a word"
    worst = max((gap.verdict for gap in found), key=(KEPT, APPROXIMATED, DROPPED).index)
    assert worst is verdict, found
    assert all(gap.sentence for gap in found if gap.verdict is not KEPT)
    assert at(draft, place) == value
    assert all(gap in found for gap in draft.of(DROPPED))


@pytest.mark.parametrize(("line", "verdict", "place", "value"), IN_HOST)
def test_a_directive_of_a_virtual_host(line: str, verdict: Fidelity, place: tuple[str, ...], value: Any) -> None:
    check(of(host=line), line, verdict, place, value)


@pytest.mark.parametrize(("line", "verdict", "place", "value"), IN_SERVER)
def test_a_directive_of_the_server(line: str, verdict: Fidelity, place: tuple[str, ...], value: Any) -> None:
    check(of(server=line), line, verdict, place, value)


@pytest.mark.parametrize(("text", "holds"), FOLLOWED)
def test_what_is_followed(text: str, holds: bool) -> None:
    assert (at(of(server=text), (*GROUP, "python-home")) == "/venv") == holds


@pytest.mark.parametrize("section", ["<Directory /srv>", "<Location />", "<Files app.wsgi>", "<LocationMatch ^/>"])
def test_sections_decide_the_group_of_a_script(section: str) -> None:
    name = section.strip("<>").split()[0]
    text = f"{section}\nWSGIProcessGroup other\n</{name}>\nWSGIDaemonProcess other threads=3"
    assert at(of(host=text), ("groups", "other", "threads")) == 3


def test_a_part_of_the_paths_is_no_group() -> None:
    line = "LimitRequestBody 1024"
    check(of(host=f"<Location /upload>\n{line}\n</Location>"), line, DROPPED, (*GROUP, "limit-request-body"), None)


@pytest.mark.parametrize(("where", "there"), [("/", True), ("/other", False)])
def test_variables_are_of_the_applications_in_their_section(where: str, there: bool) -> None:
    draft = of(host=f"<Location {where}>\nSetEnv A b\n</Location>")
    assert at(draft, (*GROUP, "environment")) == ({"A": "b"} if there else None)
    assert (about(draft, "SetEnv A")[0].verdict is DROPPED) != there
    assert not about(draft, "SetEnv A b")[0].setting.what.endswith("b")  # which may be a secret


def test_what_a_later_line_replaces_is_not_lost() -> None:
    draft = of(host="ErrorLog /a.log\nErrorLog /b.log")
    check(draft, "ErrorLog /a.log", KEPT, (*GROUP, "error-log"), "/b.log")


VALUES = {
    "boolean": "On", "bytes": "2000000", "duration": "60", "integer": "3", "process-count": "3", "path": "/srv/x",
    "paths": "/srv/x:/srv/y", "user": "alice", "ordinary-user": "alice", "group-names": "a,b", "umask": "0027",
    "log": "/var/log/x",
}  # fmt: skip
OF_MOD_WSGI = sorted(name for name, option in OPTIONS.items() if not option.extension and name != "script-reloading")


@pytest.mark.parametrize("name", OF_MOD_WSGI)
def test_an_option_of_a_daemon_process_is_kept(name: str) -> None:
    value = VALUES.get(OPTIONS[name].kind, "x")
    found = [gap for gap in of(options=f"{name}={value}").gaps if gap.setting.what.endswith(f" {name}={value}")]
    verdicts = {gap.verdict for gap in found}
    assert verdicts
    assert verdicts <= {KEPT, APPROXIMATED}, found


@pytest.mark.parametrize("path", corpus("apache"), ids=lambda path: path.stem)
def test_every_directive_of_the_corpus_has_a_line_in_the_report(path: Any) -> None:
    draft = import_files("apache", ImportRequest((str(path),)), ForeignFiles())
    told = {gap.setting.line for gap in draft.gaps}
    files = GivenFiles({str(path): path.read_text("utf-8", "replace")})
    reader = ApacheReader(files, Draft(), {})
    reader.read(str(path))
    silent = [
        item.directive.text
        for host in reader.hosts
        if host.section is None or host.section.line not in told
        for item in host.directives
        if item.directive.line not in told
    ]
    assert not silent
    assert parse(files.files[str(path)], str(path))
