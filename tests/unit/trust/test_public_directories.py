"""Whose directory is shown to everybody: links on the way belong to root, or to whom the directory belongs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.trust.public_directories import open_public_directory
from wsgigroups.trust.walking import UntrustedPathError

TENANT, OTHER = 4711, 4712


def inode(path: str, *, root: bool = True) -> int:
    fd = open_public_directory(path, root=root)
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


def test_links_are_followed_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "releases" / "12" / "static").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/12")
    (tmp_path / "absolute").symlink_to(tmp_path / "current" / ".." / "12")
    wanted = (tmp_path / "releases" / "12" / "static").stat().st_ino
    for way in ("current/static", "absolute/static", "releases/12/../12/./static"):
        assert inode(f"{tmp_path}/{way}", root=False) == wanted


@pytest.mark.parametrize(
    ("make", "number"),
    [("loop", "Too many"), ("file", "Not a directory"), ("gone", "No such file")],
)
def test_what_leads_nowhere_is_said(tmp_path: Path, make: str, number: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=number):
        inode(str(tmp_path / make))
    with pytest.raises(OSError, match="absolute"):
        inode("relative")


def test_descriptors_do_not_leak(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("loop", "gone"):
        with pytest.raises(OSError, match=r"."):
            inode(str(tmp_path / name))
    inode(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.root
@pytest.mark.parametrize(
    ("link_owner", "directory_owner", "allowed"),
    [(0, TENANT, True), (TENANT, TENANT, True), (TENANT, OTHER, False), (TENANT, 0, False)],
)
def test_a_tenant_leads_to_what_is_his_own(
    tmp_path: Path, link_owner: int, directory_owner: int, allowed: bool
) -> None:
    (tmp_path / "there").mkdir()
    os.chown(tmp_path / "there", directory_owner, directory_owner)
    (tmp_path / "link").symlink_to("there")
    os.chown(tmp_path / "link", link_owner, link_owner, follow_symlinks=False)
    if allowed:
        assert inode(f"{tmp_path}/link") == (tmp_path / "there").stat().st_ino
    else:
        with pytest.raises(UntrustedPathError, match=f"a link of uid {TENANT}"):
            inode(f"{tmp_path}/link")
