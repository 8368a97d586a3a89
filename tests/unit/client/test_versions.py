"""A command and a manager of different versions: what is said must not be that one of them is broken."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgigroups import __version__
from wsgigroups.cli import failures
from wsgigroups.cli.output import write_data
from wsgigroups.client import SOCKET_NAME, Client
from wsgigroups.client.versions import OtherVersionError, PartialAnswer
from wsgigroups.errors import ExitCode, WsgigroupsError

Answering = Callable[[str, bytes], Client]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A client of a manager that gives one answer: its status line and body."""
    with tempfile.TemporaryDirectory(prefix="wg-") as directory, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/{SOCKET_NAME}")
        listener.listen()
        threads: list[threading.Thread] = []

        def answer(status: str, body: bytes) -> Client:
            def serve() -> None:
                peer = listener.accept()[0]
                with peer, peer.makefile("rb") as request:
                    length = 0
                    while (line := request.readline().strip()) != b"":
                        name, _, value = line.partition(b":")
                        length = int(value) if name.lower() == b"content-length" else length
                    request.read(length)
                    peer.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

            threads.append(threading.Thread(target=serve))
            threads[-1].start()
            return Client(Path(directory))

        yield answer
        for thread in threads:
            thread.join()


def test_what_an_answer_does_not_have_is_of_another_version(answering: Answering) -> None:
    client = answering("200 OK", json.dumps({"groups": [{"name": "a"}]}).encode())
    status: Any = client.status()
    assert status["groups"][0]["name"] == "a"
    assert status.get("gateway") is None
    for read in (lambda: status["gateway"], lambda: status["groups"][0]["running"]):
        with pytest.raises(OtherVersionError) as caught:
            read()
        assert f"of another version than this command ({__version__})" in caught.value.message
        assert "upgrade" in str(caught.value.hint)


def test_a_command_says_it_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as caught:
        PartialAnswer({})["paused_change"]
    assert failures.explain(caught.value, 0) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert said.startswith("error: cannot understand the manager, whose answer has no 'paused_change'")
    assert "internal" not in said


NO_ROUTE = json.dumps({"error": "cannot POST /v1/upgrade: Not Found", "hint": None, "exit_code": 2}).encode()


@pytest.mark.parametrize("body", [b"404: Not Found", b"[]", b"{}", NO_ROUTE])
@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_a_call_that_the_manager_does_not_know(status: str, body: bytes, answering: Answering) -> None:
    client = answering(status, body)
    with pytest.raises(OtherVersionError, match="does not know /v1/upgrade") as caught:
        client.upgrade(rehearse_only=True)
    assert caught.value.exit_code is ExitCode.FAILED


def test_what_is_not_found_is_no_other_version(answering: Answering) -> None:
    body = json.dumps({"error": "cannot find group 'a'", "hint": None, "exit_code": 4}).encode()
    with pytest.raises(WsgigroupsError, match="cannot find group") as caught:
        answering("404 Not Found", body).group("a")
    assert not isinstance(caught.value, OtherVersionError)


def test_a_configuration_that_the_manager_cannot_read(answering: Answering) -> None:
    error = 'cannot use this configuration: owners: unknown key "owners" in the configuration (WG0201)'
    body = json.dumps({"error": error, "hint": None, "exit_code": 2}).encode()
    with pytest.raises(OtherVersionError, match='unknown key "owners"'):
        answering("400 Bad Request", body).plan({"version": 1})


@pytest.mark.parametrize(("output", "text"), [("json", '{\n  "a": {\n    "b": 1\n  }\n}\n'), ("yaml", "a:\n  b: 1\n")])
def test_an_answer_is_written_as_any_document(output: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(PartialAnswer(a=PartialAnswer(b=1)), output)
    assert capsys.readouterr().out == text
