"""Access control lists as the kernel has them: whom they let in, and that nothing is left without them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from wsgigroups.trust.access_lists import encoded, let_in


def test_the_bytes_are_those_of_acl_5() -> None:
    assert encoded([7], [], 0o600).hex() == (
        "02000000"
        "01000600ffffffff"  # the owner
        "0200060007000000"  # user 7
        "04000000ffffffff"  # the group that the file has
        "10000600ffffffff"  # the mask
        "20000000ffffffff"  # others
    )


def test_it_is_set_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    try:
        let_in(str(path), [12345], [23456], 0o600)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("this file system has no access control lists")
    assert os.getxattr(path, "system.posix_acl_access") == encoded([12345], [23456], 0o600)
    let_in(str(path), [], [], 0o660)
    assert "system.posix_acl_access" not in os.listxattr(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(0o600)
    (tmp_path / "link").symlink_to(target)
    for uids in ([12345], []):
        with pytest.raises(OSError, match=r".+"):
            let_in(str(tmp_path / "link"), uids, [], 0o666)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listxattr(target) == []
