"""`make test-vm`, as far as it can be looked at without a machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.tree import ROOT

from tools import vm, vm_image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("hello\nwsgigroups-vm: exit code 0\r\n[ 9.1] reboot: Restarting system\n", 0),
        ("wsgigroups-vm: exit code 3\n", 3),
        ("Kernel panic - not syncing\n", 1),
        ("", None),
    ],
)
def test_what_the_console_says_last_is_the_result(
    said: str, code: int | None, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert vm.boot(["printf", "%s", said], 60) == code
    assert capfdbinary.readouterr().out == said.replace("\r", "").encode()


def test_a_machine_that_does_not_end_has_failed() -> None:
    assert vm.boot(["sh", "-c", "echo booting; exec tail -f /dev/null"], 1) == 1


def test_a_machine_is_given_up_for_its_silence_only_where_there_is_another_way() -> None:
    slow = ["sh", "-c", "read _ </dev/null; exec tail -f /dev/null"]
    assert vm.boot(slow, 60, silence_s=0.1) is None


def test_the_machine_has_what_the_project_and_its_tests_need() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*known["project"]["dependencies"], *known["dependency-groups"]["tests"]]
    assert vm_image.requirements() == wanted


def test_it_has_no_network_and_keeps_nothing() -> None:
    image = vm_image.Image(Path("kernel"), Path("initramfs"), Path("disk"), "6.1")
    words = vm.command(image, Path("project"), {"root": ["tests/vm"], "ordinary": [], "options": ["-x", "-v"]}, "tcg")
    assert words[words.index("-nic") + 1] == "none"
    drives = [word for word in words if word.startswith("file=")]
    assert len(drives) == 2
    assert all("snapshot=on" in drive for drive in drives)
    given = words[words.index("-append") + 1]
    assert "vm.root=tests/vm vm.options=-x,-v" in given
    assert "vm.ordinary" not in given


def test_what_it_runs_is_there() -> None:
    for path in {*vm.TESTS, *vm.TREE, "tests/vm/guest.py"}:
        assert (ROOT / path).exists(), path
