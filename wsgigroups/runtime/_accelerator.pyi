from collections.abc import Callable
from typing import Any

from wsgigroups.runtime.gateway.answers import Answer
from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.protocol.responses import Prepared

class Reader:
    def __init__(self, head: type[Head], key_of: Callable[[str], str], /) -> None: ...
    def __call__(self, head: bytes, base: dict[str, Any], longest: int, most_fields: int, /) -> Head | None: ...

class Writer:
    def __init__(
        self,
        prepared: type[Prepared],
        kinds: dict[str, int],
        statuses: dict[str, tuple[int, bytes]],
        last_plain: int,
        line_limit: int,
        /,
    ) -> None: ...
    def __call__(self, status: Any, headers: Any, /) -> Prepared | None: ...

class PacketReader:
    def __init__(self, head: type[Head], key_of: Callable[[str], str], /) -> None: ...
    def __call__(self, packet: bytes, base: dict[str, Any], longest: int, most_variables: int, /) -> Head | None: ...

class AnswerReader:
    def __init__(self, answer: type[Answer], key_of: Callable[[str], str], /) -> None: ...
    def __call__(self, data: bytes, line_limit: int, longest: int, /) -> Answer | None: ...

def pack(environ: dict[str, Any], encoded: dict[str, bytes], parts: tuple[bytes | str, ...], /) -> bytes | None: ...
def arrive(listener: int, /) -> tuple[int, int, bytes]: ...

class Asker:
    def __init__(self, fate_of: Callable[[str], str], epoll: int, /) -> None: ...
    def __call__(
        self,
        data: bytes,
        about: bytes,
        sites: dict[str, Any],
        request_id: str,
        arrived_us: int,
        longest: int,
        most_fields: int,
        /,
    ) -> tuple[int, Any] | str | None: ...

class Relay:
    def __init__(self, answer: type[Answer], key_of: Callable[[str], str], /) -> None: ...
    def __call__(self, fd: int, line_limit: int, own: bytes, /) -> tuple[int, int, int, bytes] | bytes | None: ...
