"""`status --watch` where nothing can be overwritten: whoever reads the pipe sees each look at once."""

from __future__ import annotations

import io

import pytest
from support.statuses import group, status

from wsgigroups.cli import watching


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_each_look_is_written_before_the_next(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="utf-8"))
    looks: list[int] = []

    def rest(_seconds: float) -> None:
        looks.append(written.getvalue().count(b"GROUP"))
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", rest)
    with pytest.raises(KeyboardInterrupt):
        watching.watch_status(lambda: status(group("blog")), "auto", named=False, wide=False, sites=False)
    assert looks == [1, 2, 3]
