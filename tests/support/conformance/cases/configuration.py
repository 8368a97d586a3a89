"""What each side makes of values and of names: `apachectl configtest` there, `wsgigroups validate` here.

Where Apache takes a name and finds out at a request, it is asked one.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

from support.apache import APACHE, MODULES
from support.conformance.apache import ACCOUNT
from support.conformance.asking import Asked
from support.conformance.case import Case, Facts, better, on_purpose

from wsgigroups.config import load

_TRIED = (
    ("threads", "2"), ("processes", "0"), ("threads", "0"), ("threads", "two"), ("umask", "0999"), ("home", "srv/www"),
    ("user", "root"), ("shutdown-timeout", "-1"), ("header-buffer-size", "100"), ("cpu-priority", "99"),
    ("no-such-option", "1"),
)  # fmt: skip


def _tried(asked: Asked) -> Facts:
    test = _validated if asked.ours else _tested
    facts = {f"`{name} = {value}`": test(asked, [(name, value)]) for name, value in _TRIED}
    both = [("script-user", "root"), ("script-group", "root")]
    return {**facts, "`script-user` and `script-group`": test(asked, both)}


def _tested(asked: Asked, options: list[tuple[str, str]]) -> str:
    """Ask Apache."""
    return _test(asked, "WSGIDaemonProcess one " + " ".join(f'{name}="{value}"' for name, value in options))


def _test(asked: Asked, lines: str) -> str:
    path = asked.directory / "tried.conf"
    modules = "".join(
        f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in ("mpm_event", "authz_core", "wsgi")
    )
    path.write_text(
        f"ServerRoot {asked.directory}\nDefaultRuntimeDir {asked.directory}\nServerName localhost\nListen 127.0.0.1:1\n"
        f"{modules}User {ACCOUNT}\nGroup {ACCOUNT}\nErrorLog {asked.directory}/log\n{lines}\n"
    )
    done = subprocess.run([APACHE, "-t", "-f", str(path)], capture_output=True, timeout=60, check=False)
    return "taken" if done.returncode == 0 else "refused"


def _validated(asked: Asked, options: list[tuple[str, str]]) -> str:
    numbers = {name: value for name, value in options if value.lstrip("-").isdigit() and name != "umask"}
    written = "".join(f"{name} = {numbers.get(name, json.dumps(value))}\n" for name, value in options)
    return _validate(asked, f'[groups.one]\nscript = "{asked.script}"\nlisten = ["127.0.0.1:1"]\n{written}')


def _validate(asked: Asked, lines: str, *, code: str = "") -> str:
    """Ask ourselves. code: for which it is to be refused."""
    path = asked.directory / "tried.toml"
    path.write_text(f"version = 1\n{lines}")
    found = load([path])
    assert not code or code in {item.code for item in found.diagnostics}, found.diagnostics
    return "taken" if found.configuration else "refused"


_HOSTS = ("one.example.org", "two.example.org")


def _named(asked: Asked) -> Facts:
    """Names that lead nowhere, or where they may not."""
    if asked.ours:
        first, second = (f'[sites."{host}"]\nlisten = ["127.0.0.1:{port}"]\n' for port, host in enumerate(_HOSTS, 2))
        own, other = (f'[sites."{host}".groups.one]\napp = "one:application"\n' for host in _HOSTS)
        return _delegation(
            _validate(asked, first + _mount("one") + second + _mount("one") + own + other, code="WG0408"),
            _validate(asked, first + _mount("one") + second + _mount("one") + own, code="WG0405"),
            _validate(asked, first + _mount("%{ENV:NOT_SET}"), code="WG0404"),
            _validate(asked, first + _mount(""), code="WG0406"),
        )
    hosts = [f"<VirtualHost *:1>\nServerName {host}\n{{}}\n</VirtualHost>\n" for host in _HOSTS]
    group = "WSGIDaemonProcess one"
    twice = _test(asked, "".join(hosts).format(group, group))
    foreign = _test(asked, "".join(hosts).format(group, f"WSGIProcessGroup one\nWSGIScriptAlias / {asked.script}"))
    requests = (replace(asked, prefix=f"/named-{name}").get("/pid").outcome for name in ("unset", "restricted"))
    return _delegation(twice, foreign, *(f"taken, and {outcome} for a request" for outcome in requests))


def _delegation(twice: str, foreign: str, unset: str, restricted: str) -> Facts:
    return {
        "two groups of one name, in two sites": twice,
        "a group that is defined in the site of another server name": foreign,
        "`process-group = %{ENV:NOT_SET}`": unset,
        "an application without a group, where `WSGIRestrictProcess` is without `%{GLOBAL}`": restricted,
    }


def _mount(group: str) -> str:
    of = f', process-group = "{group}"' if group else ""
    return f'mounts = [{{path = "/", app = "one:application"{of}}}]\n'


_LOCATIONS = """
WSGIScriptAlias /named-unset SCRIPT
<Location /named-unset>
    WSGIProcessGroup %{ENV:NOT_SET}
</Location>
WSGIScriptAlias /named-restricted SCRIPT
<Location /named-restricted>
    WSGIRestrictProcess named
</Location>
"""


CASES = (
    Case(
        "tried", "Values of options", _tried,
        apart={
            **better("What is no number is an error with its place; mod_wsgi takes it for 0, which switches off.",
                     "`threads = two`"),
            **on_purpose("There is no process that only runs a service script.", "`threads = 0`"),
            **better("It is an error with its place; the kernel would take it for 19.", "`cpu-priority = 99`"),
            **on_purpose("It is taken from the directory of the file that says it.", "`home = srv/www`"),
        },
    ),
    Case(
        "named", "Names of groups", _named, apache=_LOCATIONS,
        apart=better(
            "What leads nowhere, or where it may not, is an error with its place before anything runs.",
            "a group that is defined in the site of another server name", "`process-group = %{ENV:NOT_SET}`",
            "an application without a group, where `WSGIRestrictProcess` is without `%{GLOBAL}`",
        ),
    ),
)  # fmt: skip
