"""The short way of a plain request to a daemon and of its answer back, by the accelerator; the long way is `Passage`.

The loop's. Plain is a request without a body, of HTTP/1.1, from a client that is no proxy and keeps its connection, to
a mount; its answer has a Content-Length. What is anything else is left to the long way: before a daemon has heard of it
as if nobody had looked at it, after that with all that has come, at whichever point that is. So nothing is refused,
and nothing goes wrong, on the short way. docs/decisions/accelerator.md has what it saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from .. import accelerator
from ..front.connection import IDLE, RUNNING
from ..front.timing import SECOND_NS
from ..originals import os, select
from ..protocol import heads
from ..protocol.errors import ProtocolError
from ..protocol.limits import Limits
from ..protocol.names import UNTRUSTED
from ..wire.board import WORD
from ..wire.histograms import APPLICATION, QUEUE, QUICK_NS
from ..wire.routes import WELL_KNOWN, Link, MountRoute, SiteRoute
from . import answers, forwarding, pages
from .packets import encoded
from .passage import Passage
from .reply import GONE, Reply
from .request import Request
from .router import Match
from .table import RouteTable

if TYPE_CHECKING:
    from ..front.intake import Intake
    from .client import ClientConnection
    from .loop import Loop

MOST_PREFIXES = 32  # of a site: they are looked at one after the other
_STRANGE_NAMES = 512  # of hosts beside the sites' own, that are remembered
_READ_EVENTS = select.EPOLLIN | select.EPOLLRDHUP
_STATUS_1XX = WORD["status_1xx"]
_ANSWERED, _ACTIVITY, _STARTED = WORD["requests_total"], WORD["last_activity_ns"], WORD["started_total"]
_SENT, _APPLICATION_TIME = WORD["sent_bytes"], WORD["application_time_ns"]
_TAKEN = Limits(1 << 20, 1 << 20, 1000)  # for a head that was taken already, within the limits of its time
_Entry = Tuple[bytes, Optional[bytes], bytes, Tuple[int, ...], "Optional[Destination]"]


class Destination(NamedTuple):
    """Where the requests of one site below one prefix go."""

    site_name: str
    site: SiteRoute
    mount: MountRoute
    prefix: str
    link: Link
    timeout_ns: int  # of the link's socket-timeout; 0: none
    own_fields: bytes  # lines of the site's, in each answer
    journal: Any  # of journal.SiteLog; None: there is no access log


class ShortWay:
    """`take` a client whose request has come."""

    def __init__(self, loop: "Loop", intake: "Intake") -> None:
        self._loop = loop
        self._intake = intake
        self.guests = loop.poller.guests
        extension = accelerator.IN_USE
        self._ask: Any = None
        if extension is not None:
            self._ask = extension.Asker(fate_of, loop.connections.epoll.fileno())
        # By number of the listener, without and with TLS.
        self._hosts: Tuple[Dict[int, HostTable], Dict[int, HostTable]] = ({}, {})
        # Of answers since `count` was called.
        self.started = self.answered = self.long = self.sent_bytes = self.application_ns = 0
        self.statuses = [0] * 10

    def take(self, client: "ClientConnection") -> bool:
        """Send a client's request to a daemon, if it is plain; False: nobody has looked at it."""
        about = client.packed
        if about is None or client.state != IDLE or client.owned or client.empty_lines or self._ask is None:
            return False
        loop = self._loop
        secure = client.tls is not None
        hosts = self._hosts[secure].get(client.listener)
        if hosts is None:
            self._hosts[secure][client.listener] = hosts = HostTable(loop.table, client.listener, secure)
        if not about:
            client.packed = about = packed(loop.facts(client))
            if about is None:
                return False
        request_id, arrived_us = next(loop.new_ids), loop.wall_us()
        limits, data = self._intake.limits, client.data
        found = self._ask(data, about, hosts.sites, request_id, arrived_us, limits.short_bytes, limits.fields)
        if found is None:
            return False
        if type(found) is str:
            hosts.learn(found)
            return False
        fd, route = found
        client.to(RUNNING)
        client.data = b""
        client.begun = client.owned = True
        client.deadline_ns = 0
        client.reply = request = ShortPassage(self, loop, client, fd, route, data, request_id, arrived_us)
        loop.replies.add(request)
        self.guests[fd] = request
        if route.timeout_ns:
            request.deadline_ns = deadline_ns = loop.now_ns + route.timeout_ns
            if not 0 < loop.deadlines.next_ns <= deadline_ns:
                loop.deadlines.expect(deadline_ns)
        self.started += 1
        return True

    def forget(self) -> None:
        """Let go of a table of routes: another one is in place."""
        for hosts in self._hosts:
            hosts.clear()

    def count(self, words: memoryview, now_ns: int) -> None:
        """Put on the board what has begun and ended."""
        words[_STARTED] += self.started
        words[_ANSWERED] += self.answered
        words[_ACTIVITY] = now_ns
        words[_SENT] += self.sent_bytes
        words[_APPLICATION_TIME] += self.application_ns
        words[QUEUE.first] += self.answered  # none has waited
        words[APPLICATION.first] += self.answered - self.long
        for hundreds, number in enumerate(self.statuses):
            if number:
                words[_STATUS_1XX - 1 + hundreds] += number
                self.statuses[hundreds] = 0
        self.started = self.answered = self.long = self.sent_bytes = self.application_ns = 0


