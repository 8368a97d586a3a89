"""The gateway's target: what sites come to, what a plan says of them, and which change costs processes."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from support.tree import ROOT

from wsgigroups.config import Configuration
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.renewing import renewed
from wsgigroups.plan.desired import Desired, target_from_json
from wsgigroups.plan.observed import ObservedGroup
from wsgigroups.plan.planner import Step, StepKind, plan
from wsgigroups.plan.routing import GATEWAY, CertificateTarget, RoutingTarget
from wsgigroups.runtime.wire.routes import ListenerRoute, MountRoute, Routes
from wsgigroups.targets import home as homes
from wsgigroups.targets import resolve as resolving
from wsgigroups.targets.resolve import Surroundings, described, resolve, resolve_each

ORDINARY_UID = 4711
PEMS = ROOT / "tests" / "support" / "certificates"
WEB = {"listen": ["127.0.0.1:80"], "process-group": "blog", "mounts": [{"path": "/"}]}
AROUND = Surroundings(Path("/run/w"), Path("/log"), Path("/"), {}, b"key")


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ORDINARY_UID)


def configuration(sites: dict[str, Any], groups: dict[str, Any] | None = None, **tables: Any) -> Configuration:
    groups = {"blog": {"app": "blog:app"}} if groups is None else groups
    return Configuration.from_document({"version": 1, "groups": groups, "sites": sites, **tables})


def targets(sites: dict[str, Any], groups: dict[str, Any] | None = None, **tables: Any) -> Desired:
    return resolve(configuration(sites, groups, **tables), AROUND)


def routing(found: Desired) -> RoutingTarget:
    told = found[GATEWAY].routing
    assert told
    return told


def routes(found: Desired) -> Routes:
    return read_routes(routing(found))


def changed(before: Desired, after: Desired) -> Step:
    observed = {
        name: ObservedGroup(item.options, item.fingerprint, item.processes, scaled=False, stopped=False)
        for name, item in before.items()
    }
    return next(step for step in plan(after, observed).steps if step.group == GATEWAY)


@pytest.mark.usefixtures("ordinary")
def test_without_an_address_there_is_no_gateway() -> None:
    assert GATEWAY not in targets({})
    assert GATEWAY not in targets({"a.example.org": {**WEB, "listen": []}})


@pytest.mark.usefixtures("ordinary")
def test_sites_share_addresses_in_the_order_of_the_file() -> None:
    found = targets({
        "b.example.org": {**WEB, "listen": ["127.0.0.1:80", "127.0.0.1:81"], "proxy-protocol": ["10.0.0.0/8"]},
        "a.example.org": {**WEB, "proxy-protocol": ["unix", "10.0.0.0/8"]},
    })  # fmt: skip
    assert routes(found).listeners == (
        ListenerRoute("127.0.0.1:80", ("b.example.org", "a.example.org"), False, ("10.0.0.0/8", "unix")),
        ListenerRoute("127.0.0.1:81", ("b.example.org",), False, ("10.0.0.0/8",)),
    )
    assert found[GATEWAY].spec.listen == ("127.0.0.1:80", "127.0.0.1:81")
    assert found[GATEWAY].spec.gateway
    assert found[GATEWAY].spec.home == "/run/w/gateway"
    assert found[GATEWAY].log_path == "/log/@gateway.log"


@pytest.mark.usefixtures("ordinary")
def test_a_group_that_sites_use_has_a_socket_for_the_gateway() -> None:
    found = targets(
        {"a.example.org": WEB}, {"blog": {"app": "a:b", "listen": ["127.0.0.1:9"]}, "alone": {"app": "a:b"}}
    )
    assert found["blog"].spec.listen == ("127.0.0.1:9", "unix:/run/w/gateway/sockets/blog.sock")
    assert found["alone"].spec.listen == ()
    assert found["blog"].spec.serving.trusted_proxies == ("unix",)
    assert found["alone"].spec.serving.trusted_proxies == ()
    link = routes(found).links["blog"]
    assert (link.socket, link.uids) == ("sockets/blog.sock", (ORDINARY_UID,))
    long_name = Surroundings(Path("/run/" + "w" * 80), Path("/log"), Path("/"), {}, b"key")
    with pytest.raises(WsgigroupsError, match="cannot mount group 'blog': the socket path has"):
        resolve(configuration({"a.example.org": WEB}), long_name)


@pytest.mark.usefixtures("ordinary")
def test_the_link_has_what_its_group_says() -> None:
    options = {
        "app": "a:b", "connect-timeout": 1, "response-socket-timeout": 2, "header-buffer-size": "64K",
        "response-buffer-size": 0, "limit-request-fields": 500, "limit-request-line": "1K",
    }  # fmt: skip
    found = targets({"a.example.org": WEB}, {"blog": options}, server={"timeout": 7})
    link = routes(found).links["blog"]
    assert (link.connect_timeout_s, link.socket_timeout_s, link.response_socket_timeout_s) == (1, 7, 2)
    assert (link.header_buffer_size_bytes, link.response_buffer_size_bytes) == (65536, 65536)
    serving = found[GATEWAY].spec.serving
    assert (serving.socket_timeout_s, serving.limit_request_fields, serving.limit_request_line) == (7, 500, 1024)


@pytest.mark.usefixtures("ordinary")
def test_several_applications_of_one_group_have_names() -> None:
    one, two = {"path": "/", "app": "one:app"}, {"path": "/", "app": "two:app"}
    found = targets(
        {
            "a.example.org": {**WEB, "mounts": [one, {"path": "/two", "app": "two:app"}]},
            "b.example.org": {**WEB, "mounts": [two]},
        },
        {"blog": {}},
    )
    applications = {(item.mount, item.target): item.key for item in found["blog"].spec.applications}
    assert list(applications) == [("/", "one:app"), ("/two", "two:app"), ("/", "two:app")]
    first, second, third = applications.values()
    assert (second, bool(first)) == (third, True)
    assert first != second
    sites = routes(found).sites
    assert sites["a.example.org"].mounts == (MountRoute("/", "blog", first), MountRoute("/two", "blog", second))
    assert sites["b.example.org"].mounts == (MountRoute("/", "blog", second),)
    alone = targets({"a.example.org": {**WEB, "mounts": [{**one, "path": "/deep"}]}}, {"blog": {}})
    assert routes(alone).sites["a.example.org"].mounts == (MountRoute("/deep", "blog", ""),)
    assert [(item.mount, item.key) for item in alone["blog"].spec.applications] == [("/", "")]


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize("listen", [[], ["127.0.0.1:9"]])
def test_a_mount_that_moves_touches_no_process_of_a_group_that_only_the_gateway_asks(listen: list[str]) -> None:
    one, two = {"path": "/", "app": "one:app"}, {"path": "/two", "app": "two:app"}
    for mounts in ([two], [one, two]):
        before = targets({"a.example.org": {**WEB, "mounts": mounts}}, {"blog": {"listen": listen}})
        moved = [*mounts[:-1], {**two, "path": "/2"}]
        after = targets({"a.example.org": {**WEB, "mounts": moved}}, {"blog": {"listen": listen}})
        assert (before["blog"].fingerprint == after["blog"].fingerprint) == (not listen)
        assert changed(before, after).kind is StepKind.LIVE


@pytest.mark.usefixtures("ordinary")
def test_certificates_decide_which_addresses_speak_tls() -> None:
    pair = {"certificate": str(PEMS / "one.crt"), "certificate-key": str(PEMS / "one.key")}
    found = targets({
        "a.example.org": {
            **WEB, **pair, "listen": ["127.0.0.1:443", "127.0.0.1:8443"], "http-redirect": True, "hsts": 60,
        },
        "b.example.org": {**WEB, **pair, "listen": ["127.0.0.1:80", "127.0.0.1:443"], "tls-minimum": "1.3"},
    })  # fmt: skip
    told = routes(found)
    assert {item.address: (item.tls, item.sites) for item in told.listeners} == {
        "127.0.0.1:443": (True, ("a.example.org", "b.example.org")),
        "127.0.0.1:8443": (True, ("a.example.org",)),
        "127.0.0.1:80": (False, ("a.example.org", "b.example.org")),
    }
    first, second = told.sites["a.example.org"], told.sites["b.example.org"]
    assert (first.redirect_to_https, first.hsts_s, first.tls_minimum) == (True, 60, "1.2")
    assert (second.redirect_to_https, second.hsts_s, second.tls_minimum) == (False, 0, "1.3")
    (certificate,) = routing(found).certificates  # one, that both have
    assert first.certificate == second.certificate == certificate.name
    with pytest.raises(
        WsgigroupsError, match=r"cannot use the certificate-key of site 'a\.example\.org': .*two\.key is"
    ):
        targets({"a.example.org": {**WEB, **pair, "certificate-key": str(PEMS / "two.key")}})


@pytest.mark.usefixtures("ordinary")
def test_what_is_sent_as_descriptors_is_sent_once(tmp_path: Path) -> None:
    (tmp_path / "502.html").write_text("<p>sorry")
    site = {
        **WEB,
        "static": [{"path": "/a", "directory": str(tmp_path)}, {"path": "/b", "directory": "/gone"}],
        "access-log": "/log/access.log", "access-log-format": "json", "index": "index.html",
        "error-pages": {"502": str(tmp_path / "502.html")},
    }  # fmt: skip
    found = targets({"a.example.org": site, "b.example.org": {**site, "error-pages": {}}})
    told = routing(found)
    assert [item.path for item in told.directories] == [str(tmp_path), "/gone"]
    assert told.access_logs == ("/log/access.log",)
    first, second = routes(found).sites.values()
    assert [(item.path, item.directory, item.index) for item in first.statics] == [
        ("/a", 0, "index.html"), ("/b", 1, "index.html"),
    ]  # fmt: skip
    assert (first.access_log, second.access_log, first.access_format) == (0, 0, "json")
    assert (first.error_pages, second.error_pages) == ({502: "<p>sorry"}, {})
    with pytest.raises(WsgigroupsError, match=r"cannot use the page .*gone\.html for 404 of site 'a\.example\.org'"):
        targets({"a.example.org": {**WEB, "error-pages": {"404": str(tmp_path / "gone.html")}}})


@pytest.mark.usefixtures("ordinary")
def test_a_plan_says_what_becomes_of_each_route(tmp_path: Path) -> None:
    groups = {"blog": {"app": "a:b"}, "api": {"app": "a:c"}}
    static = {"path": "/s", "directory": str(tmp_path)}
    before = targets({"a.example.org": {**WEB, "mounts": [{"path": "/"}, {"path": "/x"}], "static": [static]}}, groups)
    moved = [{"path": "/", "process-group": "api"}, {"path": "/y"}]
    after = targets({"a.example.org": {**WEB, "mounts": moved, "index": "i.html"}}, groups)
    step = changed(before, after)
    assert (step.kind, step.cost.processes_replaced) == (StepKind.LIVE, 0)
    site = "sites.a.example.org"
    found = {reason.option: (reason.old, reason.new) for reason in step.reasons if reason.option.startswith(site)}
    assert found == {
        f"{site}.mounts./": ("blog", "api"),
        f"{site}.mounts./x": ("blog", None),
        f"{site}.mounts./y": (None, "blog"),
        f"{site}.static./s": (f"{tmp_path} (inode {tmp_path.stat().st_ino})", None),
        f"{site}.index": (None, "i.html"),
    }
    assert {reason.effect for reason in step.reasons} == {"live"}
    assert before[GATEWAY].fingerprint == after[GATEWAY].fingerprint
    assert routing(before).number != routing(after).number
    added = plan(after, {}).to_json()["steps"]
    assert f"{site}.mounts./" in {r["option"] for step in added for r in step["reasons"]}


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize(
    ("tables", "kind"),
    [
        ({"gateway": {"processes": 3}}, StepKind.SCALE),
        ({"gateway": {"shutdown-timeout": 3}}, StepKind.LIVE),
        ({"gateway": {"trusted-proxies": ["10.0.0.0/8"]}}, StepKind.LIVE),
        ({"server": {"timeout": 3}}, StepKind.LIVE),
        ({"sites": {"a.example.org": {**WEB, "listen": ["127.0.0.1:80", "127.0.0.1:81"]}}}, StepKind.REBIND),
    ],
)
def test_only_what_a_process_begins_with_takes_a_new_one(tables: dict[str, Any], kind: StepKind) -> None:
    before = targets({"a.example.org": WEB})
    after = targets(**{"sites": {"a.example.org": WEB}, **tables})
    assert changed(before, after).kind is kind
    assert (before[GATEWAY].fingerprint != after[GATEWAY].fingerprint) == (kind is StepKind.REBIND)


@pytest.mark.usefixtures("ordinary")
def test_another_directory_at_its_path_is_told(tmp_path: Path) -> None:
    site = {**WEB, "static": [{"path": "/s", "directory": str(tmp_path / "current")}]}
    (tmp_path / "current").mkdir()
    (tmp_path / "next").mkdir()
    before = targets({"a.example.org": site})
    assert not plan(targets({"a.example.org": site}), _observed(before)).steps
    (tmp_path / "current").rename(tmp_path / "old")
    (tmp_path / "next").rename(tmp_path / "current")
    assert changed(before, targets({"a.example.org": site})).kind is StepKind.LIVE


def _observed(found: Desired) -> dict[str, ObservedGroup]:
    return {
        name: ObservedGroup(item.options, item.fingerprint, item.processes, scaled=False, stopped=False)
        for name, item in found.items()
    }


@pytest.mark.usefixtures("ordinary")
def test_a_target_with_routes_is_stored_and_read_again() -> None:
    target = targets({"a.example.org": WEB})[GATEWAY]
    assert target_from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.usefixtures("ordinary")
def test_a_renewed_certificate_is_all_that_changes() -> None:
    pair = {"certificate": str(PEMS / "one.crt"), "certificate-key": str(PEMS / "one.key")}
    target = targets({"a.example.org": {**WEB, **pair, "listen": ["127.0.0.1:443"]}, "b.example.org": WEB})[GATEWAY]
    assert target.routing
    (old,) = target.routing.certificates
    new = CertificateTarget("other", old.certificate, old.key, 1.0)
    after = renewed(target, {old.name: new})
    assert after.routing
    assert after.routing.certificates == (new,)
    assert after.routing.text == target.routing.text.replace(old.name, "other")
    assert after.routing.number != target.routing.number
    assert {k for k in target.options if target.options[k] != after.options[k]} == {"sites.a.example.org.certificate"}
    assert after.fingerprint == target.fingerprint


@pytest.mark.usefixtures("ordinary")
def test_a_gateway_that_cannot_be_had_leaves_its_groups_alone() -> None:
    broken = configuration({"a.example.org": {**WEB, "error-pages": {"404": "/gone.html"}}})
    found, failed = resolve_each(broken, AROUND)
    assert (set(found), set(failed)) == ({"blog"}, {GATEWAY})
    only, _failed = resolve_each(broken, AROUND, {"blog"})
    assert set(only) == {"blog"}
    bare = described(GATEWAY, broken, AROUND)
    assert (bare.spec.listen, bare.listeners) == (("127.0.0.1:80",), ())


class TestAsRoot:
    """Names become the gateway's, its root is its own, and its sockets are nobody else's."""

    @pytest.fixture(autouse=True)
    def _as_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(homes, "can_execute", lambda *_: True)
        monkeypatch.setattr(resolving, "untrusted_component", lambda *_: None)
        monkeypatch.setattr("wsgigroups.targets.interpreters.can_execute", lambda *_: True)
        monkeypatch.setattr("wsgigroups.targets.interpreters.doubt_about_interpreter", lambda _path: None)

    def test_it_is_shut_in_as_its_user(self) -> None:
        nobody = pwd.getpwnam("nobody")
        found = targets({"a.example.org": WEB}, gateway={"user": "nobody"}, server={"user": "#4711"})
        spec = found[GATEWAY].spec
        assert (spec.chroot, spec.home) == ("/run/w/gateway", None)
        assert spec.identity
        assert (spec.identity.uid, spec.identity.groups) == (nobody.pw_uid, (nobody.pw_gid,))
        assert routing(found).gid == nobody.pw_gid
        (link,) = found["blog"].listeners
        assert link.owner_uid == nobody.pw_uid
        assert found["blog"].spec.serving.trusted_uids == (0, nobody.pw_uid)
        assert routes(found).links["blog"].uids == (0, 4711)

    def test_a_socket_that_it_could_not_open_is_refused(self) -> None:
        gateway = {"user": "nobody"}
        with pytest.raises(WsgigroupsError, match="cannot mount group 'blog': its socket-user is uid 4711"):
            targets({"a.example.org": WEB}, {"blog": {"app": "a:b", "socket-user": "#4711"}}, gateway=gateway)
        own = {"app": "a:b", "socket-user": "#4711", "listen": ["unix:/run/blog.sock"]}
        found = targets({"a.example.org": WEB}, {"blog": own}, gateway=gateway)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert [item.owner_uid for item in found["blog"].listeners] == [4711, nobody]
        # whose socket it is says nothing of whom it believes
        assert found["blog"].spec.serving.trusted_uids == (0, nobody)
        asked = targets({"a.example.org": WEB}, {"blog": {**own, "trusted-proxies": ["unix"]}}, gateway=gateway)
        assert asked["blog"].spec.serving.trusted_uids == (0, 4711, nobody)
