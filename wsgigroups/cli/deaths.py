"""How processes ended, for people: a sentence for each death, and below it what the process was doing.

Runs in the user's process. What a tenant wrote is clean when it leaves here.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wsgigroups.client import Client
    from wsgigroups.client.answers import DeathAnswer, FrameAnswer, RequestAtDeathAnswer

# Of each cause what the process did, and which field of the record says more.
_DID = {
    "crashed": ("crashed", "signal"),
    "killed": ("was killed", "signal"),
    "out-of-memory": ("ran out of memory", "message"),
    "exited": ("exited by itself", "exit"),
    "not-started": ("did not start", "message"),
    "startup-timeout": ("was ended on its way up", "message"),
    "deadlock-timeout": ("was ended", "message"),
    "request-timeout": ("was ended", "message"),
    "board": ("was ended", "message"),
    "reports": ("was ended", "message"),
    "cut-off": ("was cut off on its way out", "reason"),
    "recycled": ("was recycled", "reason"),
    "replaced": ("was replaced", "reason"),
    "stopped": ("was stopped", "reason"),
    "unknown": ("ended, and nobody knows how", "message"),
}
_SAID = {"replaced": ("replaced",), "stopped": ("stop",)}  # reasons that say no more than the cause
_SHOWN = 5  # requests of one death, without --stacks


def asked_for(client: Client, group: str, slot: int, limit: int) -> list[DeathAnswer]:
    """Ask the manager. One of an earlier version knows of no deaths."""
    try:
        return client.deaths(f"?{urlencode({'group': group, 'slot': slot, 'limit': limit})}")["deaths"]
    except WsgigroupsError as error:
        if error.exit_code is ExitCode.USAGE:
            return []
        raise


def left_behind(state_dir: Path, group: str, slot: int, limit: int) -> list[DeathAnswer]:
    """Read what the last manager has stored."""
    from wsgigroups.manager import death_store
    from wsgigroups.manager.control.showing_deaths import document

    found = death_store.chosen(death_store.read(state_dir), group, slot, limit)
    answer: Any = document(found, logs=True).model_dump(mode="json")
    return cast("list[DeathAnswer]", answer["deaths"])


def sentences(deaths: Sequence[DeathAnswer], *, stacks: bool) -> Iterator[str]:
    """Return the lines, the newest death last; stacks: with all that is known."""
    for death in deaths:
        yield f"  {clean(sentence(death))}"
        if stacks or not _is_quiet(death):
            for line in _details(death, stacks=stacks):
                yield f"      {clean(line, chr(9))}"


def sentence(death: DeathAnswer) -> str:
    """Return one death as a sentence: `20:49:39 shop/1 (pid 16008, up 1.6 s) crashed: SIGSEGV`."""
    did, more = _DID.get(death["cause"], (death["cause"], "message"))
    facts = [f"pid {death['pid']}"] if death["pid"] else []
    facts += [f"up {_duration(death['up_s'])}"] if death["up_s"] is not None else []
    where = f" ({', '.join(facts)})" if facts else ""
    what = _exit(death) if more == "exit" else str(cast("dict[str, Any]", death)[more] or "")
    if what in _SAID.get(death["cause"], ()):
        what = ""
    text = f"{_moment(death['at'])} {death['group']}/{death['slot']}{where} {did}{f': {what}' if what else ''}"
    if not death["managed"]:
        text += ", while no manager ran"
    return text + _while(death)


def _is_quiet(death: DeathAnswer) -> bool:
    """Whether all is said with the sentence: nothing was lost."""
    return death["asked"] and death["cause"] != "cut-off"


def _while(death: DeathAnswer) -> str:
    total = death["requests_total"]
    if not total or _is_quiet(death):
        return ""
    known = next((request["asked"] for request in death["requests"] if request["asked"]), "")
    others = total - bool(known)
    parts = [known] if known else []
    if others:
        parts.append(f"{others} {'other ' if known else ''}request{'s' if others != 1 else ''}")
    return f", while answering {' and '.join(parts)}"


def _details(death: DeathAnswer, *, stacks: bool) -> Iterator[str]:
    shown = death["requests"] if stacks else death["requests"][:_SHOWN]
    for request in shown:
        yield _request(request)
        if stacks:
            yield from _stack(request["stack"])
    if stacks and death["stack"] and not (shown and shown[0]["stack"] == death["stack"]):
        yield "where it was:"
        yield from _stack(death["stack"])
    elif death["stack"] and not any(request["frame"] for request in shown):
        yield f"in {_frame(_innermost(death['stack']))}"
    used = [f"life {death['life']}"]
    if death["revision"] is not None:
        used.append(f"revision {death['revision']}")
    if death["rss_bytes"]:
        used.append(f"at most {death['rss_bytes'] / 2**20:.0f} MiB resident")
    if death["cpu_s"] is not None:
        used.append(f"{death['cpu_s']:.2f} s of processor time")
    yield ", ".join(used)
    if stacks and death["log"]:
        yield "its log:"
        yield from (f"    {line}" for line in death["log"])


def _request(request: RequestAtDeathAnswer) -> str:
    where = f", in {_frame(request['frame'])}" if request["frame"] else ""
    return f"{request['asked'] or 'a request'} for {request['age_s']:.1f} s{where}"


def _stack(frames: Sequence[FrameAnswer]) -> Iterator[str]:
    for frame in frames:
        yield f"    {_frame(frame)}"


def _innermost(frames: Sequence[FrameAnswer]) -> FrameAnswer:
    return next((frame for frame in reversed(frames) if frame["kind"] == "application"), frames[-1])


def _frame(frame: FrameAnswer) -> str:
    if frame["function"]:
        return f"{frame['place']} in {frame['function']}"
    return f"({frame['count']} call{'s' if frame['count'] != 1 else ''} in {frame['place']})"


def _exit(death: DeathAnswer) -> str:
    return f"exit code {death['exit_code']}" if death["exit_code"] is not None else death["message"]


def _moment(at: str) -> str:
    """The time of day where the reader is; with the date, where that is not today."""
    then = datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone()
    if then.date() == datetime.fromtimestamp(time.time(), timezone.utc).astimezone().date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%Y-%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 2 else f"{days} d"
