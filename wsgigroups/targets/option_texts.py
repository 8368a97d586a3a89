"""A group's effective options as text, for `plan` to compare and show. Secrets only as digests. Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS, Group
from wsgigroups.config.counted_kinds import write_process_count
from wsgigroups.gateway.mounted import text_of

if TYPE_CHECKING:
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.plan.desired import SpawnerTarget
    from wsgigroups.runtime.wire.spec import Spec
    from wsgigroups.targets.identity import Person

# of which a group without it is as it was before there was such an option
_ONLY_WRITTEN = frozenset(
    {
        *("release", "watch", "reload", "signals", "tracing", "operators", "preload"),
        *("processes-min", "processes-max", "target-utilisation", "queue-target", "scale-down-delay"),
    }
)
# compared through resolved values, or one by one
_ELSEWHERE = frozenset({"environment", "environment-files", "app", "script", "callable-object", "user", "group"})


def option_texts(group: Group, spec: Spec, person: Person, spawner: SpawnerTarget, digest_key: bytes) -> dict[str, str]:
    """Return option name → effective value, defaults included, resolved values under their own names."""
    texts = {}
    for name, option in OPTIONS.items():
        if name not in _ELSEWHERE and hasattr(group, option.attribute):
            if name in _ONLY_WRITTEN and getattr(group, option.attribute) == option.default:
                continue
            texts[name] = text_of_value(getattr(group, option.attribute))
    for name, option in ROLLOUT_OPTIONS.items():
        texts[f"rollout.{name}"] = text_of_value(getattr(group.rollout, option.attribute))
    texts["processes"] = str(write_process_count(group.processes))
    texts["application"] = text_of(spec.applications, by_prefix=bool(group.listen))
    texts["user"] = f"{person.user_name} ({person.uid})"
    texts["group"] = f"{person.group_name} ({person.gid})"
    texts["supplementary-groups"] = ", ".join(map(str, person.groups[1:])) if spec.identity else "inherited"
    texts["socket-timeout"] = text_of_value(spec.serving.socket_timeout_s)
    texts["eviction-timeout"] = text_of_value(spec.eviction_timeout_s)
    texts["home"] = spec.home or ""
    if spec.home_on_path:  # equal to the default it is still another sys.path
        texts["home-on-path"] = "first"
    texts["python"] = f"{spawner.version} {spec.python_home or ''}".strip()
    texts["interpreter"] = spawner.executable
    texts["spawner"] = spawner.whose
    texts["python-home"] = spec.python_home or ""
    texts["wsgi.multiprocess"] = str(spec.serving.multiprocess)
    texts["listen"] = ", ".join(spec.listen) or "none"
    for name, value in spec.environment.items():
        # with a key that is the manager's: a short secret could be found from a plain digest by trying
        text = f"{spec.group}\0{name}\0{value}".encode("utf-8", "surrogateescape")
        texts[f"environment.{name}"] = "digest " + hmac.new(digest_key, text, hashlib.sha256).hexdigest()[:16]
    return texts


def text_of_value(value: Any) -> str:
    """Return the value of an option as plans compare it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)


def services_of(server: ServerDefaults) -> dict[str, str]:
    """Return what the manager tells of a group, by option: those that are set."""
    asked = {
        "telemetry-service": server.telemetry_service,
        "statsd-service": server.statsd_service,
        "otlp-service": server.otlp_service,
    }
    return {name: address for name, address in asked.items() if address}
