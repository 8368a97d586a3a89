"""Judging one component of a path: who can change it, by owner, mode, directory and access control list."""

from __future__ import annotations

import stat
import struct

import pytest

from wsgigroups.trust.judging import ROOT_ALONE, Fact, Trusted, judge

D, F, L = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK
SHARED = Fact("/tmp", 0, 0, D | 0o1777)
PLAIN = Fact("/srv", 0, 0, D | 0o755)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access control list as the kernel stores it, version 2."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (Fact("/x", 0, 0, D | 0o755), None),
        (Fact("/x", 1000, 0, D | 0o755), "belongs to uid 1000"),
        (Fact("/x", 1000, 0, D | 0o1777), "belongs to uid 1000"),
        (Fact("/x", 1000, 0, L | 0o777), "belongs to uid 1000"),
        (Fact("/x", 0, 0, L | 0o777), None),
        (Fact("/x", 0, 0, D | 0o777), "everybody"),
        (Fact("/x", 0, 0, F | 0o646), "everybody"),
        (Fact("/x", 0, 0, F | 0o1646), "everybody"),  # a sticky file is not protected by anything
        (Fact("/x", 0, 0, D | 0o1777), None),
        (Fact("/x", 0, 4, D | 0o775), "group 4"),
        (Fact("/x", 0, 0, D | 0o775), None),
        (Fact("/x", 0, 0, D | 0o775, acl=acl((1, 7, 0), (2, 7, 1000), (16, 7, 0))), "lets uid 1000"),
        (Fact("/x", 0, 0, D | 0o775, acl=acl((1, 7, 0), (8, 2, 1000), (16, 7, 0))), "lets group 1000"),
        (Fact("/x", 0, 0, D | 0o775, acl=acl((1, 7, 0), (2, 5, 1000), (8, 5, 1000), (16, 7, 0))), None),
        (Fact("/x", 0, 0, D | 0o775, acl=acl((2, 7, 0), (8, 7, 0))), None),
        (Fact("/x", 0, 0, D | 0o755, acl=acl((2, 7, 1000))), None),  # the mask, the group's bits, takes it back
        (Fact("/x", 0, 0, D | 0o775, acl=b"\x02\x00"), None),
    ],
)
def test_who_can_change_a_component(fact: Fact, why: str | None) -> None:
    doubt = judge(fact, PLAIN, ROOT_ALONE)
    assert (doubt is None) == (why is None)
    assert why is None or why in str(doubt)


def test_an_ordinary_user_trusts_itself_and_the_group_it_has_alone() -> None:
    joe = Trusted(frozenset({0, 1000}), frozenset({0, 1000}))
    assert judge(Fact("/home/joe", 1000, 1000, D | 0o775), PLAIN, joe) is None
    assert judge(Fact("/home/joe", 1000, 100, D | 0o775), PLAIN, joe) is not None
    assert judge(Fact("/home/ann", 1001, 1001, D | 0o755), PLAIN, joe) is not None


def test_a_further_name_of_a_file_is_doubted_where_everybody_can_make_one() -> None:
    assert judge(Fact("/tmp/log", 0, 0, F | 0o600, links=2), SHARED, ROOT_ALONE) is not None
    assert judge(Fact("/tmp/log", 0, 0, F | 0o600, links=1), SHARED, ROOT_ALONE) is None
    assert judge(Fact("/srv/log", 0, 0, F | 0o600, links=2), PLAIN, ROOT_ALONE) is None
