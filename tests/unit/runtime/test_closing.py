"""A forked child closes all that it was not given, whatever the kernel has for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CODE = """
import os, sys
from wsgigroups.runtime import kernel
way = sys.argv[1]
def refused(*arguments):
    raise OSError(38, "Function not implemented")
if way != "close_range":
    kernel.system_call = refused
if way == "each":
    kernel._open_descriptors = lambda: None
pipes = [os.pipe() for _ in range(200)]
kept = {0, 1, 2, pipes[0][0], pipes[7][1], pipes[199][1]}
kernel.close_all_except(kept)
left = set()
for number in range(1024):
    try:
        os.fstat(number)
    except OSError:
        continue
    left.add(number)
assert left == kept, (left, kept)
"""


@pytest.mark.parametrize("way", ["close_range", "listing", "each"])
def test_only_what_is_kept_stays_open(way: str) -> None:
    done = subprocess.run([sys.executable, "-B", "-c", _CODE, way], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
