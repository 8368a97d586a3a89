"""The host that we run on. Runs in the command line; executes nothing but interpreters, as a group's own user."""

from __future__ import annotations

import grp
import importlib.util
import itertools
import json
import os
import pwd
import resource
import socket
import stat
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.environment_files import MAXIMUM_FILE_BYTES, refused_line
from wsgigroups.host.interface import HIDDEN, SoughtApplication, UnknownError, Viewer
from wsgigroups.host.interpreters import can_execute, can_read, find_interpreter
from wsgigroups.host.programs import find_nginx
from wsgigroups.trust.certificates import MAXIMUM_PAGE_BYTES, PairError, read_pair
from wsgigroups.trust.helpers import STRANGER, Account, HelperError, read_file, run_helper
from wsgigroups.trust.interpreters import doubt_about_interpreter
from wsgigroups.trust.validity import days_left
from wsgigroups.trust.walking import untrusted_component

PROBE_TIMEOUT_S = 20.0
_MAXIMUM_ANSWER_BYTES = 16 * 1024 * 1024


class RealHost:
    """Answers from the system, and remembers every answer: what was asked can be recorded."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self._applications: dict[str, dict[str, Any]] = {}

    def ask(self, question: str, *arguments: str) -> Any:
        """Answer, from memory the second time."""
        known = self.answers.setdefault(question, {})
        key = json.dumps(arguments)
        if key not in known:
            known[key] = getattr(self, f"_{question}")(*arguments)
        return known[key]

    def prepare(self, applications: list[SoughtApplication]) -> None:
        """Start each interpreter once per identity for all that it shall look at."""
        together: dict[tuple[str, str], list[SoughtApplication]] = {}
        for application in applications:
            together.setdefault((application.python_home, application.identity), []).append(application)
        for (python_home, identity), members in together.items():
            answers = _probe(self.ask("interpreter", python_home), identity, members)
            for member, answer in zip(members, answers, strict=True):
                self._applications[member.key()] = answer

    def _privileged(self) -> bool:
        return os.geteuid() == 0

    def _user(self, name: str) -> dict[str, Any] | None:
        try:
            entry = pwd.getpwuid(int(name[1:])) if name.startswith("#") else pwd.getpwnam(name)
        except (KeyError, OverflowError):
            return None
        return {"name": entry.pw_name, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir}

    def _group(self, name: str) -> int | None:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def _names(self, what: str) -> list[str]:
        if what == "users":
            return sorted(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid)
        return sorted(entry.gr_name for entry in grp.getgrall() if entry.gr_gid)

    def _limits(self) -> dict[str, Any]:
        soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        return {
            "somaxconn": _number("/proc/sys/net/core/somaxconn"),
            "unprivileged_port": _number("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
            "nproc": None if soft == resource.RLIM_INFINITY else soft,
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "ngroups_max": os.sysconf("SC_NGROUPS_MAX"),
        }

    def _addresses(self) -> list[str]:
        return sorted({"127.0.0.1", "::1", *_local_v4(), *_local_v6()})

    def _locales(self) -> list[str]:
        try:
            done = subprocess.run(
                ["/usr/bin/locale", "-a"],
                capture_output=True,
                timeout=10,
                check=False,
                env={},
                text=True,
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        return sorted(line for line in done.stdout.splitlines() if line)

    def _path(self, path: str) -> str | None:
        try:
            found = os.stat(path)
        except PermissionError:
            return HIDDEN if self.ask("privileged") else None
        except (OSError, ValueError):
            return None
        return "directory" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "other"

    def _blocked(self, purpose: str, path: str, identity_key: str) -> str | None:
        if not identity_key:
            mode = {"use": os.X_OK, "read": os.R_OK, "write": os.W_OK | os.X_OK}[purpose]
            return None if os.access(path, mode) else path
        identity = Viewer.of_key(identity_key)
        who = (identity.uid, identity.gid, identity.groups)
        if purpose == "write":
            found = can_execute(Path(path), *who)
            if found is True and not _may_write(path, identity):
                return path
        else:
            found = (can_execute if purpose == "use" else can_read)(Path(path), *who)
        return None if found is True else str(found) if isinstance(found, Path) else path

    def _untrusted(self, path: str) -> str | None:
        found = untrusted_component(Path(path))
        return str(found) if found else None

    def _refused_line(self, file: str) -> tuple[str, str] | None:
        if os.geteuid() == 0 and untrusted_component(Path(file)):
            return None  # root reads nothing where another user may put a link; it is read as the group's user later
        try:
            with open(file, "rb") as opened:
                return refused_line(opened.read(MAXIMUM_FILE_BYTES).decode(errors="replace"))
        except OSError:
            return None

    def _certificate(self, certificate: str, key: str, identity_key: str) -> dict[str, Any]:
        try:
            pair = read_pair(certificate, key, _account(identity_key))
        except PairError as error:
            return {"problem": str(error), "option": error.option}
        at = datetime.fromtimestamp(pair.expires_at, timezone.utc).isoformat(timespec="seconds")
        left = days_left(pair.expires_at, time.time())
        return {"problem": None, "days_left": left, "expires_at": at.replace("+00:00", "Z")}

    def _lacks_acme(self) -> bool:
        return any(importlib.util.find_spec(name) is None for name in ("acme", "josepy", "cryptography"))

    def _lacks_nginx(self) -> bool:
        return not find_nginx()

    def _page(self, file: str, identity_key: str) -> str | None:
        try:
            read_file(file, _account(identity_key), MAXIMUM_PAGE_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            return str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8"
        return None

    def _open_to_others(self, file: str) -> bool:
        return can_read(Path(file), STRANGER.uid, STRANGER.gid, STRANGER.groups) is True

    def _environment(self, python_home: str) -> dict[str, Any]:
        try:
            find_interpreter(Path(python_home))
        except WsgigroupsError as error:
            return {"error": error.message.removeprefix("cannot use "), "hint": error.hint}
        return {}

    def _interpreter(self, python_home: str) -> dict[str, Any]:
        home = Path(python_home) if python_home else own_environment()
        try:
            found = find_interpreter(home)
        except WsgigroupsError as error:
            return {"error": error.message.removeprefix("cannot use "), "hint": error.hint}
        version = ".".join(map(str, found.version)) if found.version else None
        doubt = doubt_about_interpreter(found.executable) if self.ask("privileged") else None
        return {
            "executable": str(found.executable),
            "python_home": str(found.python_home) if found.python_home else None,
            "kind": found.kind,
            "doubt": str(doubt) if doubt else None,
            "version": version,
        }

    def _application(self, key: str) -> dict[str, Any]:
        if key not in self._applications:
            raise UnknownError(key)
        return self._applications[key]


def own_environment() -> Path | None:
    """The environment that wsgigroups runs in, where it is one."""
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def _account(identity_key: str) -> Account:
    """Who reads what is not root's alone; without an identity whoever checks, as root a stranger."""
    if identity_key:
        identity = Viewer.of_key(identity_key)
        return Account(identity.uid, identity.gid, identity.groups)
    return STRANGER if os.geteuid() == 0 else Account(os.geteuid(), os.getegid())


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read(64))
    except (OSError, ValueError):
        return None


