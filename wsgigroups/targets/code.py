"""The identity of a group's code: what its processes would load if they started now.

Files are looked at by stat(2) first, and read only where that has changed. As root, what others can change is looked at
as the group's user. Runs in the manager, in another thread than its own; executes nothing of a tenant but the scanner.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from wsgigroups.trust.helpers import Account, HelperError, scan_files
from wsgigroups.trust.judging import ROOT_ALONE
from wsgigroups.trust.scanner import ForeignError, Known, Scan
from wsgigroups.trust.walking import doubt_about

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wsgigroups.plan.desired import GroupTarget

    _Below = Callable[[str, str, str], list[str]]

_Key = tuple[str, str | None, str | None, tuple[str, ...]]
Files = dict[str, str]  # name → digest of the content
_ADVICE = "name what matters in watch, or a release"
_DISTRIBUTIONS = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a group's code, as it was looked at. digest: "" if that could not be done."""

    digest: str
    files: Mapping[str, str]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class FoundCode:
    """The code of one group: part → digest, and what the plan should say about it."""

    parts: dict[str, str]
    notices: tuple[str, ...]


@dataclass(slots=True)
class CodeReader:
    """Looks at code and remembers what it has seen: of each account, and of what is root's alone."""

    _known: dict[int, Known] = field(default_factory=dict)
    files: dict[str, Files] = field(default_factory=dict)  # by digest, of the last look

    def read(self, targets: Iterable[GroupTarget]) -> dict[str, FoundCode]:
        """Return the code of each group that has no release of its own. Raises nothing."""
        looked: dict[tuple[int, _Key], Part] = {}  # of one look: groups share interpreters, and often code
        waiting: dict[int, tuple[Account, dict[_Key, dict[str, Any]]]] = {}
        below = functools.cache(_installed_below)  # within one look
        ordered = {
            target.name: (_account(target), orders_of(target, below)) for target in targets if not target.release
        }
        for account, orders in ordered.values():
            for order in orders.values():
                key = (account.uid, _key(order))
                if key in looked:
                    continue
                part = self._here(order)
                if part is not None:
                    looked[key] = part
                else:
                    waiting.setdefault(account.uid, (account, {}))[1][key[1]] = order
        for account, theirs in waiting.values():
            for asked, part in self._as(account, theirs).items():
                looked[account.uid, asked] = part
        self.files = {part.digest: dict(part.files) for part in looked.values() if part.digest}
        found = {}
        for name, (account, orders) in ordered.items():
            parts = {label: looked[account.uid, _key(order)] for label, order in orders.items()}
            found[name] = FoundCode(
                {label: part.digest for label, part in parts.items() if part.digest},
                tuple(part.notice for part in parts.values() if part.notice),
            )
        return found

    def _here(self, order: dict[str, Any]) -> Part | None:
        """Look at it ourselves; None where that is for the group's user to do."""
        root = os.geteuid() == 0
        places = order.get("directories") or [order["path"]]
        if root and any(doubt_about(place, ROOT_ALONE) for place in places):
            return None
        scan = Scan(self._known.get(-1, {}), root_alone=root)
        try:
            files, bounded = scan.run(order)
        except ForeignError:
            return None
        except (TimeoutError, OSError) as error:
            return _unknown(order, str(error))
        self._known.setdefault(-1, {}).update(scan.seen)
        return _part(files, bounded)

    def _as(self, account: Account, orders: dict[_Key, dict[str, Any]]) -> dict[_Key, Part]:
        question = {"orders": list(orders.values()), "known": self._known.get(account.uid, {})}
        try:
            answer = scan_files(account, question)
        except HelperError as error:
            return {key: _unknown(order, str(error)) for key, order in orders.items()}
        self._known[account.uid] = answer["seen"]
        parts = {}
        for (key, order), said in zip(orders.items(), answer["answers"], strict=True):
            if "error" in said:
                parts[key] = _unknown(order, str(said["error"]))
            else:
                parts[key] = _part(said.get("files", {}), str(said.get("bounded", "")))
        return parts


def with_code(target: GroupTarget, found: FoundCode | None) -> GroupTarget:
    """Return a target with the code that was found for it."""
    if found is None:
        return target
    return replace(target, code=found.parts, notices=(*target.notices, *found.notices))


def orders_of(target: GroupTarget, below: _Below | None = None) -> dict[str, dict[str, Any]]:
    """Return what is to be looked at for a group, by the name of the part. below: where a prefix has distributions."""
    below = below or _installed_below
    spec = target.spec
    inside = spec.chroot or ""
    orders: dict[str, dict[str, Any]] = {}
    own = [*([spec.home] if spec.home_on_path and spec.home else []), *spec.python_path]
    own = [f"{inside}{directory}" for directory in own]
    sources = [directory for directory in own if os.path.basename(directory.rstrip("/")) not in _DISTRIBUTIONS]
    home, version = (f"{inside}{spec.python_home}" if spec.python_home else ""), target.spawner.version
    installed = [*(item for item in own if item not in sources), *below(home, target.spawner.executable, version)]
    for application in spec.applications:
        at = "" if application.mount == "/" else f" at {application.mount}"
        if application.kind == "script":
            if not spec.script_reloading:  # else it is watched while it runs
                orders[f"script{at}"] = {"what": "tree", "path": f"{inside}{application.target}"}
        elif not target.watch:
            package = re.split(r"[.:]", application.target, maxsplit=1)[0]
            orders[f"application{at}"] = {"what": "package", "package": package, "directories": [*own, *installed]}
    for path in target.watch:
        orders[f"watch {path}"] = {"what": "tree", "path": f"{inside}{path}"}
    if not target.watch:
        for directory in sources:
            orders[f"code in {directory}"] = {"what": "code", "path": directory}
    orders["interpreter"] = {"what": "tree", "path": target.spawner.executable}
    for directory in installed:
        orders[f"distributions in {directory}"] = {"what": "installed", "path": directory}
    return orders


def _installed_below(home: str, executable: str, version: str) -> list[str]:
    """Where a prefix has its distributions: as `site` says, and Debian's site. home: "" for the interpreter's own."""
    prefix = home or os.path.dirname(os.path.dirname(os.path.realpath(executable)))
    short = ".".join(version.split(".")[:2])
    names = [f"lib/python{short}/site-packages", f"local/lib/python{short}/dist-packages", "lib/python3/dist-packages"]
    return [place for place in (os.path.join(prefix, name) for name in names) if os.path.isdir(place)]


def _account(target: GroupTarget) -> Account:
    identity = target.spec.identity
    if identity is None:
        return Account(os.geteuid(), os.getegid(), (), "")
    return Account(identity.uid, identity.gid, tuple(identity.groups), target.user or "")


def _key(order: dict[str, Any]) -> _Key:
    """What two orders of the same have in common."""
    return order["what"], order.get("path"), order.get("package"), tuple(order.get("directories", ()))


def _part(files: Mapping[str, Any], bounded: str) -> Part:
    texts = {str(name): str(digest) for name, digest in files.items()}
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    notice = f"not all of its code is compared: {bounded}; {_ADVICE}" if bounded else ""
    return Part(digest, texts, notice)


def _unknown(order: dict[str, Any], why: str) -> Part:
    what = order.get("path") or order["package"]
    return Part("", {}, f"its code is not compared: {what}: {why}; {_ADVICE}")
