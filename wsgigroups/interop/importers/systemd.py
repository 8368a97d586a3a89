"""Units of systemd that run gunicorn, uwsgi or mod_wsgi-express. Pure.

The form is that of systemd.syntax(7); options have their names of systemd.exec(5) and systemd.resource-control(5),
which groups have in other letters.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.shape import OPTIONS
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import StartCommand, commands_of
from wsgigroups.interop.importers.draft import Draft, ForeignSetting, one_line
from wsgigroups.interop.importers.started import Started
from wsgigroups.interop.importers.starting import put_program_start
from wsgigroups.interop.importers.values import address, joined, number, numbered, octal, size_in_bytes

if TYPE_CHECKING:
    from typing import Any

    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|sec|min|m|h|hr|d|)(?:onds?|econds?|utes?|ours?|ays?)?", re.IGNORECASE)
_SECONDS = {"us": 1e-6, "ms": 0.001, "s": 1, "sec": 1, "": 1, "min": 60, "m": 60, "h": 3600, "hr": 3600, "d": 86400}
# option of a unit → option of a group, by how its value is read
_TEXTS = {
    "ProtectHome": "protect-home", "ProtectSystem": "protect-system", "ProtectProc": "protect-proc",
}  # fmt: skip
_SWITCHES = {"PrivateTmp": "private-tmp", "PrivateDevices": "private-devices"}
_LISTS = {
    "ReadOnlyPaths": "read-only-paths", "ReadWritePaths": "read-write-paths", "InaccessiblePaths": "inaccessible-paths",
    "ReadOnlyDirectories": "read-only-paths", "ReadWriteDirectories": "read-write-paths",
    "InaccessibleDirectories": "inaccessible-paths", "RestrictAddressFamilies": "restrict-address-families",
    "SystemCallFilter": "system-call-filter",
}  # fmt: skip
_SIZES = {
    "MemoryHigh": "memory-high", "MemoryMax": "memory-max", "MemoryLimit": "memory-max", "LimitFSIZE": "limit-fsize",
    "LimitCORE": "limit-core", "LimitDATA": "memory-limit", "LimitAS": "virtual-memory-limit",
}  # fmt: skip
_NUMBERS = {
    "LimitNOFILE": "limit-nofile", "LimitNPROC": "limit-nproc", "TasksMax": "tasks-max", "CPUWeight": "cpu-weight",
    "Nice": "cpu-priority",
}  # fmt: skip
_HANDLED = frozenset(
    {
        *_TEXTS, *_SWITCHES, *_LISTS, *_SIZES, *_NUMBERS, "User", "Group", "SupplementaryGroups", "UMask", "CPUQuota",
        "TimeoutStopSec", "StandardOutput", "StandardError", "EnvironmentFile", "RestrictNamespaces", "RootDirectory",
    }
)  # fmt: skip
_NEEDLESS = frozenset(
    {
        "ExecStart", "WorkingDirectory", "Environment", "Type", "Restart", "RestartSec", "ExecReload", "ExecStop",
        "KillMode",
        "KillSignal", "PIDFile", "NotifyAccess", "NoNewPrivileges", "RuntimeDirectory", "RuntimeDirectoryMode",
        "SyslogIdentifier",
        "StartLimitInterval", "StartLimitBurst", "StartLimitIntervalSec", "TimeoutSec", "TimeoutStartSec",
        "RemainAfterExit",
        "LockPersonality", "RestrictRealtime", "RestrictSUIDSGID", "CapabilityBoundingSet", "AmbientCapabilities",
        "SystemCallArchitectures", "ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups",
        "ProtectClock",
        "ProtectHostname", "ProtectKernelLogs", "Slice", "SendSIGKILL", "StandardInput", "Delegate", "RemoveIPC",
        "SystemCallErrorNumber", "PrivateMounts", "ExecStopPost", "SuccessExitStatus", "FinalKillSignal",
    }
)  # fmt: skip
_SENTENCES = {
    "ExecStartPre": "commands before the start belong into the unit of the manager",
    "ExecStartPost": "commands behind the start belong into the unit of the manager",
    "WatchdogSec": "the manager has a watchdog of its own; deadlock-timeout looks after processes",
    "MemoryDenyWriteExecute": "nothing here stands for it",
    "PrivateNetwork": "restrict-address-families says what sockets there may be",
    "DynamicUser": "user names an account that is there",
    "StateDirectory": "make the directory, and name it in read-write-paths where it has to be written",
    "LogsDirectory": "error-log names a file; its directory must be there",
    "CacheDirectory": "make the directory, and name it in read-write-paths where it has to be written",
    "LoadCredential": "environment-files has secrets that are read when the configuration is applied",
    "OOMScoreAdjust": "processes have that of the manager's unit",
}


@dataclass(frozen=True, slots=True)
class UnitLine:
    """One assignment of a unit."""

    section: str
    name: str
    value: str
    setting: ForeignSetting


def import_systemd(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read .service units; a .socket unit of the same name says where they listen. Raises WsgigroupsError."""
    draft = Draft()
    for path in request.files:
        files = surroundings.matching(posixpath.join(path, "*.service")) if surroundings.is_directory(path) else [path]
        for file in files:
            if not file.endswith(".socket"):
                _unit(draft, file, request, surroundings)
    return draft


