"""Which file each group and site came from: recorded with the configuration, and what a path given later stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import Configuration, load
from wsgigroups.config.owners import Owners, by_file, owners_of
from wsgigroups.errors import WsgigroupsError

GROUP = '[groups.{name}]\napp = "m:a"\nlisten = ["127.0.0.1:{port}"]\n'


def group(name: str, port: int = 8000) -> str:
    return GROUP.format(name=name, port=port)


def written(directory: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = directory / f"{name.replace('_', '/')}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def owners(*paths: Path) -> Owners:
    loaded = load(paths, trust=False)
    assert loaded.configuration, loaded.diagnostics
    assert loaded.composed
    return owners_of(loaded.composed)


def test_each_group_and_site_has_the_files_that_it_stands_in(tmp_path: Path) -> None:
    site = '[sites."a.example"]\nlisten = ["127.0.0.1:80"]\nprocess-group = "a"\n'
    inner = '[sites."a.example".groups.inner]\napp = "m:a"\nlisten = ["127.0.0.1:8003"]\n'
    written(
        tmp_path,
        a='version = 1\ninclude = ["conf/*.toml"]\n[defaults]\nthreads = 3\n' + group("a") + site,
        conf_b=group("b", 8001) + inner,
    )
    (a, b) = (str(tmp_path / name) for name in ("a.toml", "conf/b.toml"))
    found = owners(tmp_path / "a.toml")
    assert found.groups == {"a": (a,), "b": (b,), "inner": (b,)}
    assert found.sites == {"a.example": (a, b)}
    assert found.tables == {"defaults": (a,)}
    assert found.included_by == {b: a}
    assert found.defaults == {"threads": 3}
    assert Owners.read({"owners": found.to_document()}) == found


def test_a_path_is_that_of_the_name_and_not_of_what_a_link_leads_to(tmp_path: Path) -> None:
    written(tmp_path, releases_1="version = 1\n" + group("a"))
    (tmp_path / "current").symlink_to("releases")
    assert owners(tmp_path / "current" / "1.toml").groups == {"a": (str(tmp_path / "current/1.toml"),)}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["/d/a.toml"], {"/d/a.toml"}),
        (["/d"], {"/d/a.toml", "/d/b.toml"}),  # those that are gone from it, too
        (["/all.toml"], {"/all.toml", "/i/c.toml", "/i/d.toml"}),  # with what it included, and that in turn
        (["/i/c.toml"], {"/i/c.toml", "/i/d.toml"}),
        (["/i"], set()),  # what another file includes is that one's
        (["/else.toml"], set()),
    ],
)
def test_what_a_path_stands_for(given: list[str], meant: set[str]) -> None:
    named = {"a": "/d/a.toml", "b": "/d/b.toml", "c": "/i/c.toml", "d": "/i/d.toml", "all": "/all.toml"}
    included = {"/i/c.toml": "/all.toml", "/i/d.toml": "/i/c.toml"}
    found = Owners(groups={name: (file,) for name, file in named.items()}, included_by=included)
    assert found.meant_by(given) == meant


def test_files_that_include_each_other_come_to_an_end() -> None:
    assert Owners(included_by={"/a": "/b", "/b": "/a"}).meant_by(["/c"]) == frozenset()


def test_a_configuration_keeps_its_owners() -> None:
    document = {"version": 1, "groups": {"a": {"app": "m:a"}}, "owners": {"groups": {"a": ["/a.toml"]}}}
    configuration = Configuration.from_document(document)
    assert configuration.owners.groups == {"a": ("/a.toml",)}
    assert configuration.to_document() == document
    del document["owners"]
    assert "owners" not in Configuration.from_document(document).to_document()


@pytest.mark.parametrize("owned", [[], "a", {"groups": {"a": "x"}}, {"included_by": {"a": 1}}])
def test_owners_that_mean_nothing_are_refused(owned: Any) -> None:
    with pytest.raises(WsgigroupsError, match=r"owners.* is damaged"):
        Configuration.from_document({"version": 1, "owners": owned})


def test_no_file_says_whose_it_is(tmp_path: Path) -> None:
    written(tmp_path, a='version = 1\n[owners]\ngroups = { a = ["/x"] }\n')
    assert any('"owners"' in item.message for item in load([tmp_path / "a.toml"], trust=False).diagnostics)


def test_a_document_is_split_by_file() -> None:
    document = {
        "version": 1,
        "server": {"timeout": 5.0},
        "groups": {"a": {"threads": 1}, "b": {"threads": 2}, "c": {"threads": 3}, "d": {"threads": 4}},
        "owners": {
            "groups": {"a": ["/a"], "b": ["/b"], "d": ["/a", "/b"]},
            "tables": {"server": ["/a"]},
        },
    }
    assert by_file(document) == {
        "": {"version": 1, "groups": {"c": {"threads": 3}, "d": {"threads": 4}}},
        "/a": {"version": 1, "server": {"timeout": 5.0}, "groups": {"a": {"threads": 1}}},
        "/b": {"version": 1, "groups": {"b": {"threads": 2}}},
    }
    assert by_file({"version": 1}) == {"": {"version": 1}}
