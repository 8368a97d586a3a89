"""Images of the tests have a Python wherever that of this machine lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support import base_image
from support.interpreters import library_of


@pytest.mark.parametrize(
    ("path", "prefix", "found"),
    [
        ("/usr/bin/python3.11", "/usr", "/usr/bin/python3.11"),
        ("/usr/local/bin/python3.12", "/usr/local", "/usr/local/bin/python3.12"),
        ("/tmp/x/lib/python3.13", "/tmp/x", "/usr/local/lib/python3.13"),
        ("/srv/pyenv/3.11.7/lib/libpython3.11.so.1.0", "/srv/pyenv/3.11.7",
         "/usr/local/lib/libpython3.11.so.1.0"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "/srv/python", "/lib/x86_64-linux-gnu/libc.so.6"),
    ],
)  # fmt: skip
def test_where_a_file_is_in_an_image(path: str, prefix: str, found: str) -> None:
    assert base_image.placed(Path(path), prefix) == Path(found)


def test_a_library_is_that_of_its_interpreter() -> None:
    assert (library_of(Path(sys.executable)) / "os.py").samefile(os.__file__)
