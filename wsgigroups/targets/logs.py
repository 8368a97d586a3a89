"""How the logs of all groups are written: the options of [server], and which files are of several users. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.config.kinds import is_stream
from wsgigroups.plan.desired import LogTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.plan.desired import GroupTarget


def with_logs(targets: Mapping[str, GroupTarget], server: ServerDefaults) -> dict[str, GroupTarget]:
    """Return the targets with what [server] says of logs; those of which nothing is said are the same objects."""
    users: dict[str, set[int]] = {}
    for target in targets.values():
        if target.uid is not None and not is_stream(target.log_path):
            users.setdefault(target.log_path, set()).add(target.uid)
    size, keep = server.log_rotate_size, server.log_rotate_keep
    common = LogTarget(server.log_format, size, keep if size or server.log_rotate_age else 0)
    common = replace(common, rotate_age_s=server.log_rotate_age, records_per_s=server.log_rate_limit)
    found = {}
    for name, target in targets.items():
        log = replace(common, shared=len(users.get(target.log_path, ())) > 1)
        found[name] = (
            target if log == LogTarget() else replace(target, log=log, options={**target.options, **_texts(log)})
        )
    return found


def _texts(log: LogTarget) -> dict[str, str]:
    """What plan compares, as far as it was written."""
    texts = {
        "log-format": log.format if log.format != "text" else "",
        "log-rotate-size": str(log.rotate_bytes or ""),
        "log-rotate-age": f"{log.rotate_age_s:g}" if log.rotate_age_s else "",
        "log-rotate-keep": str(log.rotate_keep or ""),
        "log-rate-limit": str(log.records_per_s or ""),
    }
    return {name: text for name, text in texts.items() if text}
