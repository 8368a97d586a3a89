"""What `why` says of the last error: a traceback as it is, and of the stacks of threads what an application did."""

from __future__ import annotations

from typing import Any

import pytest

from wsgigroups.cli import why

RUNTIME = "/opt/wsgigroups/lib/python3.11/site-packages/wsgigroups/runtime"
STUCK = f"""in flight: GET /hang for 2.8 s
Thread wsgigroups-request-0 (most recent call last):
  File "{RUNTIME}/threads.py", line 51, in _bootstrap
    super()._bootstrap()
  File "{RUNTIME}/wsgi/caller.py", line 73, in answer
    result = self.application(environ, start_response)
  File "/srv/shop/shop.py", line 21, in hang
    time.sleep(100)
  File "/usr/lib/python3.11/time.py", line 1, in sleep
    pass

Thread wsgigroups-monitor (most recent call last):
  File "{RUNTIME}/calls/monitor.py", line 52, in _run
    self._keep_watch()
"""
RAISED = (
    'Traceback (most recent call last):\n  File "/srv/shop/shop.py", line 1, in <module>\n    import b\nKeyError: 1\n'
)


def said(traceback: str | None, *, stacks: bool) -> list[str]:
    group: dict[str, Any] = {
        "name": "shop",
        "state": "ready",
        "processes_ready": 1,
        "processes_wanted": 1,
        "scaled": False,
        "restarts": 1,
        "log": "/x.log",
        "processes": [],
        "not_in_force": {},
        "unreachable": {},
        "last_error": {"step": "", "life": 3, "message": "request-timeout", "traceback": traceback},
    }
    return list(why.sentences(group, stacks=stacks))[2:]  # type: ignore[arg-type]


def test_of_stacks_the_call_of_the_application_is_shown() -> None:
    assert said(STUCK, stacks=False) == [
        "  last error, life 3: request-timeout",
        "    in flight: GET /hang for 2.8 s",
        "    in /srv/shop/shop.py:21 in hang",
        "    all stacks: wsgigroups why shop --stacks",
    ]


@pytest.mark.parametrize(("told", "stacks"), [(STUCK, True), (RAISED, False), (RAISED, True), (None, False)])
def test_all_of_it_where_it_was_asked_for_and_of_an_error(told: str | None, stacks: bool) -> None:
    assert said(told, stacks=stacks)[1:] == [f"    {line}" for line in (told or "").rstrip().splitlines()]
