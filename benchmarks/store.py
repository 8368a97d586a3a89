"""results.json: parts that may have been measured on different occasions, as one set of data.

A part is a run of loads, of switches, of costs, or of supervision. A newer run of the same case and layout takes the
place of the older one, all servers at once, since figures are compared within one run only. Parts are put together
where machine, versions and the measured code are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.load import LoadError

KINDS = ("loads", "switches", "costs", "supervision", "scale", "starts", "sites", "observing")
APART = (
    "supervision",
    "scale",
    "starts",
    "sites",
    "observing",
)  # what these measure is not, or not alone, the request path
REQUEST_PATH = ("front", "calls", "wsgi", "records", "protocol", "server.py")  # in wsgigroups/runtime
Results = dict[str, Any]


def read(path: Path) -> Results | None:
    """Return the data of results.json; None where there is none."""
    if not path.exists():
        return None
    data: Results = json.loads(path.read_text())
    return data


def read_existing(path: Path) -> Results:
    """Return the data of results.json; LoadError where there is none."""
    data = read(path)
    if data is None:
        raise LoadError(f"cannot write a report: there is no {path}")
    return data


def save(path: Path, results: Results) -> None:
    """Write results.json, whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    os.replace(beside, path)


def now() -> str:
    """Return the time as parts carry it."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def source(environment: Path) -> str:
    """Return a digest of the request path that is installed in the environment."""
    digest = hashlib.sha256()
    for runtime in sorted(environment.glob("lib/python*/site-packages/wsgigroups/runtime")):
        for path in sorted(runtime.rglob("*.py")):
            name = path.relative_to(runtime)
            if name.parts[0] in REQUEST_PATH:
                digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def check(old: Results, new: Results) -> None:
    """Raise LoadError where parts of `old` that would stay cannot be compared with `new`; the text names the reason."""
    reasons = [
        f"the machine had {name} {value!r}, and has {new['machine'].get(name)!r}"
        for name, value in old["machine"].items()
        if new["machine"].get(name) != value
    ]
    reasons += [
        f"{old['titles'][peer]} was {version}, and is {new['versions'][peer]}"
        for peer, version in old["versions"].items()
        if new["versions"].get(peer, version) != version
    ]
    measured = {part["source"] for part in new["parts"] if part["what"] not in APART}
    stays = {part["source"] for part in kept_parts(old, new) if part["what"] not in APART}
    if measured and stays - measured:
        reasons.append("the request path of wsgigroups has changed since")
    if reasons:
        raise LoadError(
            f"cannot add to results.json: {'; '.join(reasons)}. Without --merge, the measurement begins anew."
        )


def cells(parts: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the pairs of layout and case that the parts measured."""
    return {(layout, case) for part in parts for layout, case in part["cells"]}


def kept_parts(old: Results, new: Results) -> list[dict[str, Any]]:
    """Return the parts of `old` that `new` does not take the place of, each with the cells that are left to it."""
    renewed = cells(new["parts"])
    kinds = {part["what"] for part in new["parts"]}
    kept = []
    for part in old["parts"]:
        left = [cell for cell in part["cells"] if tuple(cell) not in renewed]
        if left or (part["what"] != "loads" and part["what"] not in kinds):
            kept.append({**part, "cells": left})
    return kept


def merged(old: Results | None, new: Results) -> Results:
    """Return both as one; raise LoadError where they do not go together."""
    if old is None:
        return new
    check(old, new)
    renewed = cells(new["parts"])
    samples = [sample for sample in old["samples"] if (sample["layout"], sample["case"]) not in renewed]
    versions = {**old["versions"], **new["versions"]}
    absent = {**old["absent"], **new["absent"]}
    return {
        "machine": new["machine"],
        "versions": versions,
        "titles": {**old["titles"], **new["titles"]},
        "absent": {peer: reason for peer, reason in absent.items() if peer not in versions},
        "parts": [*kept_parts(old, new), *new["parts"]],
        "samples": [*samples, *new["samples"]],
        **{kind: new.get(kind) or old.get(kind) for kind in KINDS if kind != "loads"},
    }
