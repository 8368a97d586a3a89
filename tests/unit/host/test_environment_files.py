"""Lines of environment files that no environment can have, by their number and never by their text."""

from __future__ import annotations

import pytest

from wsgigroups.host.environment_files import refused_line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=b\nC=d \\\n  e\n", "line 2 ends with a backslash"),
        ("A=b\\\r\n", "line 1 ends with a backslash"),
        ("# \\\n\nexport A=secret\\\n", "line 3 ends with a backslash"),
        ('A="x\ny\\\n"\nB=c\\\n', "line 4 ends with a backslash"),
        ("A=b\nB=secret\0\n", "line 2 holds a NUL character"),
        ('A="\n\0"\n', "line 2 holds a NUL character"),
    ],
)
def test_a_line_is_named(text: str, said: str) -> None:
    found = refused_line(text)
    assert found is not None
    assert found[0].startswith(said)
    assert found[1]
    assert "secret" not in "".join(found)


@pytest.mark.parametrize(
    "text", ["", "A=b\n", "# a comment \\\n", "A='b\\'\n", 'A="b\nc\\\nd"\n', "A=\\\\server\\share\n", "A\n"]
)
def test_what_is_plain_passes(text: str) -> None:
    assert refused_line(text) is None
