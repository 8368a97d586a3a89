"""The field lines of a head by httptools (llhttp) or by h11, one interface: whole head in, (name, value) pairs out.

Runs in whichever thread parses. A head that comes here is complete and has passed `heads.check`, so every engine sees
the same well-formed lines; what one of them refuses nevertheless is refused with 400 (`heads.parse`). Names in any
case; white space around a value is the caller's to remove. The engines never see a body: framing is decided once, in
`heads`, for all.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

from .errors import ProtocolError

Fields = List[Tuple[bytes, bytes]]
Engine = Callable[[bytes], Fields]


def split(head: bytes) -> Fields:
    """Return the fields of a checked head without any library: the reference, and the arbiter when an engine refuses.

    Raises ProtocolError(400) for a line without a colon; names are checked by `names.Keys`.
    """
    fields = []
    for line in head[:-4].split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ProtocolError(400, "a field line has no colon")
        fields.append((name, value))
    return fields


class _Collector:
    """What llhttp reports of one head."""

    def __init__(self, httptools: Any) -> None:
        self.fields: Fields = []
        self.reusable = False
        self.parser = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        # Only here: afterwards llhttp has forgotten the message, and would say yes to every one. After a body or
        # "Connection: close" a parser does not start over.
        self.reusable = self.parser.should_keep_alive()


class Httptools:
    """llhttp. Parsers are reused while they are at the start of a message; list.pop and append share them safely."""

    def __init__(self, httptools: Any) -> None:
        self._httptools = httptools
        self._error = httptools.HttpParserError
        self._upgrade = httptools.HttpParserUpgrade
        self._idle: List[_Collector] = []

    def __call__(self, head: bytes) -> Fields:
        """Return the fields. Raises ProtocolError."""
        try:
            collector = self._idle.pop()
        except IndexError:
            collector = _Collector(self._httptools)
        fields: Fields = []
        collector.fields = fields
        collector.reusable = False
        try:
            collector.parser.feed_data(head)
        except self._upgrade:  # CONNECT or an upgrade: the head is parsed, this parser has done its work
            return fields
        except self._error as error:
            raise ProtocolError(400, "llhttp: %s" % error) from None
        if collector.reusable:
            self._idle.append(collector)
        return fields


class H11:
    """h11, for an interpreter that has no httptools."""

    def __init__(self, h11: Any) -> None:
        self._h11 = h11

    def __call__(self, head: bytes) -> Fields:
        """Return the fields. Raises ProtocolError.

        h11 only judges: what it returns is mended already ("Content-Length: 3, 3" has become one 3), and what was sent
        has to be judged as it was sent.
        """
        connection = self._h11.Connection(self._h11.SERVER, max_incomplete_event_size=len(head) + 1)
        try:
            connection.receive_data(head)
            event = connection.next_event()
        except self._h11.RemoteProtocolError as error:
            raise ProtocolError(400, "h11: %s" % error) from None
        if not isinstance(event, self._h11.Request):
            raise ProtocolError(400, "h11: no request")
        return split(head)


def choose(httptools: Optional[Any], h11: Optional[Any]) -> Tuple[str, Engine]:
    """Return the best engine and its name: "httptools", else "h11", else "split"."""
    if httptools is not None:
        return "httptools", Httptools(httptools)
    if h11 is not None:
        return "h11", H11(h11)
    return "split", split
