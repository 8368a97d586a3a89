"""The corpus over real sockets to real processes, whole and in pieces: the verdicts of the unit tests hold there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import corpus
from support.serving_processes import answer, processes


def verdict_of(data: bytes) -> Any:
    """Return a refusal's status, or the environ that the application reported."""
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 100:  # whether the body was waited for depends on when it came
        return verdict_of(body)
    return json.loads(body) if status == 200 and body.startswith(b"{") else status


def is_right(found: Any, verdict: Any) -> bool:
    """Tell whether this is the corpus's verdict, as far as JSON can tell."""
    if isinstance(verdict, int):
        return bool(found == verdict)
    if verdict.get("HTTP_TRANSFER_ENCODING"):  # the corpus has what is known before a chunked body is collected
        length = str(len(verdict.get("body", b"")))
        verdict = {**verdict, "CONTENT_LENGTH": length, "HTTP_TRANSFER_ENCODING": None}
    expected = {
        key: value.decode("latin-1") if isinstance(value, bytes) else value
        for key, value in verdict.items()
        if not key.startswith("wsgi.")
    }
    return isinstance(found, dict) and {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_corpus(unix: bool) -> None:
    wrong = []
    with processes("reporting_app:application", unix=unix) as servers:
        for name, data, verdict in corpus.CASES:
            for pieces in ([data], data.splitlines(keepends=True)[:200]):
                found = verdict_of(answer(servers, pieces))
                if not is_right(found, verdict):
                    wrong.append((name, found, verdict))
        assert wrong == []
        assert "Traceback" not in servers.logged()
        assert servers.stop(servers.processes[0]) == 0


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_corpus_byte_by_byte(unix: bool) -> None:
    wrong = []
    with processes("reporting_app:application", unix=unix) as servers:
        for name, data, verdict in corpus.CASES:
            if len(data) < 600:
                found = verdict_of(answer(servers, [data[index : index + 1] for index in range(len(data))]))
                if not is_right(found, verdict):
                    wrong.append((name, found, verdict))
    assert wrong == []
