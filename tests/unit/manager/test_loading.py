"""What a manager is loaded without, and that it collects garbage as usual: in a process that has loaded nothing yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
PROGRAM = """
import gc, os, ssl
usual, before, made = gc.get_threshold(), dict(os.environ), []
real = ssl.create_default_context
def create(*arguments, **options):
    made.append(real(*arguments, **options))
    return made[-1]
ssl.create_default_context = create
from wsgigroups import collecting
from wsgigroups.manager import loading
collecting.seldom()
assert gc.get_threshold() > usual
loading.load()
assert gc.get_threshold() == usual
assert dict(os.environ) == before
print(sum(context.cert_store_stats()["x509"] for context in made), real().cert_store_stats()["x509"])
"""


@pytest.mark.parametrize("is_set", [True, False])
def test_a_manager_has_no_authorities_and_the_environment_is_what_it_was(is_set: bool) -> None:
    environ = {key: value for key, value in os.environ.items() if key not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    if is_set:
        environ["SSL_CERT_FILE"] = str(CERTIFICATES / "one.crt")
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, there = done.stdout.split()
    assert loaded == "0"
    if is_set:
        assert there == "1", "the file would have been read"