def _may_write(path: str, identity: Viewer) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    if identity.uid == found.st_uid:
        return bool(found.st_mode & stat.S_IWUSR)
    if found.st_gid == identity.gid or found.st_gid in identity.groups:
        return bool(found.st_mode & stat.S_IWGRP)
    return bool(found.st_mode & stat.S_IWOTH)


def _local_v4() -> list[str]:
    """Addresses from /proc/net/fib_trie: each "/32 host LOCAL" line follows its address."""
    try:
        with open("/proc/net/fib_trie", encoding="ascii", errors="replace") as file:
            lines = file.read(4 * 1024 * 1024).splitlines()
    except OSError:
        return []
    found = []
    for before, line in itertools.pairwise(lines):
        if "/32 host LOCAL" in line and "|--" in before:
            found.append(before.split("|--")[1].strip())
    return found


def _local_v6() -> list[str]:
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            lines = file.read(1024 * 1024).splitlines()
    except OSError:
        return []
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in lines if line.strip()]


def _probe(
    interpreter: dict[str, Any], identity_key: str, applications: list[SoughtApplication]
) -> list[dict[str, Any]]:
    """Ask the interpreter. As root always as the group's user: what it finds belongs to a tenant."""
    if "error" in interpreter:
        return _unchecked(applications, "its interpreter cannot be used")
    account = None
    if os.geteuid() == 0:
        if not identity_key:
            return _unchecked(applications, "root looks at no application, and the group's user is not known")
        identity = Viewer.of_key(identity_key)
        account = Account(identity.uid, identity.gid, identity.groups)
    questions = [
        {
            "kind": application.kind,
            "target": application.target,
            "callable_object": application.callable_object,
            "directories": list(application.directories),
            "prefix": interpreter["python_home"] or "",
        }
        for application in applications
    ]
    with open(Path(__file__).with_name("probe.py"), encoding="utf-8") as file:
        program = file.read()
    status = 0
    try:
        status, output = run_helper(
            account,
            [interpreter["executable"], "-I", "-S", "-c", program],
            json.dumps(questions).encode(),
            PROBE_TIMEOUT_S,
            _MAXIMUM_ANSWER_BYTES,
        )
        answers = json.loads(output)["answers"]
    except HelperError as error:
        return _unchecked(applications, f"the interpreter said nothing of use: {error}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return _unchecked(applications, f"the interpreter ended with status {status}")
    if not isinstance(answers, list) or len(answers) != len(applications):
        return _unchecked(applications, "the interpreter gave no answer")
    return [item if isinstance(item, dict) else {"problem": "unchecked", "message": "odd answer"} for item in answers]


def _unchecked(applications: list[SoughtApplication], why: str) -> list[dict[str, Any]]:
    return [{"problem": "unchecked", "message": why} for _ in applications]
