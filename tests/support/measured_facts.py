"""Facts of a manager with one group, for tests of what is made of them."""

from __future__ import annotations

from wsgigroups.metrics.facts import Facts, GroupFacts, ManagerFacts, ProcessFacts
from wsgigroups.runtime.wire.words import WORDS

MANAGER = ManagerFacts("1.2", "3.11.2", 7, 100.5, 1, False, 2.5, 4096)
WORDS_OF_ONE = {word.name: number for number, word in enumerate(WORDS, start=1)}


def facts() -> Facts:
    """A group with one process and what others have left behind, and a certificate with an odd name."""
    process = ProcessFacts(1, 9, WORDS_OF_ONE, 1.5, 1000, 600, 0.25, 12.0)
    ended = {"status_2xx": 100, "application_longer": 3, "cpu_us": 2_000_000, "ended:crashed": 2}
    group = GroupFacts("blog", "ready", 2, 1, 15, 4, False, True, ended, (process,))
    return Facts(MANAGER, (group,), {'/etc/"odd"\n\\name.crt': 12.5})
