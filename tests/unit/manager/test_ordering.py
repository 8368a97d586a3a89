"""Orders of certificates, with a helper that says what the test wants: what is stored, used, told and left alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.control import ControlUnderTest
from support.looking import pause
from support.pebble import HUNG_S, made_pair
from support.targets import small_target

from wsgigroups.config import Configuration
from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.routing import HostOfSites, routing_of
from wsgigroups.manager import asking, gateway_root
from wsgigroups.manager.core import model
from wsgigroups.manager.ordering import Orders
from wsgigroups.manager.supervision import publishing
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.runtime.wire.routes import Challenges
from wsgigroups.runtime.wire.spec import Identity
from wsgigroups.targets.resolve import orders_of
from wsgigroups.trust.helpers import Account, HelperError, run_helper

ONE, TWO, ALIAS = "one.example.org", "two.example.org", "alias.example.org"
DIRECTORY = "https://acme.example.org/dir"
DAY_S = 86400.0
Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Helper:
    """In the place of the helper process: makes what it is asked for, if `answer` does not say otherwise."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.accounts: list[Account | None] = []  # whom the helpers were
        self.change: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = lambda _asked, found: found
        self.shown: list[Challenges] = []

    def run(self, account: Account | None, _program: object, data: bytes, *_more: object) -> tuple[int, bytes]:
        asked = json.loads(data)
        self.asked.append(asked)
        self.accounts.append(account)
        if asked["step"] == "begin":
            self.chain, key = made_pair(asked["names"], time.time() - DAY_S, time.time() + 89 * DAY_S)
            found: dict[str, Any] = {
                "account": {"key": {"kty": "RSA"}, "uri": "https://acme.example.org/1"},
                "order": {"uri": "x", "body": "{}"},
                "key": key.decode(),
                "csr": "",
                "proofs": [{"name": name, "url": "u", "token": f"t-{name}", "text": "t.k"} for name in asked["names"]],
            }
        else:
            found = {"chain": self.chain.decode(), "account": asked["account"]}
        return 0, json.dumps(self.change(asked, found)).encode()

    async def publish(self, _shell: object, challenges: Challenges) -> str:
        self.shown.append(challenges)
        return ""

    @property
    def steps(self) -> list[str]:
        return [f"{item['step']} {' '.join(item.get('names', []))}".strip() for item in self.asked]


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Helper:
    made = Helper()
    monkeypatch.setattr(asking, "run_helper", made.run)
    monkeypatch.setattr(publishing, "publish", made.publish)
    monkeypatch.setattr(publishing, "all_ready", lambda _shell: True)
    return made


@pytest.fixture
def api(tmp_path: Path, helper: Helper) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def target_of(tmp_path: Path, *names: str, aliases: tuple[str, ...] = ()) -> GroupTarget:
    sites = {name: {"listen": ["127.0.0.1:443"], "certificate": "acme"} for name in names}
    if aliases:
        sites[names[0]]["aliases"] = list(aliases)
    document = {
        "version": 1,
        "sites": sites,
        "gateway": {"acme-directory": DIRECTORY, "acme-terms-agreed": True, "acme-challenge": "http-01"},
    }
    orders = str(orders_of(tmp_path / "state"))
    host = HostOfSites({}, {}, {}, {}, {}, str(tmp_path / "gateway"), orders=orders)
    return replace(small_target(GATEWAY), routing=routing_of(Configuration.from_document(document), host))


def begin(api: ControlUnderTest, target: GroupTarget, tmp_path: Path, revision: int = 2) -> None:
    gateway_root.prepare({GATEWAY: target}, str(tmp_path))

    async def apply() -> None:
        api.shell.dispatch(model.Apply({GATEWAY: target}, revision, model.START_UP))

    api.within(apply)


def look(api: ControlUnderTest, times: int = 1) -> Orders:
    orders = api.handlers.applying.orders
    for _time in range(times):
        api.within(orders.look)
    return orders


def certificates(api: ControlUnderTest) -> dict[str, str]:
    routing = api.shell.state.groups[GATEWAY].target.routing
    assert routing
    files = {item.name for item in routing.certificates}
    found = {key: site.certificate for key, site in read_routes(routing).sites.items()}
    assert {name for name in found.values() if name} == files
    return found


def states(orders: Orders) -> dict[str, tuple[str, int, str | None]]:
    return {item.sites[0]: (item.state, item.failures, item.error) for item in orders.shown()}


