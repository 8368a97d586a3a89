"""Ids of requests: made for each, or taken from a trusted peer. One implementation for daemons and gateways.

Pure; any thread. An id names one request among all that the processes of this machine have ever answered: its first
part names the process, by its group, its slot and the moment of its start, and its last part is a number. To make one
costs an addition and a formatting, and no system call.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Iterator, Mapping

if TYPE_CHECKING:
    from .heads import Head

KEY = "REQUEST_ID"  # in environs, whose it is
FIELD = "X-Request-ID"
_SAID_KEY = "HTTP_X_REQUEST_ID"  # what the field is in an environ
_LINE = FIELD + ": %s\r\n"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
MODES = ("off", "environ", "response")


def numbered(identity: str, started_us: int) -> Iterator[str]:
    """Return the ids of one process, without end. identity: "group/slot"; started_us: when it was, since the epoch."""
    beginning = "%s-%x-" % (identity.replace("@", "").replace("/", "-"), started_us)
    return map((beginning.replace("%", "%%") + "%d").__mod__, itertools.count(1))


def is_id(text: Any) -> bool:
    """Tell whether this may be an id, whoever made it: 1 to 128 letters, digits and `. _ : / + = @ -`."""
    return type(text) is str and _WELL_FORMED.fullmatch(text) is not None


def told(environ: Mapping[str, Any]) -> str:
    """Return the id that a trusted peer has given to a request: its variable, else its field; "" if there is none."""
    text = environ.get(KEY) or environ.get(_SAID_KEY)
    return text if text is not None and is_id(text) else ""


def name(head: "Head", ids: Iterator[str], trusted: bool) -> None:
    """Give a request its id, for its application and for those who log. trusted: its peer may have said which."""
    environ = head.environ
    head.name = environ[KEY] = (told(environ) if trusted else "") or next(ids)


def line_of(head: "Head") -> bytes:
    """Return the line of an answer's head that tells the request's id; empty if it has none."""
    return (_LINE % head.name).encode("ascii") if head.name else b""
