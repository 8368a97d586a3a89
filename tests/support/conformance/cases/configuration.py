"""What each side makes of an option's value: `apachectl configtest` there, `wsgigroups validate` here."""

from __future__ import annotations

import json
import subprocess

from support.conformance.apache import ACCOUNT, APACHE, MODULES
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
    path = asked.directory / "tried.conf"
    written = " ".join(f'{name}="{value}"' for name, value in options)
    modules = "".join(
        f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in ("mpm_event", "authz_core", "wsgi")
    )
    path.write_text(
        f"ServerRoot {asked.directory}\nDefaultRuntimeDir {asked.directory}\nServerName localhost\nListen 127.0.0.1:1\n"
        f"{modules}User {ACCOUNT}\nGroup {ACCOUNT}\nErrorLog {asked.directory}/log\nWSGIDaemonProcess one {written}\n"
    )
    done = subprocess.run([APACHE, "-t", "-f", str(path)], capture_output=True, timeout=60, check=False)
    return "taken" if done.returncode == 0 else "refused"


def _validated(asked: Asked, options: list[tuple[str, str]]) -> str:
    path = asked.directory / "tried.toml"
    numbers = {name: value for name, value in options if value.lstrip("-").isdigit() and name != "umask"}
    written = "".join(f"{name} = {numbers.get(name, json.dumps(value))}\n" for name, value in options)
    path.write_text(f'version = 1\n[groups.one]\nscript = "{asked.script}"\nlisten = ["127.0.0.1:1"]\n{written}')
    return "taken" if load([path]).configuration else "refused"


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
)  # fmt: skip