def _unit(draft: Draft, path: str, request: ImportRequest, surroundings: ImportSurroundings) -> None:
    text = surroundings.text(path)
    if text is None:
        raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
    name = posixpath.basename(path).removesuffix(".service")
    lines = _lines(text, path, name)
    for extra in surroundings.matching(f"{path}.d/*.conf"):
        lines += _lines(surroundings.text(extra) or "", extra, name)
    service = [line for line in lines if line.section == "Service"]
    starts = [line for line in service if line.name == "ExecStart" and line.value]
    commands: list[tuple[UnitLine, StartCommand]] = [
        (line, found) for line in starts for found in commands_of(_plain(line.value))
    ]
    if not commands:
        setting = starts[-1].setting if starts else ForeignSetting(name, path)
        draft.drop(setting, f"no program that is known here: leave {name} with systemd")
        return
    line, command = commands[-1]
    directory = next((item.value for item in reversed(service) if item.name == "WorkingDirectory" and item.value), "/")
    directory = directory.removeprefix("-").replace("~", "/")
    variables = {**_variables(service), **command.variables}
    start = Started(
        command, line.setting, joined(directory, command.directory), variables,
        re.sub(r"@.*", "", name) if name not in ("gunicorn", "uwsgi") else "", request.app,
    )  # fmt: skip
    place = put_program_start(draft, start, surroundings)
    if place is None:
        return
    _Writer(draft, place, service).run()
    socket = surroundings.text(path.removesuffix(".service") + ".socket")
    if socket is not None:
        _sockets(draft, place, _lines(socket, path.removesuffix(".service") + ".socket", name))


class _Writer:
    def __init__(self, draft: Draft, place: Place, lines: list[UnitLine]) -> None:
        self._draft = draft
        self._place = place
        self._lines = lines

    def run(self) -> None:
        files: list[str] = []
        for line in self._lines:
            name, value, setting = line.name, line.value, line.setting
            if name in _NEEDLESS:
                self._draft.needless(
                    setting if name != "Environment" else ForeignSetting("Environment", setting.file, setting.line)
                )
            elif name not in _HANDLED:
                self._draft.drop(setting, _SENTENCES.get(name, "nothing here stands for it"))
            elif name == "EnvironmentFile":
                if value.startswith("-"):
                    self._put("environment-files", [*files, value[1:]], setting, "the file has to be there")
                else:
                    self._put("environment-files", [*files, value], setting)
                files = list(self._draft.table(self._place)["environment-files"])
            elif value:
                self._one(name, value, setting)

    def _put(self, option: str, value: Any, setting: ForeignSetting, sentence: str = "") -> None:
        self._draft.put(self._place, option, value, setting, sentence)

    def _one(self, name: str, value: str, setting: ForeignSetting) -> None:
        if name in ("User", "Group"):
            self._put(name.lower(), numbered(value), setting)
        elif name == "SupplementaryGroups":
            self._put("supplementary-groups", [numbered(part) for part in value.split()], setting)
        elif name == "UMask":
            self._put("umask", octal(value), setting)
        elif name == "RootDirectory":
            self._put("chroot", value, setting)
        elif name == "CPUQuota":
            self._put("cpu-quota", value, setting)
        elif name in _TEXTS:
            self._put(_TEXTS[name], value.lower().replace("true", "yes").replace("false", "no"), setting)
        elif name in _SWITCHES:
            option = OPTIONS[_SWITCHES[name]]
            on = value.lower() in ("yes", "true", "on", "1")
            self._put(option.name, on if option.kind == "boolean" else value.lower(), setting)
        elif name in _LISTS:
            self._list(_LISTS[name], value, setting)
        elif name in _SIZES:
            self._size(_SIZES[name], value, setting)
        else:
            self._other(name, value, setting)

    def _other(self, name: str, value: str, setting: ForeignSetting) -> None:
        if name == "RestrictNamespaces":
            on = value.lower() in ("yes", "true")
            self._put("restrict-namespaces", on or value.split(), setting)
        elif name in _NUMBERS:
            found = number(value.partition(":")[0])
            if found is None:
                self._draft.drop(setting, "no number: there is no limit without the option")
            else:
                self._put(_NUMBERS[name], found, setting)
        elif name == "TimeoutStopSec":
            self._patience(value, setting)
        elif name in ("StandardOutput", "StandardError"):
            self._output(value, setting)

    def _list(self, option: str, value: str, setting: ForeignSetting) -> None:
        items = value.split()
        if option.endswith("-paths"):
            items = [re.sub(r"^[-+]+", "", item) for item in items]
        before = list(self._draft.table(self._place).get(option, []))
        if before and items[0].startswith("~") != str(before[0]).startswith("~"):
            self._draft.drop(setting, "a list that takes some out of another: write what is left")
            return
        self._put(
            option, list(dict.fromkeys([*before, *(item.lstrip("~") if before else item for item in items)])), setting
        )

    def _size(self, option: str, value: str, setting: ForeignSetting) -> None:
        size = size_in_bytes(value.partition(":")[0])
        if size is None:
            self._draft.drop(setting, "no size: there is no limit without the option")
        else:
            self._put(option, size, setting)

    def _patience(self, value: str, setting: ForeignSetting) -> None:
        seconds = seconds_of(value)
        patience = self._draft.table(self._place).get("shutdown-timeout")
        if seconds is None or seconds >= (patience or 0) > 0:
            self._draft.needless(setting)
        else:
            self._put("shutdown-timeout", seconds, setting)

    def _output(self, value: str, setting: ForeignSetting) -> None:
        kind, _, path = value.partition(":")
        log = self._draft.table(self._place).get("error-log")
        if kind in ("file", "append", "truncate") and log in (None, "/dev/stderr", "/dev/stdout"):
            self._put("error-log", path, setting)
        elif kind in ("syslog", "journal", "journal+console", "inherit", "null", "tty", "syslog+console"):
            self._draft.default(self._place, "error-log", "/dev/stderr", "the manager's stderr, which is the journal's")
            self._draft.note((*self._place, "error-log"), setting)
        else:
            self._draft.note((*self._place, "error-log"), setting, "both streams of a process go to the group's log")


