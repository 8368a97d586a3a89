"""docs/status.md: what `status -o json` says, its figures from the table of words (runtime/wire/words.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.manager.control.figures import UNITS
from wsgigroups.runtime.wire.words import COUNTER, MOMENT, SHOWN, WORDS, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HEAD = """\
# The status document

`wsgigroups status -o json` (or `yaml`) and `GET /v1/status` of the [control API](control-api.md) give this document.
Names in it do not change their meaning while `schema_version` is 1; new ones may come. The tables of figures are made
from `wsgigroups/runtime/wire/words.py` by `make schemas`.

| | |
|---|---|
| `schema_version`, `revision` | 1; the revision whose configuration runs, or is being rolled out |
| `rolled_back` | `revision` and `ended_at` of the newest one, where its groups returned to what they were; null else |
| `paused_change` | the number of the apply under way, where somebody has paused it (`wsgigroups resume`); null else |
| `manager` | `pid`, `version`, `uptime_s`, `cleanup`, `cleanup_reason`, `handovers` ([upgrades](upgrade.md)) and more |
| `groups` | by name, see below |
| `gateway` | what it serves, see below; null without sites |

Of the manager: `stopping` (it was told to end), and `drains_in_s` (how much of `drain-delay` is left then; else null).

Of each group: `name`, `state` (ready, degraded, starting, failed, stopped), `processes_wanted`, `processes_ready`,
`files` (that it came from), `threads`, `user`, `group`, `listen`, `python`, `interpreter` (the executable that forks
its processes), `spawner` (whose process that is: shared, root's for one user alone, or the user's own),
`requests_per_s` (that have ended, in
the last ten seconds; null when not known yet), `application_p99_s` (99 of 100 requests of the last minute were in the
application for at most so long, 10.0 standing for all that is longer; null when there were none), `restarts`,
`last_error`, `log`, `scaled` (by hand), `scaling` (of a group whose processes [follow the load](scaling.md):
`processes_min`, `processes_max`, `pinned`, `asleep`, `reason`, `held`, `queue_wait_s`, `delay_s`; else null),
`confinement` (the options of it that are set, as text), `cleanup` (cgroup or
session: [cgroups](cgroups.md)), `strays` (pids of what processes that have ended may have left behind),
`not_in_force` (options whose limits do not hold, with the reason), `unknown` (it was
found running and nothing says what it should be), `unresolved` (why the configuration in force cannot be followed on
this host at present), `proved` (its configuration came up and lasted, so that a rollout that fails returns to it),
`rollout` (while processes are replaced: `new_ready`, `old_ready`, `watched_s` until the first new ones have lasted,
`returns` when there is something to return to, `surge`, `unavailable`, `short_of_memory`), `unreachable` (addresses
at which nobody can connect now, with the reason: [listeners](listeners.md)), `processes`, `molds` (what forks its
processes, with [preload](preload.md): `pid`, `started_at`, `rss_bytes`, `pss_bytes`).

Of each process: `slot`, `pid`, `life`, `state` (starting, ready, draining, stopping, backoff, failed), `started_at`,
`uptime_s`, `rss_bytes`, `pss_bytes`, `cpu_s`, `failures` (ends in a row that nobody asked for), `last_exit`,
`retry_in_s`, `last_death`, `confinement` (what became of each option, as the process says), `former_runtime` (another
version of wsgigroups started it, and a restart replaces it).

Of the [gateway](gateway.md), whose processes are those of the group `@gateway`: `listeners` (`address`, `tls`, and
`sites`, of which the first answers for hosts that no site has), `sites` (`name`, `server_name`, `aliases`, `listen`,
`mounts` with the group of each path, `static` with the directory of each path, `certificate`, `requests_total`),
`certificates` (`file`, `expires_at`, `days_left`, `sites`) and `orders` (certificates that an authority makes: `sites`,
`names`, `state`, `failures`, `error`, `next_at`; [certificates](certificates.md)).

`requests_total` of a site are the requests that were answered, whoever answered: a daemon, a file or the gateway
itself. All processes of the gateway are added up, and those that have ended. The number goes on over changes of the
routes and with a new manager, as long as the configuration has the site; lost is what a process counted that ended
while there was no manager. With `engine = "nginx"` it stays 0.
"""

_FIGURES = """
## Figures

What a process says of itself. A *counter* grows from 0 as long as the process lives; a *level* is as it is now. A group
has the sums over its processes; its counters have what processes counted that have ended, too, so they never fall while
the group is there, with a new manager either. A process that is not up has 0, or null for an age.
"""

_AGES = """
An age is null where nothing has happened yet.

Each process writes these numbers itself, so its application can write anything there: they are what that tenant says of
its own process, and nothing of another. Whatever it is, it becomes a number that every reader of JSON keeps: from 0 to
2^53 - 1, and no age is negative.
"""

_INTERNAL = """
## Words that are not shown

The page of memory that has the figures, the *board*, has these words, too. Threads that share a word of it write it
under one lock.
"""

_WRITERS = """
## Who writes what

| word | index | unit | written by |
|---|---:|---|---|
"""


def make_markdown() -> str:
    """Return the text of the page."""
    ages = [word for word in SHOWN if word.unit == MOMENT]
    others = [word for word in SHOWN if word.unit != MOMENT]
    parts = [
        _HEAD,
        _FIGURES,
        _table(("figure", "unit", "kind", "meaning"), others, _figure),
        _table(("age of a process", "unit", "meaning"), ages, _age),
        _AGES,
        _INTERNAL,
        _table(("word", "meaning", "who reads it"), (word for word in WORDS if not word.key), _internal),
        _WRITERS,
        "".join(_row(_written(word)) for word in WORDS),
    ]
    return "".join(parts)


def _figure(word: Word) -> tuple[str, ...]:
    kind = "counter" if word.kind == COUNTER else "level"
    return f"`{word.key}`", UNITS[word.unit], kind, word.meaning


def _age(word: Word) -> tuple[str, ...]:
    return f"`{word.key}`", UNITS[word.unit], word.meaning


def _internal(word: Word) -> tuple[str, ...]:
    return f"`{word.name}`", word.meaning, word.reader


def _written(word: Word) -> tuple[str, ...]:
    return f"`{word.name}`", str(word.index), word.unit, word.writer


def _table(titles: tuple[str, ...], words: Iterable[Word], cells: Callable[[Word], tuple[str, ...]]) -> str:
    head = "\n" + _row(titles) + "|" + "---|" * len(titles) + "\n"
    return head + "".join(_row(cells(word)) for word in words)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |\n"
