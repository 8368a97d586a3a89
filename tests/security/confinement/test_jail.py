"""Confinement in a chroot: mounts are made in it before it is entered, rules hold in it."""

from __future__ import annotations

import os

import pytest
from support.attempts import Tenant
from support.interpreters import library_of

from wsgigroups.runtime.confinement import landlock
from wsgigroups.runtime.wire.spec import Application, Confinement

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(landlock.abi() < 3, reason="takes Landlock of Linux 6.2"),
]
REPORT = """
import os

def tried(call, *arguments):
    try:
        return str(call(*arguments))
    except OSError as error:
        return os.strerror(error.errno)

def application(environ, start_response):
    found = [
        tried(os.listdir, "/tmp"),
        "null" in os.listdir("/dev") and "real" not in os.listdir("/dev"),
        tried(os.listdir, "/hidden"),
        tried(open, "/kept/file", "a"),
        tried(open, "/kept/file").startswith("<_io"),
        tried(open, "/free/file", "w").startswith("<_io"),
        tried(os.listdir, "/home"),
    ]
    body = repr(found).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_a_jail_with_all_of_it(tenant: Tenant) -> None:
    jail = tenant.directory / "jail"
    for name in ("tmp", "var", "var/tmp", "dev", "hidden", "kept", "free", "home", "run"):
        (jail / name).mkdir(parents=True)
    for name in ("tmp/theirs", "dev/real", "hidden/file", "kept/file", "home/file"):
        (jail / name).write_text("text")
    library = library_of(tenant.manager.interpreter)
    inside = jail / str(library)[1:]
    inside.mkdir(parents=True)
    (inside / "site.py").write_text((library / "site.py").read_text())
    (jail / "app.wsgi").write_text(REPORT)
    for path in (jail, *jail.rglob("*")):
        tenant.own(path)
    confinement = Confinement(
        required=True,
        private_tmp=True,
        private_devices=True,
        protect_home="yes",
        inaccessible_paths=(str(jail / "hidden"),),
        read_only_paths=(str(jail),),
        read_write_paths=(str(jail / "free"),),
    )
    life = tenant.manager.fork(Application("script", "/app.wsgi"), chroot=str(jail), confinement=confinement, home="/")
    assert {state for state, _reason in life.ready().confinement.values()} == {"enforced"}
    status, body = life.get()
    denied = os.strerror(13)
    assert (status, body.decode()) == (200, repr(["[]", True, denied, denied, True, True, denied])), life.log
