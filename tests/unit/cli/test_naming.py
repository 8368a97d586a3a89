"""Names of groups and processes on a command line, and patterns of them."""

from __future__ import annotations

import click
import pytest

from wsgigroups.cli.naming import NamedPart, split, spread
from wsgigroups.errors import ExitCode, WsgigroupsError

GROUPS = ["blog", "dj-admin", "dj-shop", "@gateway"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ()),
        (["blog", "shop"], ("blog", "shop")),  # whether it is there is for others to say
        (["dj*"], ("dj-admin", "dj-shop")),
        (["dj-[as]*", "blog"], ("dj-admin", "dj-shop", "blog")),
        (["dj-sho?/2", "dj*"], ("dj-shop/2", "dj-admin", "dj-shop")),
        (["*"], ("blog", "dj-admin", "dj-shop")),
        (["@gateway"], ("@gateway",)),
        (["blog", "b*"], ("blog",)),
    ],
)
def test_patterns_stand_for_groups(names: list[str], found: tuple[str, ...]) -> None:
    assert spread(names, GROUPS) == found


def test_a_pattern_that_nothing_matches() -> None:
    with pytest.raises(WsgigroupsError, match=r"matches 'x\*'") as caught:
        spread(["x*"], GROUPS)
    assert (caught.value.exit_code, caught.value.hint) == (
        ExitCode.NO_SUCH_GROUP,
        "groups here: blog, dj-admin, dj-shop, @gateway",
    )


def test_slots() -> None:
    assert split(["a/1", "a/3", "b"]) == {"a": NamedPart(slots={1, 3}), "b": NamedPart(whole=True)}
    assert split(["a/1", "a"]) == split(["a", "a/1"]) == {"a": NamedPart(whole=True, slots={1})}
    for text in ("a/", "a/x", "a/1/2", "a/²"):
        with pytest.raises(click.UsageError, match="write GROUP or GROUP/SLOT"):
            split([text])
