"""uwsgi packets: what is written is what is read, and what does not fit is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway.packets import MOST_BYTES, PacketError, packet
from wsgigroups.runtime.protocol import uwsgi

TEXTS = st.text(st.characters(max_codepoint=255), max_size=600)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20))
def test_what_is_written_is_read(variables: list[tuple[str, str]]) -> None:
    written = packet(variables)
    assert uwsgi.size_of(written[:4]) == len(written)
    assert uwsgi.variables(written) == variables


def test_as_much_as_there_is_room_for() -> None:
    assert len(packet([("A", "x" * (MOST_BYTES - 5))])) == MOST_BYTES + 4
    for variables in (
        [("A", "x" * (MOST_BYTES - 4))],
        [("A", "x" * 70000)],
        [("A" * 70000, "")],
        [("A", "x" * 999)] * 99,
    ):
        with pytest.raises(PacketError, match="room for 65535"):
            packet(variables)


def test_what_is_no_byte_is_refused() -> None:
    with pytest.raises(PacketError, match="Latin-1"):
        packet([("A", "\u0100")])