class ShortPassage(Reply):
    """One request on the short way. What a Reply has is here as far as it may be asked for, `request` only then."""

    __slots__ = ("_arrived_us", "_began_ns", "_data", "_fd", "_id", "_route", "_way")

    def __init__(
        self,
        way: ShortWay,
        loop: "Loop",
        client: "ClientConnection",
        fd: int,
        route: Destination,
        data: bytes,
        request_id: str,
        arrived_us: int,
    ) -> None:
        self._way = way
        self.loop = loop
        self.client = client
        self.ended = False
        self.deadline_ns = 0
        self._fd = fd  # of the link; -1: it is closed, or another's
        self._route = route
        self._data = data  # the head
        self._id = request_id
        self._began_ns = loop.now_ns
        self._arrived_us = arrived_us

    def __getattr__(self, name: str) -> Any:
        if name != "request":
            raise AttributeError(name)
        self.request = found = self._request()
        return found

    def _request(self) -> Request:
        """Return what the long way knows of a request."""
        route, client, loop = self._route, self.client, self.loop
        head = heads.parse(self._data, client.base, client.keys, _TAKEN)
        environ, facts = head.environ, loop.facts(client)
        about = forwarding.facts_of(environ, facts, loop.connections.trust, self._arrived_us, lambda: self._id)
        path = environ["PATH_INFO"][len(route.prefix) :]
        match = Match(route.site_name, route.site, route.mount, None, route.prefix, path)
        request = Request(head, match, self._began_ns, facts, about)
        request.journal = route.journal
        request.own_fields = [route.own_fields.decode("latin-1")] if route.own_fields else []
        return request

    @property
    def method(self) -> str:
        """What is asked, for a line of the log: of a client that is gone there is nothing else to say."""
        return self.request.head.method

    @property
    def target(self) -> str:
        """As `method`."""
        return self.request.head.target

    def _by_the_long_way(self) -> Passage:
        """Have the request go on as any other one; the link is the passage's from now on."""
        loop, client, request, fd = self.loop, self.client, self.request, self._fd
        self._fd = -1
        self.ended = True
        self.deadline_ns = 0
        loop.replies.discard(self)
        client.head = request.head
        passage = Passage(loop, client, request, self._route.link, None)
        loop.take(client, passage)
        if fd >= 0:
            passage.follow(fd, self._began_ns)
        return passage

    def told(self, flags: int) -> None:
        """Take an event of the link's socket."""
        loop, client, route, fd = self.loop, self.client, self._route, self._fd
        connections = loop.connections
        if not connections.keeps or connections.surplus:  # the answer has to say so
            self._by_the_long_way().told(flags)
            return
        try:
            found = RELAY(fd, route.link.header_buffer_size_bytes, route.own_fields)
        except OSError as error:
            self._by_the_long_way().broken(error)
            return
        if found is None:
            return
        if type(found) is bytes:
            self._by_the_long_way().take_over(found)
            return
        status, length, there, data = found
        if there < length:
            self._by_the_long_way().go_on(status, length, there, data)
            return
        self._fd = -1
        way = self._way
        del way.guests[fd]
        os.close(fd)
        self.ended = self.whole = True
        self.deadline_ns = 0
        client.reply = None
        client.head = self  # type: ignore[assignment]  # as far as somebody asks, who finds the client gone
        client.answer = data
        loop.replies.discard(self)
        way.answered += 1
        way.statuses[status // 100] += 1
        way.sent_bytes += length
        application_ns = loop.now_ns - self._began_ns
        way.application_ns += application_ns
        if application_ns > QUICK_NS:
            way.long += 1
            loop.words[APPLICATION.index(application_ns)] += 1
        loop.table.counts.count(route.site_name)
        if route.journal is not None:
            self.status, self.body_bytes = status, length
            loop.record(route.journal, self)
        loop.poller.outbox.post(client)
        client.owned = False
        if client.more:
            loop.poller.ready.append((client, 0))

    def release(self) -> None:
        """Close the link."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._way.guests.pop(fd, None)
            os.close(fd)

    def heard(self, flags: int) -> None:
        """Take an event of the client's socket."""
        if flags & GONE:
            self._by_the_long_way().heard(flags)
        elif flags & _READ_EVENTS:
            self.client.more = True
            if flags & select.EPOLLRDHUP:
                self.client.gone = True

    def cut(self, reason: str, level: str = "warning") -> None:
        """As of every Reply."""
        self._by_the_long_way().cut(reason, level)

    def overdue(self) -> None:
        """The daemon has not answered in time."""
        self._by_the_long_way().overdue()

    def figures(self) -> Tuple[int, int, int]:
        """Return for how long it was queued, answered and sent, in nanoseconds."""
        return 0, self.loop.now_ns - self._began_ns, 0


class HostTable:
    """What the sites of one listener have, by the hosts that were asked for."""

    __slots__ = ("_known", "_most", "_place", "_scheme", "sites", "table")

    def __init__(self, table: RouteTable, listener: int, secure: bool) -> None:
        self.table = table
        self._place = table.place(listener)
        self._scheme = "https" if secure else "http"
        self._known: Dict[str, Optional[Tuple[_Entry, ...]]] = {}  # by the sites' keys
        own = 0 if self._place < 0 else len(table.routes.listeners[self._place].sites)
        self._most = _STRANGE_NAMES + 4 * own
        self.sites: Dict[str, Optional[Tuple[_Entry, ...]]] = {}  # host as it is written → entries; None: the long way

    def learn(self, host: str) -> None:
        """Find out what a host leads to; a full table is emptied."""
        if len(self.sites) >= self._most:
            self.sites.clear()
        name, site = ("", None) if self._place < 0 else self.table.router.site_of(self._place, host)
        if site is None:
            self.sites[host] = None
            return
        if name not in self._known:
            self._known[name] = entries(self.table, name, site, self._scheme)
        self.sites[host] = self._known[name]


def entries(table: RouteTable, name: str, site: SiteRoute, scheme: str) -> Optional[Tuple[_Entry, ...]]:
    """Return what the accelerator has to know of a site; None: the long way is for all of its requests."""
    prefixes = table.router.prefixes(name)
    if len(prefixes) > MOST_PREFIXES or (site.redirect_to_https and scheme == "http"):
        return None
    fields = "".join(["%s: %s\r\n" % field for field in pages.hsts(site, scheme == "https")]).encode("latin-1")
    journal = table.journal(name, site)
    # What a certificate authority looks for comes before everything else.
    found: List[_Entry] = [(WELL_KNOWN.rstrip("/").encode(), None, b"", (), None)]
    for prefix, mount in prefixes:
        constant, link = None, None
        if mount is not None:
            link = table.links[mount.group]
            constant = forwarding.constant_of(site.server_name, prefix, mount.application, scheme)
        if link is None or mount is None:  # files
            found.append((prefix.encode("latin-1"), None, b"", (), None))
            continue
        timeout_ns = int(link.socket_timeout_s * SECOND_NS)
        route = Destination(name, site, mount, prefix, link, timeout_ns, fields, journal)
        found.append((prefix.encode("latin-1"), constant, os.fsencode(link.socket), link.uids, route))
    return tuple(found)


def packed(connection: forwarding.ConnectionFacts) -> Optional[bytes]:
    """Return what a packet has of a connection, None if that depends on what its requests say."""
    tls = connection.tls
    if connection.trusted or not connection.remote_address:
        return None
    found = [
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("SERVER_PORT", connection.server_port or ("80" if tls is None else "443")),
        ("SERVER_ADDR", connection.server_address),
        ("REMOTE_ADDR", connection.remote_address),
        ("REMOTE_PORT", connection.remote_port),
        ("HTTP_X_FORWARDED_FOR", connection.remote_address),
    ]
    found += forwarding.tls_variables(tls)
    return b"".join([encoded(name) + encoded(value) for name, value in found])


def fate_of(name: str) -> str:
    """Return what becomes of a field of a stranger's request, as the accelerator calls it."""
    try:
        key = UNTRUSTED.of(name)
    except ProtocolError:
        return "left"
    if not key:
        return "gone"
    return _FATES.get(key) or ("passed" if forwarding.passes(key) else "hidden")


_FATES = {
    "CONTENT_LENGTH": "left",
    "CONTENT_TYPE": "left",
    "HTTP_CONNECTION": "connection",
    "HTTP_EXPECT": "left",
    "HTTP_HOST": "host",
    "HTTP_TRANSFER_ENCODING": "left",
}
RELAY: Any = None if accelerator.IN_USE is None else answers.relay(accelerator.IN_USE)
