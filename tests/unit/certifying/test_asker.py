"""What the helper that talks to an authority makes of its words, and what it says without its library."""

from __future__ import annotations

import email.utils
import time

import pytest

from wsgigroups.certifying import asker


@pytest.mark.parametrize(("text", "expected"), [("120", 120.0), (" 0 ", 0.0), ("soon", None), ("", None), ("-3", None)])
def test_how_long_an_authority_wants_to_be_left_alone(text: str, expected: float | None) -> None:
    assert asker.seconds_of(text) == expected


def test_a_date_is_as_good() -> None:
    found = asker.seconds_of(email.utils.formatdate(time.time() + 3600, usegmt=True))
    assert found is not None
    assert 3500 < found <= 3600
    assert asker.seconds_of(email.utils.formatdate(0, usegmt=True)) == 0.0


def test_without_the_library_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker, "_lacking", asker.MISSING)
    assert asker.answer({}) == {"error": asker.MISSING}
    assert "pip install 'wsgigroups[acme]'" in asker.MISSING


def test_an_authority_that_cannot_be_reached_is_an_answer() -> None:
    asked = {"step": "begin", "directory": "https://127.0.0.1:1/dir", "contact": [], "ca": "", "account": None}
    found = asker.answer({**asked, "names": ["a.example.org"], "challenge": "http-01"})
    assert "Connection" in found["error"]
    assert "kind" not in found
