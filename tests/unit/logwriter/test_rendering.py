"""Records as text and as JSON: whose they are is never theirs to say, and no line is another's."""

from __future__ import annotations

import json

from wsgigroups.runtime.logwriter.rendering import LogAuthor, as_json, as_text, entry, stamp, with_priorities

NOW_NS = 1_800_000_000_123_456_789
WHOSE = LogAuthor("blog", 2, 7, 99)


def test_text_has_the_form_of_every_record() -> None:
    said = entry("error", NOW_NS, NOW_NS, "first\n\tsecond\n", "r-1", 100)
    expected = b"2027-01-15T08:00:00.123Z blog/2 life=7 pid=99 child=100 request=r-1 error: first\n    \tsecond\n"
    assert as_text(WHOSE, said) == expected


def test_a_line_cannot_be_forged() -> None:
    text = "x\n2027-01-15T08:00:00.123Z shop/1 life=1 pid=1 error: forged\r\x1b[2J\u202e"
    first, second, end = as_text(WHOSE, entry("info", NOW_NS, NOW_NS, text)).decode().split("\n")
    assert first.endswith("info: x")
    assert second.startswith("    2027")
    assert second.endswith("forged\\r\\x1b[2J\\u202e")
    assert end == ""
    assert as_json(WHOSE, entry("info", NOW_NS, NOW_NS, text)).count(b"\n") == 1


def test_facts_of_a_process_that_cannot_be_are_put_right() -> None:
    said = entry("error: forged", 5, NOW_NS, "x", "a b\n")
    assert (said.level, said.time_ns, said.request_id) == ("output", NOW_NS, "")


def test_json_has_the_names_of_opentelemetry() -> None:
    found = json.loads(as_json(WHOSE, entry("warning", NOW_NS, NOW_NS, "two\nlines", "r-1")))
    assert found == {
        "Timestamp": stamp(NOW_NS),
        "SeverityText": "WARN",
        "SeverityNumber": 13,
        "Body": "two\nlines",
        "Resource": {"service.name": "blog", "service.instance.id": "blog/2"},
        "Attributes": {"process.pid": 99, "wsgigroups.life": 7, "wsgigroups.request.id": "r-1"},
    }
    printed = json.loads(as_json(WHOSE, entry("stderr", NOW_NS, NOW_NS, "x")))
    assert printed["Attributes"]["log.iostream"] == "stderr"
    assert "SeverityText" not in printed


def test_each_line_for_the_journal_has_its_priority() -> None:
    assert with_priorities(b"a\n    b\n", "error") == b"<3>a\n<3>    b\n"
    assert with_priorities(b"a\n", "stdout") == b"<6>a\n"
