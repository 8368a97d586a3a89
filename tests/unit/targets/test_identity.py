"""Names to numbers: exact lists, and no way to root."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.targets import identity
from wsgigroups.targets.identity import own_person, resolve_person


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {
        "joe": pwd.struct_passwd(("joe", "x", 1001, 1002, "", "/home/joe", "")),
        "toor": pwd.struct_passwd(("toor", "x", 0, 1002, "", "/root", "")),
        "inroot": pwd.struct_passwd(("inroot", "x", 1003, 0, "", "", "")),
        "www-data": pwd.struct_passwd(("www-data", "x", 33, 33, "", "/var/www", "")),
    }
    groups = {"joe": 1002, "staff": 50, "root": 0, "wheel": 10}
    monkeypatch.setattr(identity.pwd, "getpwnam", users.__getitem__)
    monkeypatch.setattr(identity.pwd, "getpwuid", {u.pw_uid: u for u in users.values()}.__getitem__)
    monkeypatch.setattr(identity.grp, "getgrnam", lambda name: grp.struct_group((name, "x", groups[name], [])))
    monkeypatch.setattr(
        identity.grp, "getgrgid", lambda gid: grp.struct_group(({v: k for k, v in groups.items()}[gid], "x", gid, []))
    )


def test_a_user_alone_has_its_primary_group_and_no_other() -> None:
    person = resolve_person("a", "joe", None, ())
    assert (person.uid, person.gid, person.groups) == (1001, 1002, (1002,))
    assert (person.user_name, person.group_name, person.home) == ("joe", "joe", "/home/joe")


def test_supplementary_groups_are_the_exact_list() -> None:
    assert resolve_person("a", "joe", "staff", ("wheel", "staff")).groups == (50, 10)


def test_numbers_need_no_entry() -> None:
    person = resolve_person("a", "#4711", "#4712", ())
    assert (person.uid, person.gid, person.user_name, person.group_name) == (4711, 4712, "#4711", "#4712")


def test_nobody_named_is_www_data() -> None:
    assert resolve_person("a", None, None, ()).user_name == "www-data"


@pytest.mark.parametrize(
    ("user", "group", "extra", "names"),
    [
        ("toor", None, (), "'toor' is root's"),
        ("#0", None, (), "'#0' is root's"),
        ("joe", "root", (), "'root' is root's"),
        ("joe", "#0", (), "'#0' is root's"),
        ("inroot", None, (), "primary group of inroot"),
        ("joe", None, ("root",), "'root' is root's"),
        ("joe", None, ("wheel", "#0"), "'#0' is root's"),
        ("nobody-here", None, (), "no user 'nobody-here'"),
        ("joe", "nothing-here", (), "no group 'nothing-here'"),
        ("#-1", None, (), "'#-1' is no number"),
        ("#1e3", None, (), "is no number"),
    ],
)
def test_root_and_unknown_names_are_refused(user: str, group: str | None, extra: tuple[str, ...], names: str) -> None:
    with pytest.raises(WsgigroupsError, match="cannot use") as caught:
        resolve_person("a", user, group, extra)
    assert names in caught.value.message
    assert "'a'" in caught.value.message
    assert caught.value.exit_code is ExitCode.USAGE


def test_more_groups_than_the_system_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _name: 2)
    with pytest.raises(WsgigroupsError, match="3 groups are more than the system's 2"):
        resolve_person("a", "joe", None, ("staff", "wheel"))


def test_without_root_it_is_who_we_are() -> None:
    person = own_person()
    assert (person.uid, person.gid) == (os.geteuid(), os.getegid())
