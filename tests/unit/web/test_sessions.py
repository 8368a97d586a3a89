"""Links and sessions: what opens one, how often, and for how long."""

from __future__ import annotations

from wsgigroups.web import sessions
from wsgigroups.web.sessions import OpenedSession, Sessions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened_in(kept: Sessions) -> OpenedSession:
    opened = kept.open(kept.link())
    assert opened is not None
    return opened


def knows(kept: Sessions, session: OpenedSession) -> bool:
    return kept.known({session.cookie_name: session.cookie}, session.key) is not None


def test_a_link_opens_one_session_once() -> None:
    kept = Sessions()
    token = kept.link()
    opened = kept.open(token)
    assert opened is not None
    assert kept.known({opened.cookie_name: opened.cookie, "other": "x"}, opened.key) == opened.cookie_name
    assert kept.open(token) is None


def test_each_secret_alone_opens_nothing() -> None:
    kept = Sessions()
    one, other = opened_in(kept), opened_in(kept)
    cookies = {one.cookie_name: one.cookie}
    for given, key in (
        (cookies, ""),
        (cookies, other.key),
        (cookies, one.cookie),
        ({}, one.key),
        ({one.cookie_name: other.cookie}, one.key),
        ({one.cookie_name: ""}, one.key),
        ({other.cookie_name: one.cookie}, one.key),
        ({}, ""),
    ):
        assert kept.known(given, key) is None
    assert knows(kept, one)
    kept.close(one.key)
    assert not knows(kept, one)
    assert knows(kept, other), "several tabs of a browser have a session each"
    token = kept.link()
    kept.end_all()
    assert not knows(kept, other)
    assert kept.open(token) is None


def test_links_and_sessions_end() -> None:
    clock = Clock()
    kept = Sessions(clock)
    token = kept.link()
    clock.now += sessions.LINK_S + 1
    assert kept.open(token) is None
    opened = opened_in(kept)
    for _ in range(3):  # who looks stays
        clock.now += sessions.IDLE_S - 1
        assert knows(kept, opened)
    clock.now += sessions.IDLE_S + 1
    assert not knows(kept, opened)
    assert not knows(kept, opened)


def test_there_are_few_links_and_sessions() -> None:
    kept = Sessions()
    tokens = [kept.link() for _ in range(sessions.LINKS + 1)]
    assert kept.open(tokens[0]) is None
    assert kept.open(tokens[1]) is not None
    known = [knows(kept, session) for session in [opened_in(kept) for _ in range(sessions.SESSIONS + 1)]]
    assert known == [False, *[True] * sessions.SESSIONS]


def test_texts_that_are_no_secrets_do_no_harm() -> None:
    kept = Sessions()
    assert kept.open("\ud800") is None
    assert kept.known({"\ud800": "\ud800"}, "\udfff") is None