def test_sites_get_certificates_one_after_the_other(api: ControlUnderTest, helper: Helper, tmp_path: Path) -> None:
    begin(api, target_of(tmp_path, ONE, TWO, aliases=(ALIAS,)), tmp_path)
    assert certificates(api) == {ONE: "", TWO: ""}
    orders = look(api)
    assert states(orders) == {ONE: ("waiting", 0, None), TWO: ("waiting", 0, None)}
    look(api)
    assert helper.steps == [f"begin {ONE} {ALIAS}", "finish"]
    assert helper.shown == [Challenges({f"t-{ONE}": "t.k", f"t-{ALIAS}": "t.k"}), Challenges()]
    assert states(orders) == {ONE: ("made", 0, None), TWO: ("waiting", 0, None)}
    used = certificates(api)
    assert used[ONE]
    assert not used[TWO]
    assert (tmp_path / "gateway" / "certificates" / f"{used[ONE]}.key").stat().st_mode & 0o777 == 0o600
    look(api, 3)
    assert helper.steps[2:] == [f"begin {TWO}", "finish"]
    assert helper.asked[2]["account"] == {"key": {"kty": "RSA"}, "uri": "https://acme.example.org/1"}
    look(api, 5)
    assert len(helper.steps) == 4
    assert orders.notices() == []
    options = api.shell.state.groups[GATEWAY].target.options
    assert options[f"sites.{ONE}.certificate"] == f"acme ({used[ONE][:12]})"
    assert (
        "BEGIN" not in (tmp_path / "gateway" / "certificates" / f"{used[ONE]}.crt").read_text().split("CERTIFICATE")[-2]
    )


@pytest.mark.parametrize("uid", [None, 4711])
def test_a_helper_is_who_the_gateway_is(api: ControlUnderTest, helper: Helper, tmp_path: Path, uid: int | None) -> None:
    target = target_of(tmp_path, ONE)
    if uid is not None:
        target = replace(target, spec=replace(target.spec, identity=Identity(uid, uid, ())))
    begin(api, target, tmp_path)
    look(api, 2)
    assert helper.accounts == [uid if uid is None else Account(uid, uid, ())] * 2


def test_an_alias_more_is_another_order_and_no_site_is_without(
    api: ControlUnderTest, helper: Helper, tmp_path: Path
) -> None:
    begin(api, target_of(tmp_path, ONE), tmp_path)
    look(api, 3)
    first = certificates(api)[ONE]
    begin(api, target_of(tmp_path, ONE, aliases=(ALIAS,)), tmp_path, 3)
    look(api)
    assert certificates(api)[ONE] == first
    look(api, 2)
    assert helper.steps[2:] == [f"begin {ONE} {ALIAS}", "finish"]
    assert certificates(api)[ONE] not in ("", first)


def spoiled(kind: str) -> Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]:
    def change(asked: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        if asked["step"] == "finish":
            names = [TWO] if kind == "names" else [ONE]
            ends = time.time() + (-1 if kind == "ended" else DAY_S)
            chain, _other_key = made_pair(names, time.time() - DAY_S, ends)
            return {"chain": "none" if kind == "none" else chain.decode(), "account": asked["account"]}
        if kind in ("names", "ended"):
            found["key"] = ""
        return found

    return change


@pytest.mark.parametrize(("kind", "why"), [("key", "is not the key of"), ("none", "there is no certificate in it")])
def test_what_cannot_be_used_is_not_stored(
    api: ControlUnderTest, helper: Helper, tmp_path: Path, kind: str, why: str
) -> None:
    helper.change = spoiled(kind)
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api, 4)
    assert helper.steps == [f"begin {ONE}", "finish"]
    ((state, failures, error),) = states(orders).values()
    assert (state, failures) == ("waiting", 1)
    assert why in str(error)
    assert certificates(api) == {ONE: ""}
    (attempts,) = orders.kept.attempts.values()
    assert attempts.next_at > time.time() + 33 * 3600
    assert not list(orders.store.certificates.iterdir())


def test_a_certificate_for_others_is_refused(api: ControlUnderTest, helper: Helper, tmp_path: Path) -> None:
    def change(asked: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        if asked["step"] == "begin":
            helper.chain, key = made_pair([TWO], time.time() - DAY_S, time.time() + DAY_S)
            found["key"] = key.decode()
        return found

    helper.change = change
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api, 2)
    assert f"it is not for {ONE}" in str(states(orders)[ONE][2])


@pytest.mark.parametrize(
    ("answer", "others_wait", "later_s"),
    [
        ({"error": "unreachable", "account": None}, True, 800),
        ({"error": "slow down", "kind": "urn:ietf:params:acme:error:rateLimited", "retry_after_s": 7200}, True, 7000),
        ({"error": "no such name", "kind": "urn:ietf:params:acme:error:rejectedIdentifier"}, False, 800),
    ],
)
def test_what_is_wrong_with_the_authority_is_not_tried_for_each_site(
    api: ControlUnderTest, helper: Helper, tmp_path: Path, answer: dict[str, Any], others_wait: bool, later_s: float
) -> None:
    helper.change = lambda _asked, _found: answer
    begin(api, target_of(tmp_path, ONE, TWO), tmp_path)
    orders = look(api, 5)
    assert helper.steps == ([f"begin {ONE}"] if others_wait else [f"begin {ONE}", f"begin {TWO}"])
    assert min(item.next_at for item in orders.kept.attempts.values()) > time.time() + later_s
    assert any(str(answer["error"]) in notice for notice in orders.notices())
    kinds = [entry.happening.kind for entry in api.journal.entries]
    assert kinds.count("certificate-failed") == len(helper.steps)


