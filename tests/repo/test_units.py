"""The unit for systemd: what it says agrees with the manager, and systemd finds nothing wrong."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from wsgigroups.manager import early_signals

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "sample-configs" / "systemd" / "wsgigroups.service"
PAGE = (ROOT / "docs" / "systemd.md").read_text()
NEWER = ("DelegateSubgroup",)  # keys that an older systemd names, and ignores


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units have capitals
    parser.read(UNIT)
    return parser["Service"]


def test_it_starts_a_manager(service: configparser.SectionProxy) -> None:
    program, *arguments = service["ExecStart"].split()
    assert program.endswith("/bin/wsgigroups")
    assert early_signals.is_manager(arguments)
    assert "RuntimeDirectory" not in service  # it would go with the manager, and daemons be lost


def test_daemons_outlive_a_manager_that_is_started_again(service: configparser.SectionProxy) -> None:
    assert (service["KillMode"], service["Restart"]) == ("process", "always")
    assert service["Type"] == "notify"
    assert "HUP" in service["ExecReload"]


def test_one_process_without_memory_does_not_end_the_service(service: configparser.SectionProxy) -> None:
    assert service["OOMPolicy"] == "continue"
    assert set(service["Delegate"].split()) == {"cpu", "memory", "pids", "io"}


def test_as_many_listeners_are_kept_as_the_manager_is_told(service: configparser.SectionProxy) -> None:
    assert service["Environment"] == f"FDSTORE={service['FileDescriptorStoreMax']}"


def test_the_page_has_what_is_particular(service: configparser.SectionProxy) -> None:
    for key in ("KillMode", "Delegate", "OOMPolicy", "FileDescriptorStoreMax", "WatchdogSec", "TimeoutStopSec"):
        assert f"`{key}={service[key]}`" in PAGE


def test_nothing_is_set_that_the_manager_cannot_work_with(service: configparser.SectionProxy) -> None:
    for key in ("ProtectControlGroups", "RestrictNamespaces", "MemoryDenyWriteExecute", "CapabilityBoundingSet"):
        assert key not in service
        assert f"`{key}=`" in PAGE


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/wsgigroups/bin/wsgigroups", shutil.which("true") or "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in done.stderr.splitlines() if UNIT.name in line and not any(key in line for key in NEWER)]
    assert (done.returncode, said) == (0, [])
