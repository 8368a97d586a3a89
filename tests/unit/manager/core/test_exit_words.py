"""What an exit code says of a process that could not say anything itself."""

from __future__ import annotations

import pytest

from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager.core.exit_words import WORDS, of_step
from wsgigroups.runtime.wire.exits import STEPS


def test_each_step_has_words() -> None:
    assert WORDS.keys() == STEPS.keys()


def test_a_step_is_named() -> None:
    assert of_step(Exit(217, 0)) == ' (step "serving": its threads, listeners or other descriptors cannot be used)'


@pytest.mark.parametrize("status", [Exit(0, 0), Exit(1, 0), Exit(199, 0), Exit(255, 0), Exit(-1, 9), Exit(-1, 0)])
def test_other_ends_are_no_step(status: Exit) -> None:
    assert of_step(status) == ""
