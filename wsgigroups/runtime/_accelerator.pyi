from collections.abc import Callable
from typing import Any

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
