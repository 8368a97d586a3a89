"""A manager with nothing but what the rendered unit leaves it still does all that groups ask for."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.tree import ROOT

GROUPS = """
[groups.web]
app = "hello_app:application"
python-path = ["{apps}"]
listen = ["127.0.0.1:{port}", "unix:{base}/web.sock"]
user = "nobody"
home = "/"
cpu-priority = 3
memory-limit = "2G"
limit-nofile = 900
private-tmp = {private_tmp}
private-devices = true
protect-system = "full"
inaccessible-paths = ["/srv"]
restrict-address-families = ["AF_UNIX", "AF_INET"]
[sites."www.example.org"]
listen = ["127.0.0.1:{site}"]
access-log = "{base}/access.log"
process-group = "web"
mounts = [{{path = "/"}}]
"""


@pytest.mark.root
def test_a_manager_works_with_what_the_unit_leaves_it(manager: ManagerUnderTest) -> None:
    port, site = manager.port(), manager.port()
    hidden = str(APPS).startswith(("/tmp/", "/var/tmp/"))  # its own application would be, where the clone is there
    private_tmp = str(not hidden).lower()
    text = GROUPS.format(apps=APPS, port=port, site=site, base=manager.base, private_tmp=private_tmp)
    file = manager.write(text)
    unit = manager.base / "wsgigroups.service"
    assert manager.cli("render", "systemd", str(file), "-o", str(unit)).returncode == 0
    launcher = ROOT / "tests" / "support" / "under_unit.py"
    manager.log_dir.mkdir()
    with (manager.log_dir / "foreground.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, launcher, unit, *manager.command("run", str(file))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        manager.wait_up("web")
        manager.wait_up("@gateway")
        status = Path(f"/proc/{manager.manager_pid}/status").read_text()
        assert "\nNoNewPrivs:\t1\n" in status
        assert "\nSeccomp_filters:\t2\n" in status
        assert manager.get(port)[0] == manager.get(site)[0] == 200
        assert manager.cli("restart", "web").returncode == 0
        assert manager.get(port)[0] == 200
        for item in manager.group("web")["processes"]:
            assert {name: found for name, found in item["confinement"].items() if found["state"] != "enforced"} == {}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(HUNG_S) == 0, manager.foreground_log()
