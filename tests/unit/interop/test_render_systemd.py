"""A configuration as units of systemd: what follows from it, and systemd itself finds nothing wrong."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.rendering import CONTEXT, START, configured, keys, rendered
from support.tree import ROOT

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.renderers import RENDERERS
from wsgigroups.manager import early_signals
from wsgigroups.manager.supervision.passed import PassedSocket

ANALYZE = shutil.which("systemd-analyze") or "systemd-analyze"
SAMPLE = ROOT / "sample-configs" / "systemd" / "wsgigroups.service"
EXPOSURE = 58  # of 100, by systemd-analyze security: what is left is what a manager does that becomes other users
NEWER = "DelegateSubgroup"  # older ones name it, and ignore it
TEXT = """
version = 1
[gateway]
user = "front"
[groups.shop]
app = "shop.wsgi:application"
home = "/srv/shop"
python-path = ["/srv/lib 1"]
listen = ["127.0.0.1:8000", "[::1]:8000", "unix:/run/sites/50%.sock"]
listen-backlog = 256
receive-buffer-size = 4096
startup-timeout = "100s"
shutdown-timeout = "60s"
[groups.blog]
app = "blog.wsgi:application"
home = "/srv/blog"
listen = ["unix:/run/sites/blog.sock"]
socket-user = "#1001"
[groups.idle]
script = "/srv/idle/idle.wsgi"
home = "/srv"
[sites."www.example.org"]
listen = ["0.0.0.0:443"]
http-redirect = true
certificate = "/etc/ssl/a.crt"
certificate-key = "/etc/ssl/private/a.key"
process-group = "blog"
mounts = [{path = "/"}]
"""


def text_of(tmp_path: Path, text: str = TEXT, files: tuple[str, ...] = ("/etc/w/a b.toml", "/etc/w/5%$x.toml")) -> str:
    start = replace(START, files=files, options=("--run-dir", "/run/w"), profiles=("big",), own_dirs=("/run/w",))
    return rendered("systemd", configured(text, tmp_path / "groups.toml"), replace(CONTEXT, manager=start))


def units_of(tmp_path: Path, text: str = TEXT) -> dict[str, str]:
    context = replace(CONTEXT, user="front")
    return dict(RENDERERS["systemd-socket"].files(configured(text, tmp_path / "groups.toml"), context))


def repeated(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_what_follows_from_the_configuration(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    unit, service = keys(text, "Unit"), keys(text, "Service")
    assert service["ExecStart"] == (
        '/opt/wsgigroups/bin/wsgigroups --run-dir /run/w run "/etc/w/a b.toml" "/etc/w/5%%$$x.toml" --profile big'
    )
    assert early_signals.is_manager(service["ExecStart"].split()[1:])
    assert service["TimeoutStartSec"] == "102s"
    assert service["TimeoutStopSec"] == "94s"  # 60 s of a process, 30 s of the gateway, 2 s of the manager, 2 s more
    assert unit["RequiresMountsFor"] == (
        '/etc/w /run/w /srv/blog /srv /srv/idle /srv/shop "/srv/lib 1" /etc/ssl /etc/ssl/private'
    )
    assert unit["After"] == "network.target"
    assert service["ProtectHome"] == "yes"


@pytest.mark.parametrize(
    ("before", "after", "key", "value"),
    [
        ("127.0.0.1:8000", "192.0.2.1:8000", "After", "network-online.target"),
        ('home = "/srv/blog"', "", "ProtectHome", None),  # it works in the home of its account
        ("/srv/lib 1", "/home/shop", "ProtectHome", None),
        ('shutdown-timeout = "60s"', "shutdown-timeout = 0", "TimeoutStopSec", "60s"),
        ('shutdown-timeout = "60s"', "", "TimeoutStopSec", "60s"),
    ],
)
def test_what_follows_from_one_option(before: str, after: str, key: str, value: str | None, tmp_path: Path) -> None:
    text = text_of(tmp_path, TEXT.replace(before, after))
    assert {**keys(text, "Unit"), **keys(text, "Service")}.get(key) == value


def test_it_has_all_that_the_sample_has(tmp_path: Path) -> None:
    sample, service = keys(SAMPLE.read_text(), "Service"), keys(text_of(tmp_path), "Service")
    own = {"ExecStart", "TimeoutStartSec", "TimeoutStopSec"}
    assert {key: service.get(key) for key in sample if key not in own} == {
        key: value for key, value in sample.items() if key not in own
    }


@pytest.mark.parametrize("file", ["", "/etc/\n.toml"])
def test_what_cannot_be_rendered(file: str, tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError):
        text_of(tmp_path, files=(file,) if file else ())


def test_sockets(tmp_path: Path) -> None:
    units = units_of(tmp_path)
    drop_in = units.pop("wsgigroups.service.d/sockets.conf")
    assert keys(drop_in, "Service")["Sockets"].split() == list(units)
    assert set(units) == {"wsgigroups-shop.socket", "wsgigroups-blog.socket", "wsgigroups.socket"}
    shop, blog, sites = (
        units[name] for name in ("wsgigroups-shop.socket", "wsgigroups-blog.socket", "wsgigroups.socket")
    )
    assert repeated(shop, "ListenStream") == ["127.0.0.1:8000", "[::1]:8000", "/run/sites/50%%.sock"]
    assert repeated(sites, "ListenStream") == ["0.0.0.0:443", "0.0.0.0:80"]
    for text, key, value in (
        (shop, "SocketUser", "front"),
        (blog, "SocketUser", "1001"),
        (shop, "SocketMode", "0600"),
        (shop, "Backlog", "256"),
        (shop, "ReceiveBuffer", "4096"),
        (sites, "Backlog", "4096"),
        (sites, "Service", "wsgigroups.service"),
    ):
        assert repeated(text, key) == [value]
    assert repeated(sites, "SocketUser") == []


def test_the_manager_takes_the_sockets_for_those_of_units(tmp_path: Path) -> None:
    for name, text in units_of(tmp_path, TEXT.replace("groups.shop", "groups.wsgigroups-own-tcp-0-0")).items():
        for given in (name, *repeated(text, "FileDescriptorName")):
            assert not PassedSocket(None, "", given).kept  # type: ignore[arg-type]  # its name alone is looked at


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError, match="no group and no site listens anywhere"):
        units_of(tmp_path, 'version = 1\n[groups.a]\napp = "a:b"\n')


@pytest.mark.needs(ANALYZE)
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    directory = tmp_path / "units"
    (directory / "wsgigroups.service.d").mkdir(parents=True)
    service = text_of(tmp_path).replace("/opt/wsgigroups/bin/wsgigroups", shutil.which("true") or "/bin/true")
    for name, text in {**units_of(tmp_path), "wsgigroups.service": service}.items():
        (directory / name).write_text(text)
    names = sorted(path for path in directory.iterdir() if path.is_file())
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", *names], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in done.stderr.splitlines() if "/wsgigroups" in line and NEWER not in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.needs(ANALYZE)
def test_what_the_unit_exposes_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "wsgigroups.service"
    file.write_text(text_of(tmp_path))
    done = subprocess.run(
        [ANALYZE, "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}", file],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