def _sockets(draft: Draft, place: Place, lines: list[UnitLine]) -> None:
    listen: list[str] = []
    for line in lines:
        if line.section != "Socket":
            continue
        if line.name == "ListenStream" and line.value:
            found = address(line.value, 8000)
            if found is None:
                draft.drop(line.setting, "no address that can be listened on here")
                continue
            listen.append(found)
            draft.put(place, "listen", list(dict.fromkeys(listen)), line.setting)
            if found.startswith("unix:"):
                before = draft.table(place).get("trusted-proxies", [])
                draft.put(place, "trusted-proxies", list(dict.fromkeys([*before, "unix"])), line.setting)
        elif line.name == "SocketUser":
            draft.put(place, "socket-user", numbered(line.value), line.setting)
        elif line.name == "Backlog" and number(line.value):
            draft.put(place, "listen-backlog", number(line.value), line.setting)
        elif line.name in ("SocketMode", "SocketGroup"):
            draft.drop(line.setting, "sockets have mode 0600: socket-user says who connects")
        else:
            draft.needless(line.setting)


def seconds_of(text: str) -> float | None:
    """A time as systemd.time(7) writes it: `90`, `1min 30s`; None for infinity and what is none."""
    parts = _TIME.findall(text)
    if not parts or re.sub(_TIME, "", text).strip():
        return None
    total = sum(float(amount) * _SECONDS[unit.lower()] for amount, unit in parts)
    return int(total) if total == int(total) else total


def _lines(text: str, path: str, name: str) -> list[UnitLine]:
    found: list[UnitLine] = []
    section, begun, first = "", "", 0
    for number_, raw in enumerate(text.splitlines(), 1):
        if begun and raw.lstrip().startswith(("#", ";")):
            continue  # comments between continued lines, systemd.syntax(7)
        first = first if begun else number_
        line = begun + raw.strip()
        if line.endswith("\\"):
            begun = line[:-1].rstrip() + " "
            continue
        begun = ""
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, _, value = line.partition("=")
        value = _specifiers(value.strip(), name)
        found.append(
            UnitLine(section, key.strip(), value, ForeignSetting(one_line(f"{key.strip()}={value}"), path, first))
        )
    return found


def _specifiers(text: str, name: str) -> str:
    prefix, _, instance = name.partition("@")
    known = {"n": f"{name}.service", "N": name, "p": prefix, "i": instance, "I": instance, "t": "/run", "%": "%",
             "S": "/var/lib", "L": "/var/log", "C": "/var/cache", "E": "/etc", "h": "/root"}  # fmt: skip
    return re.sub(r"%([a-zA-Z%])", lambda found: known.get(found[1], found[0]) or found[0], text)


def _plain(value: str) -> str:
    """A command without the signs that systemd takes before it."""
    return re.sub(r"^[@\-:+!|]+", "", value)


def _variables(lines: list[UnitLine]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if line.name != "Environment":
            continue
        try:
            words = shlex.split(line.value)
        except ValueError:
            words = line.value.split()
        found.update({key: value for key, equals, value in (word.partition("=") for word in words) if equals})
    return found
