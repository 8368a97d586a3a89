"""A configuration as a file of logrotate: which logs are in it, and logrotate itself finds nothing wrong."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.rendering import CONTEXT, START, configured, rendered

from wsgigroups.errors import WsgigroupsError

LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin:/bin") or "logrotate"
TEXT = """
version = 1
[groups.shop]
app = "shop.wsgi:application"
[groups.loud]
app = "shop.wsgi:application"
error-log = "/dev/stdout"
[groups.apart]
app = "shop.wsgi:application"
error-log = "/var/log/two words.log"
[sites."www.example.org"]
listen = ["127.0.0.1:8080"]
access-log = "/var/log/access.log"
error-log = "/var/log/site.log"
process-group = "shop"
mounts = [{path = "/"}]
[sites."www.example.org".groups.private]
app = "shop.wsgi:application"
"""


def text_of(tmp_path: Path, text: str = TEXT) -> str:
    start = replace(START, program="/opt/a b/wsgigroups", options=("--run-dir", "/run/w"), log_dir="/var/log/w")
    return rendered("logrotate", configured(text, tmp_path / "groups.toml"), replace(CONTEXT, manager=start))


def test_every_log_that_is_a_file_is_rotated(tmp_path: Path) -> None:
    lines = text_of(tmp_path).splitlines()
    assert lines[1 : lines.index("{")] == [
        "/var/log/w/manager.log",
        '"/var/log/two words.log"',
        "/var/log/site.log",
        "/var/log/w/shop.log",
        "/var/log/w/@gateway.log",
        "/var/log/access.log",
    ]
    assert "        '/opt/a b/wsgigroups' --run-dir /run/w logs --reopen || test $? -eq 6" in lines
    assert {"    nocreate", "    sharedscripts", "    delaycompress"} <= set(lines)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "[groups.shop]",
            '[server]\nlog-rotate-size = "1M"\n[groups.shop]',
            "cannot render logrotate: wsgigroups rotates",
        ),
        ("two words", "two*", "cannot render the log '/var/log/two*.log': logrotate would look for a pattern"),
    ],
)
def test_what_cannot_be_rendered(before: str, after: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError) as refused:
        text_of(tmp_path, TEXT.replace(before, after))
    assert refused.value.message.startswith(said)


@pytest.mark.needs(LOGROTATE)
def test_logrotate_finds_nothing_wrong(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    for name in ("two words.log", "shop.log"):
        (logs / name).write_text("a line\n")
    file = tmp_path / "wsgigroups"
    file.write_text(text_of(tmp_path).replace("/var/log/w/", f"{logs}/").replace("/var/log/", f"{logs}/"))
    done = subprocess.run(
        [LOGROTATE, "-d", "-f", "-s", tmp_path / "state", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.replace("-eq", "")
    for name in ("two words.log", "shop.log"):
        assert f"renaming {logs}/{name} to {logs}/{name}.1" in done.stderr
