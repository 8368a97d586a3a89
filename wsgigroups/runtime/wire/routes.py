"""The routes: which site, directory or group answers what a gateway is asked. Made by the manager, told to the gateway.

Pure data. They are sent as lines of JSON in a sealed file with each change (messages.Route), because ten thousand sites
are more than a frame holds; the directories of static files and the access logs come as descriptors beside it. A
gateway process sees nothing else of the host's files: its paths are relative to its working directory, which has the
groups' sockets (sockets/NAME.sock) and the certificates (certificates/NAME.crt, .key) in it.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Tuple

WELL_KNOWN = "/.well-known/acme-challenge/"  # of the path of each host, then the token (RFC 8555 section 8.3)
PARTING_FILE = "parting"  # of a keeper: while it is in its directory, nginx closes each connection with its answer
COUNT_BYTES = 8  # of a word on a page where requests of sites are counted
REFUSED = 2**63  # on a board in the place of a number: the routes that it was told last cannot be used


@dataclass(frozen=True)
class Link:
    """How the daemons of one group are reached. Seconds and bytes; 0 turns a limit off."""

    socket: str  # path of the group's UNIX socket, relative to the gateway's working directory
    uids: Tuple[int, ...] = ()  # who may listen there (SO_PEERCRED); asked before a byte is sent
    connect_timeout_s: float = 15.0
    socket_timeout_s: float = 60.0
    response_socket_timeout_s: float = 0.0  # 0: socket_timeout_s
    header_buffer_size_bytes: int = 32768  # of one line of a response's head
    response_buffer_size_bytes: int = 65536  # of a response, held for a client that is slow to take it


@dataclass(frozen=True)
class MountRoute:
    """What is below a prefix is asked of a group."""

    path: str  # "/" or "/api": no slash at its end
    group: str
    application: str = ""  # Application.key, told to the group as WSGIGROUPS_APPLICATION; "": it has but one


@dataclass(frozen=True)
class StaticRoute:
    """What is below a prefix is a file in a directory."""

    path: str
    directory: int  # its place among the descriptors of directories
    index: str = ""  # the file that answers for a directory; "": none does


@dataclass(frozen=True)
class SiteRoute:
    """One site: what its names are is with the listeners."""

    server_name: str
    aliases: Tuple[str, ...] = ()  # names, or *.example.org
    mounts: Tuple[MountRoute, ...] = ()
    statics: Tuple[StaticRoute, ...] = ()
    certificate: str = ""  # name of the pair of files NAME.crt and NAME.key in the root's certificates; "": none
    redirect_to_https: bool = False
    hsts_s: int = 0
    tls_minimum: str = "1.2"
    access_log: int = -1  # its place among the descriptors of access logs; -1: none is written
    access_format: str = "combined"  # or json
    error_pages: Dict[int, str] = field(default_factory=dict)  # status → the page, HTML; others get a line of text


@dataclass(frozen=True)
class ListenerRoute:
    """One address, and the sites that are served there in the order of the file: the first answers unknown hosts."""

    address: str  # as in Spec.listen
    sites: Tuple[str, ...]  # their keys in Routes.sites
    tls: bool = False
    proxy_protocol: Tuple[str, ...] = ()  # networks whose connections begin with a PROXY header; "unix" for peers there


@dataclass(frozen=True)
class Challenges:
    """What a certificate authority looks for, to see whether it is we who are reached by a name.

    They are no part of what a configuration asks for: the manager puts them behind the routes that it tells.
    """

    texts: Dict[str, str] = field(default_factory=dict)  # by token, below WELL_KNOWN (RFC 8555 section 8.3)
    pairs: Dict[str, str] = field(default_factory=dict)  # certificate by host name, for ALPN (RFC 8737 section 3)


@dataclass(frozen=True)
class Routes:
    """Everything that a gateway goes by. What one text says is complete: it replaces all of before."""

    listeners: Tuple[ListenerRoute, ...] = ()
    sites: Dict[str, SiteRoute] = field(default_factory=dict)
    links: Dict[str, Link] = field(default_factory=dict)  # by group
    challenges: Challenges = field(default_factory=Challenges)
    # Groups that are to have no process: nobody who connects need wait for one. As challenges, no part of what a
    # configuration asks for. It is said soon after, so that somebody may listen for a group that is among them.
    stopped: FrozenSet[str] = frozenset()
    # Keys of TLS session tickets, 80 bytes in hexadecimal, that all processes have in common; "": none. A secret.
    ticket_keys: str = field(default="", repr=False)

    def to_text(self) -> str:
        """Return lines of JSON, of what a configuration asks for: one with all but the sites, then one for each site.

        So a reader who knows the line of a site need not look into it again: there may be ten thousand, one of which
        has changed. What is as it is without being said is left out.
        """
        head = {
            "listeners": [_plain(listener) for listener in self.listeners],
            "links": {name: _plain(link) for name, link in self.links.items()},
            "sites": list(self.sites),
        }
        return "\n".join([_encode(head), *[_encode(_plain(site)) for site in self.sites.values()]])


def as_of_now(text: str, challenges: Challenges, stopped: Iterable[str] = (), ticket_keys: str = "") -> str:
    """Return routes as lines of JSON with what is so for the time being in the first one.

    text: of `to_text`; its sites are not read.
    """
    found: Dict[str, Any] = {}
    if challenges.texts or challenges.pairs:
        found["challenges"] = {"texts": challenges.texts, "pairs": challenges.pairs}
    if stopped:
        found["stopped"] = sorted(stopped)
    if ticket_keys:
        found["ticket_keys"] = ticket_keys
    if not found:
        return text
    first, end, lines = text.partition("\n")
    return "%s,%s%s%s" % (first.rstrip()[:-1], json.dumps(found, sort_keys=True)[1:], end, lines)


def counts_bytes(sites: int) -> int:
    """Return how long a page for the counts of so many sites is: a word that says that it is used, and one of each."""
    return (sites + 1) * COUNT_BYTES


def site_keys(text: str) -> List[str]:
    """Return the keys of the sites in such lines, in order. Raises KeyError, ValueError."""
    return list(json.loads(text.partition("\n")[0])["sites"])


def from_text(text: str, known: Optional[Dict[str, SiteRoute]] = None) -> Routes:
    """Build Routes from such lines. Raises TypeError, KeyError, ValueError.

    known: sites by their lines, as an earlier call has left them; it has those of these routes afterwards.
    """
    first, *lines = text.split("\n")
    data = json.loads(first)
    names = data["sites"]
    if len(names) != len(lines):
        raise ValueError("there are %d sites, and %d lines of sites" % (len(names), len(lines)))
    find = {} if known is None else known
    sites = [find.get(line) or _site(json.loads(line)) for line in lines]
    routes = Routes(
        tuple([ListenerRoute(**_tuples(item, ("sites", "proxy_protocol"))) for item in data["listeners"]]),
        dict(zip(names, sites)),
        {name: Link(**_tuples(item, ("uids",))) for name, item in data["links"].items()},
        Challenges(**data.get("challenges", {})),
        frozenset(data.get("stopped", ())),
        data.get("ticket_keys", ""),
    )
    if known is not None:
        known.clear()
        known.update(zip(lines, sites))
    return routes


_encode = json.JSONEncoder(separators=(",", ":")).encode


_DEFAULTS = {
    kind: {
        item.name: item.default_factory() if item.default_factory is not MISSING else item.default
        for item in fields(kind)
    }
    for kind in (Link, MountRoute, StaticRoute, SiteRoute, ListenerRoute)
}


def _plain(item: Any) -> Dict[str, Any]:
    found = {}
    for name, default in _DEFAULTS[type(item)].items():
        value = getattr(item, name)
        if value != default:
            deep = type(value) is tuple and value and type(value[0]) in _DEFAULTS
            found[name] = [_plain(part) for part in value] if deep else value
    return found


def _tuples(data: Dict[str, Any], names: Tuple[str, ...]) -> Dict[str, Any]:
    for name in names:
        if name in data:
            data[name] = tuple(data[name])
    return data


def _site(data: Dict[str, Any]) -> SiteRoute:
    _tuples(data, ("aliases",))
    if "mounts" in data:
        data["mounts"] = tuple([MountRoute(**item) for item in data["mounts"]])
    if "statics" in data:
        data["statics"] = tuple([StaticRoute(**item) for item in data["statics"]])
    if "error_pages" in data:
        data["error_pages"] = {int(status): page for status, page in data["error_pages"].items()}
    return SiteRoute(**data)
