"""Hypothesis strategies for configurations that are right, made from the options themselves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS, Option
from wsgigroups.config.shape import CLUSTER_OPTIONS, GROUP_CLUSTER_OPTIONS
from wsgigroups.config.units import format_bytes, format_duration

NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,12}", fullmatch=True).filter(lambda name: name not in ("manager", "gateway"))
USERS = st.one_of(st.from_regex(r"u[a-z0-9_-]{0,8}", fullmatch=True), st.integers(1, 65535).map(lambda n: f"#{n}"))
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)
# no `${`: variables have tests of their own
PLAIN = TEXTS.filter(lambda text: "${" not in text)
PATHS = PLAIN.map(lambda text: "/" + text.replace("\0", ""))
PATHS_IN_LISTS = PATHS.filter(lambda path: path == path.strip())
NAMES_OF_OBJECTS = st.from_regex(r"[a-z][a-z0-9]{0,6}(?:[.-][a-z0-9]{1,4})?", fullmatch=True)
IDENTIFIERS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VARIABLES = st.dictionaries(
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\x85\u2028\u2029\ufeff"), max_size=30).filter(
        lambda text: "${" not in text and all(sign.isprintable() or sign in "\n\t" for sign in text)
    ),
    max_size=4,
)


def durations(option: Option) -> Any:
    """Numbers and texts with units."""
    seconds = st.one_of(st.integers(1, 10**6).map(float), st.floats(1.0, 1e6).map(lambda value: round(value, 3)))
    return st.one_of(seconds, seconds.map(format_duration))


def sizes(option: Option) -> Any:
    """Numbers and texts with units, within the bounds."""
    low, high = option.minimum or 0, option.maximum or 2**40
    number = st.integers(low, high)
    return st.one_of(number, number.map(format_bytes))


def value_of(option: Option) -> Any:
    """Values that an option accepts."""
    made: dict[str, Any] = {
        "text": PLAIN,
        "boolean": st.booleans(),
        "reloading": st.sampled_from([True, False, "wait"]),
        "path": PATHS,
        "paths": st.lists(PATHS_IN_LISTS, max_size=3, unique=True),
        "user": USERS,
        "ordinary-user": USERS,
        "group-names": st.lists(USERS, max_size=3, unique=True),
        "umask": st.from_regex(r"0[0-7]{3}", fullmatch=True),
        "locale": st.sampled_from(["C", "C.UTF-8", "de_DE.UTF-8@euro"]),
        "callable": st.builds("{}.{}:{}{}".format, IDENTIFIERS, IDENTIFIERS, IDENTIFIERS, st.sampled_from(["", "()"])),
        "identifier": IDENTIFIERS,
        "address": st.sampled_from(["127.0.0.1:9180", "[::1]:9181", "unix:/run/observed.sock"]),
        "networks": st.lists(st.sampled_from(["unix", "10.0.0.0/8", "::1/128"]), max_size=3, unique=True),
        "system-calls": st.sampled_from([["@system-service", "mount"], ["~@raw-io"], "ptrace bpf", "~@swap @reboot"]),
        "address-families": st.sampled_from([["AF_UNIX", "AF_INET"], "~AF_PACKET", ["none"]]),
        "namespaces": st.sampled_from([True, False, ["net", "user"], "~mnt"]),
        "environment": VARIABLES,
        "part": st.one_of(st.integers(1, 9), st.integers(1, 100).map("{}%".format)),
        "log": st.one_of(st.just("-"), PATHS),
        "url-path": st.sampled_from(["/", "/health"]),
        "host-name": st.sampled_from(["localhost", "www.example.org"]),
        "process-count": st.one_of(st.integers(1, 1000), st.just("auto")),
        "udp-address": st.just("127.0.0.1:8125"),
        "service-url": st.just("http://127.0.0.1:4318/v1/metrics"),
        "datagram-socket": st.just("unix:/run/telemetry.sock"),
        "image": st.sampled_from(["blog", "registry.example.org:5000/blog:1.4"]),
        "cpu": st.sampled_from(["500m", "2", 0.5, 3]),
        "cluster-name": NAMES_OF_OBJECTS,
        "cluster-names": st.lists(NAMES_OF_OBJECTS, max_size=3, unique=True),
        "cluster-gateway": st.sampled_from(["public", "infrastructure/public"]),
        "claims": st.dictionaries(NAMES_OF_OBJECTS, PATHS, max_size=3),
        "fraction": st.integers(1, 100).map(lambda number: number / 100),
        "percent": st.one_of(st.just(0), st.integers(1, 3200).map("{}%".format)),
    }
    if option.kind == "choice":
        return st.sampled_from(option.choices)
    if option.kind == "duration":
        return durations(option)
    if option.kind == "bytes":
        return sizes(option)
    if option.name in ("limit-nproc", "limit-nofile"):  # a process with any number of threads has room
        return st.integers(1200, 100000)
    if option.name in ("inaccessible-paths", "read-only-paths", "read-write-paths"):  # none hides what is needed
        return st.lists(PATHS_IN_LISTS.map(f"/{option.name}{{}}".format), max_size=3, unique=True)
    if option.kind == "integer":
        return st.integers(option.minimum or 0, min(option.maximum or 1000, 1000))
    return made[option.kind]


_SINGLE = [
    name
    for name in OPTIONS
    if name not in ("app", "script", "callable-object", "script-user", "script-group", "listen")
]


@st.composite
def groups(draw: Any, port: int) -> dict[str, Any]:
    """One group with any of its options."""
    group: dict[str, Any] = {"listen": [f"127.0.0.1:{port}"]}
    if draw(st.booleans()):
        group["app"] = draw(value_of(OPTIONS["app"]))
    else:
        group["script"] = draw(PATHS)
        group["callable-object"] = draw(IDENTIFIERS)
    for name in draw(st.lists(st.sampled_from(_SINGLE), max_size=12, unique=True)):
        group[name] = draw(value_of(OPTIONS[name]))
    least, most = group.get("processes-min"), group.get("processes-max")
    if least is not None or most is not None:  # with these a number that is possible
        group.pop("processes", None)
        group["processes-max"] = max(least or 1, most or 1)
    rollout = draw(st.lists(st.sampled_from(list(ROLLOUT_OPTIONS)), max_size=4, unique=True))
    if rollout:
        group["rollout"] = {name: draw(value_of(ROLLOUT_OPTIONS[name])) for name in rollout}
    cluster = draw(st.lists(st.sampled_from(list(GROUP_CLUSTER_OPTIONS)), max_size=3, unique=True))
    if cluster:
        group["kubernetes"] = {name: draw(value_of(GROUP_CLUSTER_OPTIONS[name])) for name in cluster}
    return group


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A whole configuration as plain data."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    document: dict[str, Any] = {"version": 1}
    if draw(st.booleans()):
        document["server"] = {"user": draw(USERS), "timeout": draw(durations(OPTIONS["socket-timeout"]))}
    cluster = draw(st.lists(st.sampled_from(list(CLUSTER_OPTIONS)), max_size=3, unique=True))
    if cluster:
        document["kubernetes"] = {name: draw(value_of(CLUSTER_OPTIONS[name])) for name in cluster}
    document["groups"] = {name: draw(groups(port=10000 + i)) for i, name in enumerate(names)}
    if draw(st.booleans()):
        document["sites"] = {
            "www.example.org": {
                "listen": ["0.0.0.0:80"],
                "process-group": names[0],
                "mounts": [{"path": "/" + draw(IDENTIFIERS), "app": draw(value_of(OPTIONS["app"]))}],
                "groups": {"own.group": draw(groups(port=20000))},
            }
        }
    return document