def late(*_arguments: object) -> tuple[int, bytes]:
    raise HelperError("there was no answer within 1 s")


@pytest.mark.parametrize(
    "run", [late, lambda *_: (1, b""), lambda *_: (0, b"[]"), lambda *_: (0, b"{}"), lambda *_: (0, b'{"proofs": 7}')]
)
def test_helpers_of_no_use(
    api: ControlUnderTest, tmp_path: Path, run: Callable[..., tuple[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "run_helper", run)
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api, 3)
    (attempts,) = orders.kept.attempts.values()
    assert "helper" in attempts.error
    assert attempts.failures == 1


def test_nothing_is_ordered_twice_at_once(api: ControlUnderTest, helper: Helper, tmp_path: Path) -> None:
    """A helper that outlived its manager has the lock; and what was begun is a failure until it is known to be none."""
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api)
    held = orders.store.lock()
    assert held is not None
    assert orders.store.lock() is None
    look(api, 3)
    assert helper.steps == []
    os.close(held)

    def die(asked: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        seen.append(Orders(api.handlers.applying))  # a manager that finds what this one has stored by now
        return found

    seen: list[Orders] = []
    helper.change = die
    look(api)
    (attempts,) = seen[0].kept.attempts.values()
    assert attempts.failures == 1
    assert attempts.next_at > time.time() + 800
    assert seen[0].kept.orders[DIRECTORY]
    assert Orders(api.handlers.applying).kept.attempts == {}


def test_a_renewal_in_time(api: ControlUnderTest, helper: Helper, tmp_path: Path) -> None:
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = api.handlers.applying.orders
    routing = api.shell.state.groups[GATEWAY].target.routing
    assert routing
    assert routing.authority
    (order,) = routing.authority.orders
    for age, due in ((40, False), (70, True)):
        chain, key = made_pair([ONE], time.time() - age * DAY_S, time.time() + (90 - age) * DAY_S)
        orders.store.prepare()
        orders.store.keep_certificate(order.path, chain, key)
        begin(api, target_of(tmp_path, ONE), tmp_path, api.shell.state.revision + 1)
        look(api, 2)
        assert (helper.steps != []) is due
        assert certificates(api)[ONE]


def test_an_account_that_the_authority_does_not_know_is_made_anew(
    api: ControlUnderTest, helper: Helper, tmp_path: Path
) -> None:
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api)
    orders.store.prepare()
    orders.store.keep_account(DIRECTORY, "", {"key": {}, "uri": "x"})
    unknown = {"error": "who?", "kind": "urn:ietf:params:acme:error:accountDoesNotExist", "account": {"key": {}}}
    helper.change = lambda _asked, _found: unknown
    look(api, 2)
    assert helper.asked[0]["account"] == {"key": {}, "uri": "x"}
    assert orders.store.account(DIRECTORY, "") is None


def test_what_cannot_be_stored_is_told(api: ControlUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api)
    monkeypatch.setattr(type(orders.store), "keep_certificate", full)
    look(api)
    assert "cannot be stored: No space left on device" in str(states(orders)[ONE][2])
    assert next(iter(orders.kept.attempts.values())).next_at > time.time() + 33 * 3600


def until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + HUNG_S
    while not fact():
        assert time.monotonic() < end
        pause()


def is_free(orders: Orders) -> bool:
    held = orders.store.lock()
    if held is not None:
        os.close(held)
    return held is not None


def test_an_end_of_the_manager_ends_the_helper_at_once(
    api: ControlUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = tmp_path / "waits.py"
    waits.write_text(f"import pathlib, time\npathlib.Path({str(tmp_path / 'begun')!r}).touch()\ntime.sleep(600)\n")
    monkeypatch.setattr(asking, "run_helper", run_helper)
    monkeypatch.setattr(asking, "_ASKER", waits)
    begin(api, target_of(tmp_path, ONE), tmp_path)
    orders = look(api)

    async def ended() -> None:
        task = asyncio.create_task(orders.look())
        await asyncio.to_thread(until, (tmp_path / "begun").exists)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(until, lambda: is_free(orders))  # the helper had it

    api.within(ended)
    (attempts,) = orders.store.load().attempts.values()
    assert attempts.failures == 1
