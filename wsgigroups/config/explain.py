"""What `explain` says, as plain lines: an option, its arithmetic, or a diagnostic. Pure; imports no models."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import did_you_mean
from wsgigroups.config.units import approximate_bytes, format_bytes, format_duration, parse_bytes, parse_duration
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Tables = dict[str, dict[str, dict[str, Any]]]

_EFFECTS = {
    "replace": "processes are replaced one by one, successor first",
    "rebind": "listening sockets are bound or tuned anew",
    "live": "nothing restarts",
    "none": "nothing changes",
}


def find_option(key: str, tables: Tables) -> tuple[str, str, dict[str, Any]]:
    """Return table, name and facts of an option; `threads`, `groups.blog.threads` and `server.timeout` are understood.

    Raises WsgigroupsError (usage) with a suggestion.
    """
    name = key.strip().strip("[]").split(".")[-1].replace("_", "-").lower()
    prefix = key.split(".", maxsplit=1)[0].lower() if "." in key else ""
    for table, options in tables.items():
        if name in options and (not prefix or table.split(".")[0] == prefix or table.split(".")[-1] == prefix):
            return table, name, options[name]
    known = {option for options in tables.values() for option in options}
    hint = did_you_mean(name, known) or "`wsgigroups explain` lists all options"
    raise WsgigroupsError(f"cannot explain {key!r}: there is no such option", hint=hint, exit_code=ExitCode.USAGE)


def option_lines(table: str, name: str, facts: Mapping[str, Any], threads: int | None, value: str | None) -> list[str]:
    """Everything about one option."""
    where = {"groups.NAME": "a group"}.get(table, f"[{table}]")
    lines = [f"{name}   ({where})", ""]
    lines += wrapped(facts["doc"])
    rows = {
        "value": facts["value"] + (f", in {facts['unit']}" if facts["unit"] else ""),
        "default": facts["default"],
        "effect of a change": f"{_effects(facts)} ({facts['effect-reason']})",
        "example": f"{name} = {facts['example']}",
    }
    if facts["interpolated"]:
        rows["variables"] = "${NAME} and ${NAME:-default} are replaced by environment variables"
    if facts["related"]:
        rows["see also"] = ", ".join(facts["related"])
    if facts["extension"]:
        rows["note"] = "not an option of WSGIDaemonProcess"
    width = max(map(len, rows))
    lines.append("")
    lines += [f"{label:<{width}}  {text}" for label, text in rows.items()]
    numbers = arithmetic(name, threads, value)
    if numbers:
        lines += ["", *numbers]
    return lines


def wrapped(text: str) -> list[str]:
    """Lines of a width that is read with ease; names of options stay whole."""
    return textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False)


def _effects(facts: Mapping[str, Any]) -> str:
    """The effect of each kind of change, and what it means."""
    effects = [facts["effect"], *facts["effect-otherwise"].values()]
    clauses = zip(facts["effect-text"].split(", "), effects, strict=True)
    return "; ".join(f"{clause}: {_EFFECTS[effect]}" for clause, effect in clauses)


def arithmetic(name: str, threads: int | None, value: str | None) -> list[str]:
    """The numbers of an option for a number of threads and a value; empty where there is nothing to count.

    Raises WsgigroupsError (usage) for a value that cannot be read.
    """
    compute: Mapping[str, Callable[[int, str | None], list[str]]] = {
        "request-timeout": _request_timeout,
        "threads": _threads,
        "stack-size": _stack_size,
        "maximum-requests": _maximum_requests,
        "restart-interval": _restart_interval,
    }
    if name not in compute:
        return []
    try:
        return compute[name](threads or 15, value)
    except ValueError as error:
        raise WsgigroupsError(f"cannot use --value {value}: {error}", exit_code=ExitCode.USAGE) from None


def _request_timeout(threads: int, value: str | None) -> list[str]:
    limit_s = parse_duration(value or "60s")
    if limit_s == 0:
        return ["With 0 no request is ever too old."]
    head = f"With threads = {threads} and request-timeout = {format_duration(limit_s)}:"
    if threads == 1:
        return [head, f"  the one request is stuck: restart when it is {format_duration(limit_s)} old"]
    lines = [head, "  the ages of all running requests are added and divided by threads", ""]
    lines.append("  stuck   restart when they are this old")
    counts = sorted({1, max(1, threads // 4), max(1, threads // 2), threads})
    for count in counts:
        age_s = limit_s * threads / count
        lines.append(
            f"  {count:>5}   {format_duration(round(age_s, 3)):<8}  = {format_duration(limit_s)} × {threads} ÷ {count}"
        )
    return [*lines, "", f'  with request-timeout-mode = "each": {format_duration(limit_s)}, however many are stuck']


def _threads(threads: int, value: str | None) -> list[str]:
    count = int(value) if value else threads
    if count < 1:
        raise ValueError("at least one thread is needed")
    return [
        (
            f"With threads = {count}: {count} requests at once in each process; {count} × 8M = "
            f"{approximate_bytes(count * 8 * 2**20)} of address space for their stacks (stack-size makes it less)."
        ),
    ]


def _stack_size(threads: int, value: str | None) -> list[str]:
    size = parse_bytes(value or "512K")
    return [f"With threads = {threads}: {threads} × {format_bytes(size)} = {approximate_bytes(threads * size)}."]


def _maximum_requests(_threads: int, value: str | None) -> list[str]:
    count = int(value) if value else 10000
    return [f"With {count}: a process leaves after {count - int(count * 0.1)} to {count} requests, each after another."]


def _restart_interval(_threads: int, value: str | None) -> list[str]:
    limit_s = parse_duration(value or "12h")
    early, late = format_duration(round(limit_s * 0.9, 3)), format_duration(limit_s)
    return [f"With {late}: each process leaves after {early} to {late}, one of a group at a time."]


def list_lines(tables: Tables) -> list[str]:
    """All options, a line each."""
    lines = []
    for table, options in tables.items():
        lines += ["", f"[{table}]"]
        width = max(map(len, options))
        lines += [f"  {name:<{width}}  {first_sentence(facts['doc'])}" for name, facts in options.items()]
    return [*lines[1:], "", "wsgigroups explain KEY says more; so does wsgigroups explain CODE for diagnostics."]


def first_sentence(text: str) -> str:
    """What a text begins with, as one short line."""
    sentence = text.split(". ", maxsplit=1)[0].rstrip(".")
    return sentence if len(sentence) <= 90 else sentence[:87].rsplit(" ", 1)[0] + " …"
