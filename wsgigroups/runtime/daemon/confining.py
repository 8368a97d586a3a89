"""Confining a daemon as its group asks, and saying what became of each wish.

Runs in the forked child: `prepare` before the drop of privileges, `enforce` after the proof of it. What cannot be done
ends the process with the mechanism's own exit code where it is required, else it is logged and reported.
"""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import Callable, Dict, Iterable, Iterator, List, Optional

from ..confinement import landlock, mounts, seccomp
from ..log import Log
from ..originals import os
from ..wire.spec import Spec
from .failure import StepError

ENFORCED, PARTLY, MISSING = "enforced", "partly", "missing"
_HOMES = ("/home", "/root", "/run/user")  # as systemd
_DEVICES = tuple("/dev/" + name for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"))
_LONGEST_REASON = 200


class Confining:
    """One process's confinement. `report` is option → [enforced, partly or missing, reason]; empty without any."""

    def __init__(self, spec: Spec, log: Log) -> None:
        self.report: Dict[str, List[str]] = {}
        self._spec = spec
        self._wanted = spec.confinement
        self._log = log
        self._rules: Optional[landlock.Ruleset] = None
        self._truncation = False  # whether a filter has to do what this kernel's Landlock does not
        self._fence: Optional[landlock.Ruleset] = None

    @contextmanager
    def _option(self, step: str, *names: str) -> Iterator[None]:
        """Do what these options ask for. Raises StepError if that fails and is required."""
        try:
            yield
        except OSError as error:
            self._failed(step, names, MISSING, str(error))
        else:
            for name in names:
                self.report.setdefault(name, [ENFORCED, ""])

    def _failed(self, step: str, names: Iterable[str], how: str, reason: str) -> None:
        for name in names:
            text = "%s is not enforced%s: %s" % (name, " as a whole" if how == PARTLY else "", reason)
            if self._wanted.required:
                raise StepError(step, "cannot confine the process as required: %s" % text)
            self._log("warning", text)
            self.report[name] = [how, reason[:_LONGEST_REASON]]

    def prepare(self) -> None:
        """Mounts, and the rules for files while their paths can be opened. Raises StepError("mounts", "landlock")."""
        if not self._wanted:
            return
        writable = self._resolved("mounts", "read-write-paths", self._wanted.read_write_paths)
        if self._mount_options():
            self._mount(writable)
        names = self._landlock_options()
        if names:
            modes = self._modes(writable)
            with self._option("landlock", *names):
                version = landlock.abi()
                if not version:
                    raise OSError(errno.ENOSYS, "this kernel has no Landlock")
                self._rules = landlock.rules_of(modes, version)
            self._truncation = self._rules is not None and not landlock.sees_truncation(version)

    def _resolved(self, step: str, option: str, paths: Iterable[str]) -> List[str]:
        """The paths without symbolic links; one that is not there, or is another user's link, is left out."""
        found = []
        for path in paths:
            try:
                found.append(mounts.resolved(path))
            except OSError as error:
                self._failed(step, [option], PARTLY, str(error))
        return found

    def _mount_options(self) -> List[str]:
        wanted = self._wanted
        asked = {
            "protect-system": wanted.protect_system != "no",
            "private-devices": wanted.private_devices,
            "protect-proc": wanted.protect_proc != "default",
            "private-tmp": wanted.private_tmp,
            "inaccessible-paths": bool(wanted.inaccessible_paths),
        }
        return [name for name, is_asked in asked.items() if is_asked]

    def _mount(self, writable: List[str]) -> None:
        wanted, names, root = self._wanted, self._mount_options(), self._spec.chroot or ""
        try:
            mounts.enter_namespace(is_root=self._spec.identity is not None and not self._spec.became)
        except OSError as error:
            self._failed("mounts", names, MISSING, "no mount namespace: %s" % error)
            return
        steps: Dict[str, Callable[[], None]] = {
            "protect-system": lambda: mounts.protect_system(wanted.protect_system, root, writable),
            "private-devices": lambda: mounts.private_devices(root),
            "protect-proc": lambda: mounts.protect_proc(wanted.protect_proc, root),
            "private-tmp": lambda: mounts.private_tmp(root),
            "inaccessible-paths": self._hide,
        }
        for name in names:
            with self._option("mounts", name):
                steps[name]()
        mounts.settle()
        version = landlock.abi()
        try:
            self._fence = landlock.fence(version) if version else None
        except OSError as error:
            self._log("warning", "no domain of Landlock: %s" % error)
        if self._fence is None:
            self._not_fenced("that takes Landlock of Linux 5.19")

    def _hide(self) -> None:
        for path in self._resolved("mounts", "inaccessible-paths", self._wanted.inaccessible_paths):
            mounts.hide(path)

    def _not_fenced(self, reason: str) -> None:
        """Say that the mounts can be got around through /proc, by those who have the same user outside."""
        names = [name for name in self._mount_options() if self.report[name][0] == ENFORCED]
        text = "processes of the same user that are outside can be looked into: " + reason
        self._failed("mounts", names, PARTLY, text)

    def _landlock_options(self) -> List[str]:
        asked = {
            "read-only-paths": bool(self._wanted.read_only_paths),
            "protect-home": self._wanted.protect_home != "no",
        }
        return [name for name, is_asked in asked.items() if is_asked]

    def _modes(self, writable: List[str]) -> Dict[str, int]:
        """What may be done below each path. The longest one decides; what is listed wins over protect-home."""
        root = self._spec.chroot or ""
        modes = dict.fromkeys(
            self._resolved("landlock", "read-only-paths", self._wanted.read_only_paths), landlock.READABLE
        )
        modes.update(dict.fromkeys(writable, landlock.WRITABLE))
        if self._wanted.protect_home != "no":
            mode = landlock.NOTHING if self._wanted.protect_home == "yes" else landlock.READABLE
            for path in _present(prefix + home for prefix in {"", root} for home in _HOMES):
                modes.setdefault(path, mode)
        for path in _present(root + path for path in _of_the_interpreter(self._spec)):
            if _mode_at(path, modes) == landlock.NOTHING:
                modes[path] = landlock.READABLE
        private = mounts.TMP if self.report.get("private-tmp", [MISSING])[0] != MISSING else ()
        for path in _present(root + path for path in (*_DEVICES, *private)):
            if _mode_at(path, modes) != landlock.WRITABLE:
                modes[path] = landlock.WRITABLE
        return modes

    def enforce(self) -> None:
        """Rules and filters, for good. Raises StepError("mounts", "landlock", "seccomp")."""
        if not self._wanted:
            return
        if self._fence is not None:
            try:
                self._fence.enforce()
            except OSError as error:
                self._not_fenced(str(error))
        if self._rules is not None:
            with self._option("landlock", *self._landlock_options()):
                self._rules.enforce()
        if self._truncation:
            try:
                seccomp.install(seccomp.truncation(seccomp.here()))
            except OSError as error:
                reason = "files can be emptied by truncate(2): %s" % error
                self._failed("landlock", self._landlock_options(), PARTLY, reason)
        families, calls, flags = self._wanted.address_families, self._wanted.system_calls, self._wanted.namespaces
        if families is not None:
            with self._option("seccomp", "restrict-address-families"):
                here = seccomp.here()
                seccomp.install(seccomp.address_families(here, families.numbers, allowed=families.allowed))
        if flags:
            with self._option("seccomp", "restrict-namespaces"):
                seccomp.install(seccomp.namespaces(seccomp.here(), flags))
        if calls is not None:  # the last one, since it may refuse to set others
            with self._option("seccomp", "system-call-filter"):
                seccomp.install(seccomp.calls(seccomp.here(), calls.numbers, allowed=calls.allowed))


def _present(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        try:
            yield mounts.resolved(path)
        except OSError:
            continue


def _mode_at(path: str, modes: Dict[str, int]) -> int:
    while True:
        if path in modes:
            return modes[path]
        if path == "/":
            return landlock.WRITABLE
        path = os.path.dirname(path)


def _of_the_interpreter(spec: Spec) -> List[str]:
    """What Python and the application are read from. A home that is nobody's choice is not among them."""
    found = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.dirname(os.path.dirname(__file__)))]
    found += [path for path in (*sys.path, *spec.python_path, os.path.dirname(os.__file__)) if path.startswith("/")]
    found += [application.target for application in spec.applications if application.kind == "script"]
    found += [path for path in (spec.python_home, spec.home if spec.home_on_path else None) if path]
    return found
