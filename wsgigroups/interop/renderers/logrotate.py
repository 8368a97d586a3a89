"""A configuration as a file of logrotate: every log that is a file, renamed, and opened again by the manager. Pure.

logrotate(8). Nothing is copied and truncated, which would lose lines, and nothing created: the manager does that.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from wsgigroups.config.kinds import is_stream
from wsgigroups.errors import WsgigroupsError
from wsgigroups.plan.routing import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext

_HEAD = "# Made by `wsgigroups render logrotate`. Check it with logrotate -d FILE; it belongs into /etc/logrotate.d."
_PLAIN = re.compile(r"/[A-Za-z0-9_./:@%+=,~-]+")
_UNTELLABLE = re.compile(r"[\x00-\x1f\x7f\"\\*?\[\]{}]")
_NO_MANAGER = 6  # ExitCode.NO_MANAGER: the log writer opens its files anew when one comes
_LINES = (
    "weekly",
    "rotate 8",
    "compress",
    "delaycompress",  # a process in the middle of a line ends it in the renamed file
    "missingok",
    "notifempty",
    "nocreate",
    "sharedscripts",
)


def logrotate(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. Raises WsgigroupsError where wsgigroups rotates its logs, or no log is a file."""
    server = configuration.server
    if server.log_rotate_size or server.log_rotate_age:
        raise WsgigroupsError(
            "cannot render logrotate: wsgigroups rotates these logs itself",
            hint="one of the two: leave log-rotate-size and log-rotate-age out of [server], or have no logrotate",
        )
    paths = list(dict.fromkeys(path for path in _logs(configuration, context.manager.log_dir) if not is_stream(path)))
    if not paths:
        raise WsgigroupsError("cannot render logrotate: no log is a file", hint="see error-log and access-log")
    manager = context.manager
    command = shlex.join([manager.program, *manager.options, "logs", "--reopen"])
    lines = [
        *(f"    {line}" for line in _LINES),
        "    postrotate",
        f"        {command} || test $? -eq {_NO_MANAGER}",
        "    endscript",
    ]
    return "\n".join([_HEAD, *map(_word, paths), "{", *lines, "}"]) + "\n"


def _logs(configuration: Configuration, log_dir: str) -> Iterator[str]:
    """Every log: the manager's, those of groups as targets/resolve.py has them, and those of sites."""
    yield f"{log_dir}/manager.log"
    sites = {name: site for site in configuration.sites.values() for name in site.groups}
    for name, group in configuration.all_groups().items():
        own = group.error_log or (sites[name].error_log if name in sites else None) or configuration.server.error_log
        yield own or f"{log_dir}/{name}.log"
    served = [site for site in configuration.sites.values() if site.listen]
    if served:
        yield f"{log_dir}/{GATEWAY}.log"
    yield from (site.access_log for site in served if site.access_log is not None)


def _word(path: str) -> str:
    if _UNTELLABLE.search(path):
        raise WsgigroupsError(f"cannot render the log {path!r}: logrotate would look for a pattern in its name")
    return path if _PLAIN.fullmatch(path) else f'"{path}"'
