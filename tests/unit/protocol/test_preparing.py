"""What an application says of its answer: checked, encoded, and remembered only where it cannot be a secret."""

from __future__ import annotations

from typing import Any

import pytest

from wsgigroups.runtime.protocol.preparing import FieldTooLargeError, Preparer

TEXT = ("Content-Type", "text/plain")


def prepared(preparer: Preparer, status: Any = "200 OK", fields: Any = None) -> tuple[int, bytes, int | None]:
    """Prepare three times, as for three answers, and return what came of the last."""
    for _ in range(3):
        found = preparer.prepare(status, [TEXT] if fields is None else fields)
    first, _, fields_of_it = b"".join(found.lines).partition(b"\r\n")
    assert first == b"HTTP/1.1 " + status.encode("latin-1")
    return found.code, fields_of_it, found.length


def remembered(preparer: Preparer) -> str:
    """Return everything that a preparer has kept, as text."""
    return repr([getattr(preparer, name) for name in Preparer.__slots__])


def test_what_differs_in_anything_is_said_so() -> None:
    preparer = Preparer(0)
    text = b"Content-Type: text/plain\r\n"
    cases: list[tuple[str, list[tuple[str, str]], tuple[int, bytes, int | None]]] = [
        ("200 OK", [TEXT], (200, text, None)),
        ("404 Not Found", [TEXT], (404, text, None)),
        ("404 Not Found", [], (404, b"", None)),
        ("404 Not Found", [("Content-Type", "text/html")], (404, b"Content-Type: text/html\r\n", None)),
        ("404 Not Found", [TEXT, ("Content-Length", "5")], (404, text + b"Content-Length: 5\r\n", 5)),
        ("404 Not Found", [("content-length", "6"), TEXT], (404, b"content-length: 6\r\n" + text, 6)),
        ("204 No Content", [("Content-Length", "6")], (204, b"", 6)),  # RFC 9110 section 8.6
        ("204 No Content", [("CONTENT-LENGTH", "7")], (204, b"", 7)),
        ("200 OK", [("Content-Length", "0")], (200, b"Content-Length: 0\r\n", 0)),
        ("200 OK", [("Content-Length", "9" * 30)], (200, b"Content-Length: %b\r\n" % (b"9" * 30), int("9" * 30))),
    ]
    for status, fields, wanted in [*cases, *reversed(cases)]:
        assert prepared(preparer, status, fields) == wanted


def test_what_an_application_changes_afterwards_is_not_said_for_it() -> None:
    preparer = Preparer(0)
    field = ["X-Number", "1"]
    fields: list[Any] = [field]
    assert prepared(preparer, fields=fields)[1] == b"X-Number: 1\r\n"
    field[1] = "2"
    assert prepared(preparer, fields=fields)[1] == b"X-Number: 2\r\n"
    fields[:] = [TEXT]
    assert prepared(preparer, fields=fields)[1] == b"Content-Type: text/plain\r\n"
    fields.append(("X-Number", "3"))
    assert prepared(preparer, fields=fields)[1] == b"Content-Type: text/plain\r\nX-Number: 3\r\n"


def test_an_error_is_one_each_time() -> None:
    preparer = Preparer(30)
    prepared(preparer)
    for _ in range(3):
        with pytest.raises(TypeError, match="must be a list"):
            preparer.prepare("200 OK", (TEXT,))
        with pytest.raises(FieldTooLargeError):
            preparer.prepare("200 OK", [("X-Long", "x" * 40)])
        with pytest.raises(FieldTooLargeError):
            preparer.prepare("200 OK", [("Content-Type", "x" * 40)])
        for twice in ("Content-Length", "content-length"):
            with pytest.raises(ValueError, match="more than one Content-Length"):
                preparer.prepare("200 OK", [("Content-Length", "1"), (twice, "1")])


@pytest.mark.parametrize(
    "field",
    [
        ("Content-Length", "-1"),
        ("Content-Length", " 1"),
        ("Content-Length", ""),
        ("Content-Length", "\u0663"),  # a digit, and no ASCII
        ("Content-Length", 5),
        ("Content-Type", b"text/plain"),
        (b"Content-Type", "text/plain"),
        (["Content-Type"], "text/plain"),
        ("Content-Type", ["text/plain"]),
        ("Content Type", "text/plain"),
        ("", "x"),
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\x0bb"),
        ("X", "\x7f"),
        ("X", "\u0151"),
        ("Connection", 5),
        ("transfer-encoding", b"chunked"),
        ("Keep-Alive", "a\r\nb"),
        ("one", "two", "three"),
    ],
)
def test_what_is_no_field_is_refused(field: Any) -> None:
    preparer = Preparer(0)
    for fields in ([field], [TEXT, field]):
        with pytest.raises((TypeError, ValueError)):
            preparer.prepare("200 OK", fields)
    assert prepared(preparer, fields=[("X", "caf\xe9\xa0")])[1] == b"X: caf\xe9\xa0\r\n"


@pytest.mark.parametrize("nothing", ["", None, 200, ["200 OK"], "200", "99 x", "200 a\nb", "101 Switching Protocols"])
@pytest.mark.parametrize("fields", [[], [TEXT]])
def test_what_is_no_status_is_refused_even_if_it_is_said_first(nothing: Any, fields: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="status must be"):
        Preparer(0).prepare(nothing, fields)


def test_no_value_outlives_its_answer_that_may_be_a_users() -> None:
    preparer = Preparer(0)
    for name in ("Set-Cookie", "ETag", "Location", "X-Token", "WWW-Authenticate", "Content-Disposition", "Link"):
        for spelled in (name, name.lower()):
            preparer.prepare("200 OK", [TEXT, (spelled, "a-secret"), ("Content-Length", "4711")])
    assert "text/plain" in remembered(preparer)
    assert "secret" not in remembered(preparer)
    assert "4711" not in remembered(preparer)


def test_what_is_remembered_stays_small() -> None:
    preparer = Preparer(0)
    for number in range(3000):
        fields = [("Content-Type", f"text/{number}"), (f"X-{number}", "1"), ("Vary", "v" * number)]
        preparer.prepare(f"200 {number}", fields)
    assert len(remembered(preparer)) < 200_000
