"""An application that fails with sequences for the operator's terminal: no command passes them on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

EVIL = "boom\\x1b]52;c;cm0=\\x07\\n  web/1  ready\\u202e\\x9b"
RAW = ("\x1b", "\x07", "\u202e", "\x9b")


@pytest.mark.parametrize("syntax", [False, True], ids=["exception", "source"])
def test_no_command_passes_on_what_an_application_wrote(
    manager: ManagerUnderTest, tmp_path: Path, syntax: bool
) -> None:
    directory = manager.base / "app"
    directory.mkdir()
    raw = f'os.write(2, "{EVIL}\\n".encode())\n'  # what is printed is escaped on its way to the log
    text = f'import os, sys\n{raw}print("{EVIL}", file=sys.stderr, flush=True)\nraise RuntimeError("{EVIL}")\n'
    if syntax:
        text = "boom\x1b]52;c;cm0=\x07\u202e\x9b (\n"
    (directory / "evil.py").write_text(text, encoding="utf-8")
    manager.expect_in_log("SyntaxError" if syntax else "RuntimeError")
    port = manager.port()
    config = f'[groups.web]\napp = "evil:application"\npython-path = ["{directory}"]\nlisten = ["127.0.0.1:{port}"]\n'
    done = manager.apply(config, code=1)
    path = str(manager.write(config))
    shown = [done, *(manager.cli(*words) for words in (["validate", path], ["logs", "web"]))]
    stay = manager.apply(config, "--no-wait")
    shown += [stay, *(manager.cli(*words) for words in (["status"], ["status", "-o", "yaml"], ["why", "web"]))]
    shown += [manager.cli("status", "-o", "json"), manager.cli("history")]
    everything = "".join(item.stdout + item.stderr for item in shown)
    assert "Error" in everything
    assert not [sign for sign in RAW if sign in everything]
    ours = "".join(item.stdout + item.stderr for item in shown if "logs" not in item.args)  # lines of logs are its own
    assert not [line for line in ours.splitlines() if line.startswith("  web/1  ready")]
    assert not [sign for sign in RAW if sign in manager.log("manager")]


def test_logs_passes_on_nothing_that_is_in_a_file_already(manager: ManagerUnderTest) -> None:
    """The log writer lets nothing of it in; another program that writes there, or an older log, may have it."""
    listen = f'listen = ["127.0.0.1:{manager.port()}"]\n'
    manager.apply(f'[groups.web]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n{listen}')
    with open(manager.log_dir / "web.log", "a", encoding="utf-8") as log:
        log.write(f"{''.join(RAW)}\tlast\n")
    said = manager.cli("logs", "web").stdout
    assert said.splitlines()[-1] == r"\x1b\x07\u202e\x9b" + "\tlast"
