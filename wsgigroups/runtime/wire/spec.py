"""The spec: what a slot's process should be, complete and resolved to numbers.

Made by the manager, read by the daemon from its own channel after the fork; the spawner never sees one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Optional, Tuple, Union


@dataclass(frozen=True)
class Identity:
    """Whose process it is, in numbers. Only sent by a manager that runs as root."""

    uid: int
    gid: int
    groups: Tuple[int, ...]  # the complete list for setgroups(2); the primary group is part of it


@dataclass(frozen=True)
class Application:
    """Where the WSGI callable comes from."""

    kind: str  # "callable": target is package.module:attribute, or …:factory(); "script": target is a file's path
    target: str
    callable_object: str = "application"  # name looked up in a script
    mount: str = "/"
    key: str = ""  # what a gateway names it by, where the group has several; of two at one prefix the first has that


@dataclass(frozen=True)
class Serving:
    """What the request path needs to know. Seconds and bytes; 0 turns a limit off."""

    threads: int = 15
    multiprocess: bool = False
    run_once: bool = False
    stack_size_bytes: int = 0
    listen_backlog: int = 100
    connect_timeout_s: float = 15.0
    socket_timeout_s: float = 60.0
    queue_timeout_s: float = 0.0
    keep_alive_timeout_s: float = 5.0
    response_socket_timeout_s: float = 0.0  # 0: socket_timeout_s
    header_buffer_size_bytes: int = 32768
    response_buffer_size_bytes: int = 65536
    maximum_requests: int = 0  # already jittered by the manager; 0: never leave because of it
    trusted_proxies: Tuple[str, ...] = ()  # CIDR networks, or "unix" for peers on UNIX sockets
    trusted_uids: Tuple[int, ...] = ()  # … that are one of these users; none: whoever can connect
    access_log: str = "off"  # off, common, combined, json
    interruptible: bool = False  # requests may be interrupted (interrupt-timeout)
    limit_request_line: int = 8190  # bytes of a request line
    limit_request_field_size: int = 8190  # bytes of one field line
    limit_request_fields: int = 100  # field lines of a head
    limit_request_body: int = 0  # bytes of a body of either coding; 0: no limit
    request_id: str = "environ"  # off, environ, response: whether requests have ids, and who is told of them
    slow_request_s: float = 0.0  # requests that are in the application for longer are logged; 0: none
    chunked_bodies: str = "collect"  # before the call, with a length; or "stream": as they come

    def tuned(self, changes: Dict[str, Any]) -> "Serving":
        """Return a copy with the known keys of `changes`; unknown keys are ignored (a newer manager)."""
        known = self.__dataclass_fields__
        kept = dict(self.__dict__)
        kept.update({key: value for key, value in changes.items() if key in known})
        kept["trusted_proxies"] = tuple(kept["trusted_proxies"])
        kept["trusted_uids"] = tuple(kept["trusted_uids"])
        return Serving(**kept)


@dataclass(frozen=True)
class Filter:
    """Numbers that are let through, or with `allowed` false all but these."""

    numbers: Tuple[int, ...]
    allowed: bool


@dataclass(frozen=True)
class Confinement:
    """What the process is to keep itself from, each in the words of systemd.exec(5). Paths are those of the host."""

    required: bool = False  # else what the kernel cannot do is said, and the process goes on
    read_only_paths: Tuple[str, ...] = ()
    read_write_paths: Tuple[str, ...] = ()
    inaccessible_paths: Tuple[str, ...] = ()
    protect_home: str = "no"  # yes, read-only
    protect_system: str = "no"  # yes, full, strict
    protect_proc: str = "default"  # noaccess, invisible, ptraceable
    private_tmp: bool = False
    private_devices: bool = False
    address_families: Optional[Filter] = None
    system_calls: Optional[Filter] = None
    namespaces: int = 0  # CLONE_NEW… that are refused

    def __bool__(self) -> bool:
        return replace(self, required=False) != Confinement()


@dataclass(frozen=True)
class Health:
    """What the application has to answer before the process joins the others. Seconds; 0: no limit."""

    path: str
    status: int = 0  # 0: any from 200 to 399
    timeout_s: float = 10.0
    host: str = "localhost"


@dataclass(frozen=True)
class Spec:
    """One process, complete."""

    group: str
    slot: int
    life: int
    fingerprint: str
    title: str  # what ps shows
    applications: Tuple[Application, ...]
    serving: Serving
    environment: Dict[str, str]  # the whole environment, built from nothing
    listen: Tuple[str, ...]  # addresses, in the order of the listener descriptors: "127.0.0.1:8000", "unix:/run/x.sock"
    identity: Optional[Identity] = None  # None: the manager is not root and stays who it is
    became: bool = False  # it has `identity` from before its interpreter started, which is proved like the drop
    home: Optional[str] = None  # chdir here as the target user; None: stay
    home_on_path: bool = False  # `home` was written in the configuration, so it is sys.path[0] too
    umask: Optional[int] = None
    chroot: Optional[str] = None
    rlimits: Dict[str, Tuple[int, int]] = field(default_factory=dict)  # "NOFILE" → (soft, hard); -1 is unlimited
    cpu_priority: int = 0
    oom_score_adj: Optional[int] = None
    python_home: Optional[str] = None  # environment to activate: a venv or a prefix
    python_path: Tuple[str, ...] = ()
    python_eggs: Optional[str] = None
    lang: Optional[str] = None
    locale: Optional[str] = None
    switch_interval_s: float = 0.0
    load: str = "eager"  # or "lazy": at the first request
    health: Optional[Health] = None
    script_reloading: Union[bool, str] = False  # or "wait": requests wait for a successor that has the new script
    reload: Tuple[str, ...] = ()  # patterns of files whose change is as that of a script
    signals: str = "allow"  # what becomes of signal.signal in the application: "ignore", "raise"
    processes: int = 1  # as configured when it was made; others may come and go
    script_user: Optional[int] = None  # uid that must own script files
    script_group: Optional[int] = None
    shutdown_timeout_s: float = 5.0
    graceful_timeout_s: float = 0.0
    eviction_timeout_s: float = 0.0  # already defaulted to graceful_timeout_s by the manager
    pulses: bool = False  # as many descriptors again as `listen` has: the listeners' pulses
    confinement: Confinement = Confinement()
    gateway: bool = False  # it serves sites by routes (wire.routes) and has no application
    nginx: Optional[str] = None  # … with this program, which the process keeps
    preload: str = "off"  # or "app": the first process of a kind leaves a mold, which forks the next ones
    tracing: str = "off"  # or "opentelemetry": each request has spans
    log_token: str = ""  # begins a record in the log writer's pipe (wire.log_frames); "": the log is written itself
    access_log: bool = False  # one descriptor more: the access log; else access lines go to the log

    def to_wire(self) -> Dict[str, Any]:
        """Return plain JSON data."""
        data: Dict[str, Any] = _plain(self)
        data["applications"] = [_plain(application) for application in self.applications]
        for application in data["applications"]:
            if not application["key"]:
                del application["key"]  # of which an earlier version knows nothing
        return data


def _plain(value: Any) -> Any:
    """Return the fields of one of the classes here, by name; any other value as it is, which asdict would copy."""
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def from_wire(data: Dict[str, Any]) -> Spec:
    """Build a Spec from JSON data; unknown keys are ignored, missing ones raise TypeError or KeyError."""
    kept = {key: value for key, value in data.items() if key in Spec.__dataclass_fields__}
    kept["applications"] = tuple(Application(**item) for item in kept["applications"])
    kept["serving"] = Serving().tuned(kept["serving"])
    kept["listen"] = tuple(kept["listen"])
    kept["python_path"] = tuple(kept.get("python_path", ()))
    kept["reload"] = tuple(kept.get("reload", ()))
    kept["rlimits"] = {key: (pair[0], pair[1]) for key, pair in kept.get("rlimits", {}).items()}
    kept["confinement"] = _confinement(kept.get("confinement", {}))
    if kept.get("health") is not None:
        kept["health"] = Health(**kept["health"])
    identity = kept.get("identity")
    if identity is not None:
        kept["identity"] = Identity(identity["uid"], identity["gid"], tuple(identity["groups"]))
    return Spec(**kept)


def _confinement(data: Dict[str, Any]) -> Confinement:
    """Raises TypeError for a word that is not known: what was asked for must not be left out in silence."""
    kept: Dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for name in ("address_families", "system_calls"):
        if kept.get(name) is not None:
            kept[name] = Filter(tuple(kept[name]["numbers"]), kept[name]["allowed"])
    return Confinement(**kept)
