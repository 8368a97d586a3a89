"""When the leader looks at connections, and which of them it finds: none may be forgotten."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.driven import Driven
from support.gated import GET
from support.serving import Clock, receive_response

from wsgigroups.runtime.front.connection import Connection
from wsgigroups.runtime.front.deadlines import LOOK_NS, Deadlines

NOW_NS = 10**15


def connection(deadline_ns: int, *, owned: bool = False) -> Any:
    """As much of a connection as a deadline needs."""
    return SimpleNamespace(deadline_ns=deadline_ns, owned=owned)


@pytest.mark.parametrize(
    ("deadline_ns", "owned", "is_over", "looked_at_ns"),
    [
        (0, False, False, 0),
        (NOW_NS - 1, False, True, 0),
        (NOW_NS, False, True, 0),
        (NOW_NS + 1, False, False, NOW_NS + LOOK_NS),
        (NOW_NS + 10 * LOOK_NS, False, False, NOW_NS + 10 * LOOK_NS),
        (0, True, False, 0),  # its request is in the application
        (NOW_NS + 10 * LOOK_NS, True, False, NOW_NS + 10 * LOOK_NS),
        (NOW_NS - 1, True, False, NOW_NS + LOOK_NS),  # a request thread is about to give it back
    ],
)
def test_what_is_over_and_when_it_is_looked_at_again(
    deadline_ns: int, owned: bool, is_over: bool, looked_at_ns: int
) -> None:
    deadlines = Deadlines(threading.Lock())
    deadlines.expect(NOW_NS)
    one = connection(deadline_ns, owned=owned)
    assert deadlines.over([one], NOW_NS) == ([one] if is_over else [])
    assert deadlines.next_ns == looked_at_ns


def test_nothing_is_looked_at_before_the_first_deadline() -> None:
    deadlines = Deadlines(threading.Lock())
    deadlines.set(cast("Connection", connection(0)), NOW_NS)
    assert deadlines.over([connection(1)], NOW_NS - 1) == []
    assert deadlines.next_ns == NOW_NS


def test_a_connection_that_a_thread_gives_back_while_its_time_is_over_is_closed_nevertheless() -> None:
    """The leader looked after the thread had set the deadline, and before it gave the connection back."""
    clock = Clock()
    driven = Driven(clock=clock, keep_alive_timeout_s=5.0)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        driven.round(1)
        driven.send()
        assert receive_response(sock)[0] == 200
        (kept,) = driven.connections
        kept.owned = True
        for owned, left in ((True, 1), (False, 0)):
            kept.owned = owned
            clock.advance(5.1)
            driven.poller.wake()
            driven.poller.wait()
            assert len(driven.connections) == left
    driven.close()
