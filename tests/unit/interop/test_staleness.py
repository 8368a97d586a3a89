"""What `render --check` says of files that are not what is rendered."""

from __future__ import annotations

from wsgigroups.interop.renderers.staleness import MOST_LINES, hiding, stale


def test_what_is_as_it_should_be_is_not_named() -> None:
    assert stale({"a": "1\n", "b": "2\n"}, {"a": "1\n", "b": "2\n"}) == {}


def test_a_missing_file_and_another_text() -> None:
    said = stale({"a": "1\n", "b": "1\n2\n3\n4\n5\n"}, {"a": None, "b": "1\n2\nx\n4\n5\n"})
    assert said == {
        "a": ["is not there"],
        "b": ["is stale", "  --- on disk", "  +++ rendered", "  @@ -2,3 +2,3 @@", "   2", "  -x", "  +3", "   4"],
    }


def test_only_the_ends_of_lines() -> None:
    assert stale({"a": "1\n"}, {"a": "1\r\n"}) == {
        "a": ["is stale", "  only ends of lines differ, or values that are not shown"]
    }


def test_a_long_difference_is_cut() -> None:
    (lines,) = stale({"a": "x\n" * 100}, {"a": "y\n" * 100}).values()
    assert len(lines) == 1 + MOST_LINES + 1
    assert lines[-1] == f"  … and {203 - MOST_LINES} more lines"


def test_neither_secrets_nor_controls_are_shown() -> None:
    before = 'SetEnv PASSWORD abc\n    SetEnv KEY "a \\"b\nc"\nA \x1b[2J\n'
    after = 'SetEnv PASSWORD def\n    SetEnv OTHER "d\ne"\nB\n'
    (lines,) = stale({"a": after}, {"a": before}, hiding(("SetEnv",))).values()
    assert lines[4:] == [
        "   SetEnv PASSWORD …", "  -    SetEnv KEY …", "  -A \\x1b[2J", "  +    SetEnv OTHER …", "  +B",
    ]  # fmt: skip


def test_a_secret_alone_has_changed() -> None:
    said = stale({"a": "SetEnv PASSWORD abc\n"}, {"a": "SetEnv PASSWORD def\n"}, hiding(("SetEnv",)))
    assert said == {"a": ["is stale", "  only ends of lines differ, or values that are not shown"]}
