"""Any bytes: no request reaches an application that one of four other parsers refuses, beyond a written list."""

from __future__ import annotations

from hypothesis import given, settings
from support.feeding import reaching
from support.mutations import nearly_requests
from support.peers import PEERS, as_others_would_have_it


@settings(max_examples=3000)
@given(nearly_requests())
def test_no_request_reaches_an_application_that_others_refuse(data: bytes) -> None:
    ours = reaching(data)
    if ours and data[0]:  # a uwsgi packet is nothing to the others
        same, _reasons = as_others_would_have_it(data)
        counts = {peer: count(same) for peer, count in PEERS.items()}
        assert ours <= min(counts.values()), counts
