"""Certificates that are renewed while a manager runs: used without an apply, and the broken ones not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.control import ControlUnderTest
from support.targets import small_target
from support.tree import ROOT

from wsgigroups.config import Configuration
from wsgigroups.gateway.routing import HostOfSites, routing_of
from wsgigroups.manager import gateway_root
from wsgigroups.manager.core import model
from wsgigroups.manager.renewing import CertificateWatch
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.routing import GATEWAY, CertificateTarget
from wsgigroups.trust.certificates import read_pair
from wsgigroups.trust.helpers import Account

PEMS = ROOT / "tests" / "support" / "certificates"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def put(directory: Path, name: str) -> None:
    """Exchange both files, as those do who renew them."""
    for ending in ("crt", "key"):
        shutil.copy(PEMS / f"{name}.{ending}", directory / f"new.{ending}")
        (directory / f"new.{ending}").replace(directory / f"site.{ending}")


def gateway(directory: Path) -> GroupTarget:
    files = str(directory / "site.crt"), str(directory / "site.key")
    pair = read_pair(*files, Account(os.geteuid(), os.getegid()))
    site = {"listen": ["127.0.0.1:443"], "certificate": files[0], "certificate-key": files[1]}
    configuration = Configuration.from_document({"version": 1, "sites": {"a.example.org": site}})
    certificate = CertificateTarget(pair.name, *files, pair.expires_at)
    host = HostOfSites({}, {}, {"a.example.org": certificate}, {}, {}, str(directory / "gateway"))
    return replace(small_target(GATEWAY), routing=routing_of(configuration, host))


def test_a_renewed_certificate_is_taken_over(api: ControlUnderTest, tmp_path: Path) -> None:
    put(tmp_path, "one")
    target = gateway(tmp_path)
    gateway_root.prepare({GATEWAY: target}, str(tmp_path))
    logged: list[str] = []

    def certificates() -> tuple[CertificateTarget, ...]:
        routing = api.shell.state.groups[GATEWAY].target.routing
        assert routing
        return routing.certificates

    async def begin() -> None:
        api.shell.dispatch(model.Apply({GATEWAY: target}, 2, model.START_UP))

    watch = CertificateWatch(api.handlers.applying, lambda _level, text: logged.append(text))
    api.within(begin)
    api.within(watch.look)
    (old,) = certificates()
    assert not logged

    put(tmp_path, "two")
    api.within(watch.look)
    (new,) = certificates()
    assert new.name != old.name
    assert [line.rpartition(": ")[2] for line in logged] == [f"{tmp_path}/site.crt was renewed, and is in use now"]
    there = {path.name for path in (tmp_path / "gateway" / "certificates").iterdir()}
    assert there == {f"{item.name}.{ending}" for item in (old, new) for ending in ("crt", "key")}
    assert (tmp_path / "gateway" / "certificates" / f"{new.name}.key").read_bytes() == (PEMS / "two.key").read_bytes()

    (tmp_path / "site.key").write_text("half of it")
    for _again in range(2):
        api.within(watch.look)
    assert certificates() == (new,)
    assert sum("cannot be used, the one before stays" in line for line in logged) == 1


def test_what_nobody_goes_by_is_cleared_away(api: ControlUnderTest, tmp_path: Path) -> None:
    put(tmp_path, "one")
    target = gateway(tmp_path)
    gateway_root.prepare({GATEWAY: target}, str(tmp_path))
    directory = tmp_path / "gateway" / "certificates"
    (directory / "former.crt").touch()
    (directory / "torn.key.new").touch()
    state = replace(api.shell.state, groups={GATEWAY: model.GroupState(target)})
    assert target.routing
    gateway_root.write_proof(target.routing, "proof-t", b"chain", b"key")
    gateway_root.clean(tmp_path, state, ["proof-t"])  # an order is under way
    assert {path.name for path in directory.glob("proof-*")} == {"proof-t.crt", "proof-t.key"}
    gateway_root.remove_proofs(target.routing, ["proof-t", "proof-u"])
    assert not list(directory.glob("proof-*"))
    gateway_root.clean(tmp_path, state)
    (certificate,) = target.routing.certificates if target.routing else ()
    assert {path.name for path in directory.iterdir()} == {f"{certificate.name}.crt", f"{certificate.name}.key"}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / f"{certificate.name}.key").stat().st_mode & 0o777 == 0o600
    gateway_root.remove(tmp_path)
    assert not (tmp_path / "gateway").exists()
