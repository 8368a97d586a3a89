"""The target of a gateway whose engine is nginx: what it is asked, what it is told, what a change of it costs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import Configuration
from wsgigroups.errors import WsgigroupsError
from wsgigroups.plan.desired import Desired, target_from_json
from wsgigroups.plan.observed import ObservedGroup
from wsgigroups.plan.planner import StepKind, plan
from wsgigroups.plan.routing import GATEWAY, NginxTarget
from wsgigroups.targets import nginx as finding
from wsgigroups.targets.resolve import Surroundings, resolve

AROUND = Surroundings(Path("/run/w"), Path("/log"), Path("/"), {}, b"key")
WRITTEN = 1795083630
BUILT = "--with-http_ssl_module --with-http_realip_module --with-http_gzip_static_module --with-http_v2_module"


class Program:
    """An nginx that says what it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def becomes(self, version: str, built: str = BUILT) -> None:
        fresh = self.path.with_name("fresh")
        fresh.write_text(f'#!/bin/sh\necho "nginx version: nginx/{version}" >&2\necho "{built}" >&2\n')
        fresh.chmod(0o755)
        os.utime(fresh, (WRITTEN, WRITTEN))
        fresh.replace(self.path)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    uid = os.geteuid() or 4711
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    found = Program(tmp_path / "nginx")
    monkeypatch.setattr(finding, "find_nginx", lambda: str(found.path))
    found.becomes("1.22.1")
    return found


def targets(group: dict[str, Any] | None = None, **gateway: Any) -> Desired:
    site = {"listen": ["127.0.0.1:80"], "process-group": "blog", "mounts": [{"path": "/"}]}
    document = {
        "version": 1,
        "groups": {"blog": {"app": "blog:app", **(group or {})}},
        "sites": {"a.example.org": site},
        "gateway": {"engine": "nginx", **gateway},
    }
    return resolve(Configuration.from_document(document), AROUND)


def effect(before: Desired, after: Desired) -> StepKind:
    observed = {
        name: ObservedGroup(item.options, item.fingerprint, item.processes, scaled=False, stopped=False)
        for name, item in before.items()
    }
    return next(step for step in plan(after, observed).steps if step.group == GATEWAY).kind


def nginx(found: Desired) -> NginxTarget:
    told = found[GATEWAY].routing
    assert told
    assert told.nginx
    return told.nginx


def test_it_is_the_program_that_is_there_and_is_kept_from_the_rest_of_the_disk(program: Program) -> None:
    found = targets()
    spec = found[GATEWAY].spec
    assert (spec.nginx, spec.chroot, spec.home) == (str(program.path), None, "/run/w/gateway")
    assert spec.confinement.read_only_paths == ("/",)
    assert spec.confinement.read_write_paths == (f"/run/w/gateway/nginx/{os.geteuid()}",)
    assert found[GATEWAY].options["program"] == f"{program.path} (1.22.1 of 2026-11-19T10:20:30Z)"
    assert found[GATEWAY].options["read-write-paths"] == spec.confinement.read_write_paths[0]
    assert nginx(found) == NginxTarget("parameter", True, (), (("blog", 0),), 8190)
    assert target_from_json(json.loads(json.dumps(found[GATEWAY].to_json()))) == found[GATEWAY]


def test_another_version_replaces_processes_and_all_else_is_told(program: Program) -> None:
    before = targets()
    for after in (
        targets(http2=False),
        targets(compression=False),
        targets(**{"trusted-proxies": ["10.0.0.0/8"]}),
        targets({"limit-request-body": 1000}),
        targets({"limit-request-line": 100_000}),
    ):
        told, was = after[GATEWAY].routing, before[GATEWAY].routing
        assert told
        assert was
        assert told.number != was.number
        assert effect(before, after) is StepKind.LIVE, after[GATEWAY].options
    os.utime(program.path, (WRITTEN + 1, WRITTEN + 1))
    assert effect(before, targets()) is StepKind.REPLACE, "another package of the same version"
    program.becomes("1.26.0")
    after = targets()
    assert nginx(after).http2 == "directive"
    assert effect(before, after) is StepKind.REPLACE


def test_http2_takes_a_program_that_has_it(program: Program) -> None:
    program.becomes("1.22.1", BUILT.replace("--with-http_v2_module", ""))
    assert nginx(targets()).http2 == ""
    assert targets()[GATEWAY].options["http2"] == "false"


def test_what_cannot_be_a_gateway_is_said(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.becomes("1.14.0")
    with pytest.raises(WsgigroupsError, match="as the gateway: it is nginx 1"):
        targets()
    fresh = program.path.with_name("fresh")
    fresh.write_text("#!/bin/sh\nexit 3\n")
    fresh.chmod(0o755)
    fresh.replace(program.path)
    with pytest.raises(WsgigroupsError, match="it ended with status 3"):
        targets()
    monkeypatch.setattr(finding, "find_nginx", lambda: "")
    with pytest.raises(WsgigroupsError, match="nginx is not installed"):
        targets()
