"""The gateway's one loop: clients by the front's poller, links in the same epoll, and time. Nothing in it waits.

Runs in one thread, which owns everything here but what is said to come from others: `news`, `closing`, `settings`.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Sequence, Set, Tuple, cast

from ..front.connection import CLOSED, POSTED, Connection
from ..front.deadlines import Deadlines
from ..front.output import DONT_WAIT
from ..front.poller import Poller
from ..originals import Lock, select, time
from ..protocol.forwarding import Trust
from ..protocol.heads import Head
from ..protocol.limits import BUFFERED_BODY_BYTES
from ..wire.board import WORD
from ..wire.histograms import APPLICATION, QUEUE, QUICK_NS, SEND
from ..wire.spec import Serving
from . import files, forwarding, pages
from .asking import COLLECTED_BYTES
from .certificates import Certificates
from .client import ClientConnection, SiteListener
from .doors import Doorway
from .file_reply import FileReply
from .forwarding import ConnectionFacts
from .journal import SiteLog
from .passage import Passage
from .reply import Reply
from .request import Request
from .router import Match
from .short_way import ShortWay
from .table import RouteTable
from .tickets import Tickets
from .upload import Upload

BEAT_NS = 1_000_000_000
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
HELD_BYTES = 134_217_728  # of all bodies that have not come as a whole
_HEARTBEAT = WORD["heartbeat_ns"]
_STATUS_1XX = WORD["status_1xx"]
_STARTED, _ANSWERED, _ACTIVE = WORD["started_total"], WORD["requests_total"], WORD["requests_active"]
_SENT, _RECEIVED, _ACTIVITY = WORD["sent_bytes"], WORD["received_bytes"], WORD["last_activity_ns"]
_QUEUE_TIME, _APPLICATION_TIME = WORD["queue_time_ns"], WORD["application_time_ns"]
_SEND_TIME = WORD["send_time_ns"]
_NOWHERE = Match("", None, None, None, "", "")
_MOST_ACCEPTED = 16  # at a time, with siblings


class Timers:
    """What waits in a loop that has requests wait for nothing but time: answering.Waits."""

    runnable = 0

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop

    @property
    def next_expiry_ns(self) -> int:
        """When something is to be done at the latest."""
        next_ns, beat_ns = self._loop.deadlines.next_ns, self._loop.beat_ns
        return min(next_ns, beat_ns) if next_ns else beat_ns

    def __len__(self) -> int:
        return 0

    def expire(self, now_ns: int) -> List[Tuple[Connection, int, str]]:
        """Do it; nobody is left to be refused."""
        self._loop.keep_time(now_ns)
        return []


class Loop:
    """Answers requests by a table; answering.Answering for the front."""

    def __init__(
        self,
        poller: Poller,
        words: memoryview,
        settings: Serving,
        table: RouteTable,
        ids: Iterator[str],
        clock: Callable[[], int],
        log: Callable[[str, str], None],
    ) -> None:
        self.poller = poller
        self.connections = poller.connections
        self.words = words
        self.settings = settings
        self.clock = clock
        self.log = log
        self.now_ns = clock()
        self.beat_ns = self.now_ns
        self.deadlines = Deadlines(Lock())
        self.replies: Set[Reply] = set()
        self.table = table
        self.news: Deque[Callable[[], None]] = Deque()  # what others want done between two rounds
        self.closing = False
        self.on_failure: Callable[[], None] = lambda: None
        self.waiting = Timers(self)
        self.plain: List[ClientConnection] = []  # have spoken HTTP to a port where TLS is spoken
        self.new_ids = ids
        self._again: List[Tuple[ClientConnection, int]] = []  # for the next round
        self._journals: Dict[int, SiteLog] = {}  # with lines to write, by their ids
        self._wall_us = 0  # what turns our clock into that of the wall, which may be set meanwhile
        self._look_at_the_wall()
        poller.connections.answering = self
        self._short_way = ShortWay(self, poller.receiving.intake)

    def put_in_place(
        self, table: RouteTable, entrances: Sequence[SiteListener], certificates: Certificates, tickets: Tickets
    ) -> None:
        """Go by another table from now on."""
        before, self.table = self.table, table
        self._short_way.forget()
        table.counts.take_over(before.counts)
        guarded = False
        for entrance in entrances:
            entrance.doors = None
            listener = table.listener(entrance.number)
            if listener is not None and (listener.tls or listener.proxy_protocol):
                guarded = True
                entrance.doors = Doorway(
                    table.router,
                    table.place(entrance.number),
                    Trust(listener.proxy_protocol),
                    certificates if listener.tls else None,
                    tickets,
                    self.plain.append,
                    table.routes.challenges.pairs,
                )
        if guarded:  # and once it was, connections of then go on
            self.poller.read = self._read
        before.close()

    def _read(self, fd: int, most: int) -> bytes:
        """Read what an idle client has sent. Raises OSError."""
        client = cast(ClientConnection, self.connections.open[fd])
        return client.sock.recv(most, DONT_WAIT)

    # For the front: answering.Answering

    def places(self) -> int:
        """How many more connections may come at a time."""
        return _MOST_ACCEPTED

    def remaining(self) -> int:
        """How many more requests may begin at all: no limit."""
        return _MOST_ACCEPTED

    def ended(self) -> int:
        """How many calls have ended that somebody else led beside: there is nobody."""
        return 0

    def refused(self, connection: Connection, status: int, size: int, body_size: int) -> None:
        """Count an answer of the front's own, and write it to the access log of the listener's first site."""
        self.words[_STATUS_1XX + status // 100 - 1] += 1
        self.words[_SENT] += size
        client = cast(ClientConnection, connection)
        head = connection.head
        if head is None:
            base = connection.base
            environ = {"REMOTE_ADDR": base["REMOTE_ADDR"], "REQUEST_URI": "-", "SERVER_PROTOCOL": "-"}
            head = Head("-", "-", environ, True)
            head.keep_alive = False
        host = head.environ.get("HTTP_HOST", "")
        request = self._request(client, head, host, head.environ.get("PATH_INFO", ""))
        if request.journal is not None:
            reply = Reply(self, client, request, None)
            reply.status, reply.body_bytes, reply.whole = status, body_size, True
            self.record(request.journal, reply)

    # Requests

    def _request(self, client: ClientConnection, head: Head, host: str, path: str) -> Request:
        """Find out whose request it is."""
        table = self.table
        facts = self.facts(client)
        about = forwarding.facts_of(head.environ, facts, self.connections.trust, self.wall_us(), self.new_ids.__next__)
        place = table.place(client.listener)
        match = _NOWHERE if place < 0 else table.router.find(place, about.host or host, path)
        request = Request(head, match, self.now_ns, facts, about)
        if match.site is not None:
            request.journal = table.journal(match.site_name, match.site)
            if match.site.hsts_s:
                for field in pages.hsts(match.site, about.scheme == "https"):
                    request.own_fields.append("%s: %s\r\n" % field)
        return request

    def facts(self, client: ClientConnection) -> ConnectionFacts:
        """Return what is known of a connection; its first request has come."""
        found = client.facts
        if found is not None:
            return found
        base, tls = client.base, client.tls
        client.facts = found = ConnectionFacts(
            base["REMOTE_ADDR"],
            base["REMOTE_PORT"],
            base.get("SERVER_ADDR", ""),
            base.get("SERVER_PORT", "") if client.proxied or not client.unix else "",
            None if tls is None else tls.facts(),
            client.trusted,
        )
        return found

    def _look_at_the_wall(self) -> None:
        self._wall_us = (time.time_ns() - self.now_ns) // 1000

    def wall_us(self) -> int:
        """Return the time for people and for other processes, in microseconds since the epoch."""
        return self._wall_us + self.now_ns // 1000

    def begin(self, client: ClientConnection) -> None:
        """Answer a request that is complete, or as complete as it gets before somebody looks at it."""
        head = client.head
        assert head is not None
        if client.is_uwsgi:  # which is for daemons: whoever passes requests on to a gateway does it as everybody does
            client.owned = False
            self.connections.refuse(client, 400, "a uwsgi packet came to a gateway")
            return
        environ = head.environ
        request = self._request(client, head, environ.get("HTTP_HOST", ""), environ["PATH_INFO"])
        self.words[_STARTED] += 1
        match = request.match
        site, mount, static = match.site, match.mount, match.static
        challenge = self.table.challenge(environ["PATH_INFO"])
        if challenge is not None:
            reply = Reply(self, client, request, Upload.of(client))
            self.take(client, reply)
            reply.answer(200, "OK", [("Content-Type", "application/octet-stream")], challenge.encode())
        elif site is not None and site.redirect_to_https and _is_plain(request):
            reply = Reply(self, client, request, Upload.of(client))
            self.take(client, reply)
            status, location = pages.to_https(site, environ, self.table.https_port(match.site_name))
            reply.page(status, [("Location", location)])
        elif mount is not None:
            passage = Passage(self, client, request, self.table.links[mount.group], Upload.of(client))
            self.take(client, passage)
            passage.start()
        elif static is not None and site is not None:
            found = files.answer(self.table.directories[static.directory], match.path_info, environ, static.index)
            file_reply = FileReply(self, client, request, found, Upload.of(client))
            self.take(client, file_reply)
            file_reply.start(found)
        else:
            reply = Reply(self, client, request, Upload.of(client))
            self.take(client, reply)
            reply.page(404)

    def take(self, client: ClientConnection, reply: Reply) -> None:
        """Have this answer a client's request from now on."""
        client.reply = reply
        self.replies.add(reply)

    def leave(self, reply: Reply) -> None:
        """Forget an answer that has ended, and count it."""
        client, words = reply.client, self.words
        client.reply = None
        self.replies.discard(reply)
        words[_ANSWERED] += 1
        words[_ACTIVITY] = self.now_ns
        self.table.counts.count(reply.request.match.site_name)
        if reply.status:
            words[_STATUS_1XX - 1 + reply.status // 100] += 1
        words[_SENT] += reply.body_bytes
        if reply.upload is not None:
            words[_RECEIVED] += reply.upload.received_bytes
        elif reply.request.head.length:
            words[_RECEIVED] += reply.request.head.length
        queue_ns, application_ns, send_ns = reply.figures()
        words[_QUEUE_TIME] += queue_ns
        words[_APPLICATION_TIME] += application_ns
        words[QUEUE.index(queue_ns)] += 1
        words[APPLICATION.index(application_ns)] += 1
        if send_ns > QUICK_NS:  # it did not leave at once
            words[SEND.index(send_ns)] += 1
            words[_SEND_TIME] += send_ns
        if reply.request.journal is not None:
            self.record(reply.request.journal, reply)

    def record(self, journal: SiteLog, reply: Reply) -> None:
        """Have an answer that has ended written to an access log, between two rounds."""
        journal.record(reply)
        self._journals[id(journal)] = journal

    def may_keep(self, upload: Optional[Upload]) -> bool:
        """Whether an answer may leave its connection open; it is asked once for each."""
        connections = self.connections
        if not connections.keeps or (upload is not None and not upload.ended):
            return False
        if connections.surplus:
            connections.surplus -= 1
            return False
        return True

    def own_fields(self) -> List[Tuple[str, str]]:
        """Return what answers of the gateway's own have: Server and Date."""
        lines = self.connections.dates.lines[0].decode("ascii").split("\r\n")
        return [(name, value) for name, _colon, value in (line.partition(": ") for line in lines) if name]

    def again(self, reply: Reply, flags: int = 0) -> None:
        """Have an answer go on in the next round: others come first."""
        self._again.append((reply.client, flags))

    # The thread

    def run(self) -> None:
        """Serve until `closing`."""
        try:
            self.poller.listening.tell(0)
            while not self.closing:
                self.round()
            self.poller.outbox.send()
            self._write()
        except BaseException as error:  # noqa: BLE001 — whatever it is, it must not end in silence
            self.connections.report("the gateway's loop has failed", error)
            self.on_failure()

    def round(self) -> None:
        """Wait for events, and act on all that there are."""
        poller = self.poller
        if self._journals and not self._again:
            self._write()
        if self._short_way.started or self._short_way.answered:
            self._short_way.count(self.words, self.now_ns)
        self.words[_ACTIVE] = len(self.replies)
        poller.ready.extend(self._again)
        self._again.clear()
        poller.wait()
        self.now_ns = self.clock()
        while self.news:
            self.news.popleft()()
        heard = poller.heard
        if heard:
            poller.heard = []
            for reply, flags in heard:
                if not reply.ended:
                    try:
                        reply.told(flags)
                    except Exception as error:  # noqa: BLE001 — see `_guarded`
                        self._give_up(reply, error)
        ready = poller.ready
        # All of them: the poller reads at once what comes for an idle client, and may find the end of what it sends.
        while ready:
            connection, flags = ready.popleft()
            client: ClientConnection = connection  # type: ignore[assignment]  # all of ours are
            if client.reply is not None:
                self._guarded(client.reply, client.reply.heard, flags)
                continue
            if not flags and client.data and self._takes_short(client):
                continue
            if (
                flags and client.data and client.state <= POSTED
            ):  # what came before the client ended its side comes first
                client.more = True
                client.gone = client.gone or bool(flags & _ENDED)
                flags = 0
            complete = poller.act(client, flags)
            if complete is not None:
                self._begin(client)
        if self.plain:
            self._refuse_plain()

    def _refuse_plain(self) -> None:
        plain, self.plain[:] = self.plain[:], []
        for client in plain:
            if client.state != CLOSED:
                self.connections.refuse(client, 400, "plain HTTP came to a port where TLS is spoken")

    def _takes_short(self, client: ClientConnection) -> bool:
        """Whether the short way has taken a client's request, or has failed on it."""
        try:
            return self._short_way.take(client)
        except Exception as error:  # noqa: BLE001 — as below
            self._lose(client, error)
            return True

    def _begin(self, client: ClientConnection) -> None:
        try:
            self.begin(client)
        except Exception as error:  # noqa: BLE001 — ours, or no memory: this request only
            self._lose(client, error)

    def _lose(self, client: ClientConnection, error: Exception) -> None:
        if client.reply is not None:
            self._give_up(client.reply, error)
        else:
            self.connections.report("cannot answer a request of %s" % client.peer, error)
            self.connections.abort(client)

    def _guarded(self, reply: Reply, action: Callable[..., Any], *arguments: Any) -> None:
        """Act for one answer. An error of ours, or no memory, ends this one only."""
        if reply.ended:
            return
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001 — see above
            self._give_up(reply, error)

    def _give_up(self, reply: Reply, error: Exception) -> None:
        self.connections.report("cannot go on with a request of %s" % reply.client.peer, error)
        if not reply.ended:
            with contextlib.suppress(Exception):
                reply.cut("an error of the gateway's own", "error")
        if reply.client.state != CLOSED:
            self.connections.abort(reply.client)

    def keep_time(self, now_ns: int) -> None:
        """Beat the heart, and act on deadlines."""
        self.now_ns = now_ns
        if now_ns >= self.beat_ns:
            self.beat_ns = now_ns + BEAT_NS
            self.words[_HEARTBEAT] = now_ns
            self._look_at_the_wall()
            self._bound_bodies()
            self.poller.listening.tell(len(self.connections.open))
        for reply in cast("List[Reply]", self.deadlines.over(list(self.replies), now_ns)):  # type: ignore[arg-type]
            self._guarded(reply, reply.overdue)

    @property
    def collected_bytes(self) -> int:
        """Up to which size a body is taken in before a daemon hears of it."""
        return self.poller.receiving.intake.collected_bytes

    def _bound_bodies(self) -> None:
        """Hold less of each body while all of them together take much: longer ones are sent on as they come."""
        held = sum([len(client.data) + len(client.body) for client in self.connections.open.values()])
        intake = self.poller.receiving.intake
        intake.collected_bytes = COLLECTED_BYTES if held <= HELD_BYTES else BUFFERED_BODY_BYTES

    def _write(self) -> None:
        journals, self._journals = self._journals, {}
        for journal in journals.values():
            journal.flush()

    # For others: a list of what is answered, for the log

    def in_flight(self) -> List[str]:
        """Return method, path and age in seconds of each request that is being answered, the oldest first."""
        found = list(self.replies)  # at once: the loop goes on
        found.sort(key=lambda reply: reply.request.began_ns)
        now_ns = self.clock()
        text = "%s %s %.3f"
        return [
            text % (reply.request.head.method, reply.request.head.target, (now_ns - reply.request.began_ns) / 1e9)
            for reply in found
        ]


def _is_plain(request: Request) -> bool:
    """Whether it came without TLS, also to the proxy in front if there is one."""
    return request.connection.tls is None and request.facts.scheme != "https"
