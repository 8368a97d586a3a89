"""One project's files beside what runs of another's: what is replaced, what stays, and what the two cannot both say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import Configuration, Loaded, load
from wsgigroups.config.compose import Layer
from wsgigroups.config.only import files_of, layers_beside, merged, part_of, touched
from wsgigroups.config.owners import Owners, owners_of
from wsgigroups.errors import WsgigroupsError

NOTHING: Mapping[str, Any] = {"version": 1}


def text(name: str, port: int, more: str = "", tables: str = "") -> str:
    return f'version = 1\n{tables}\n[groups.{name}]\napp = "m:a"\nlisten = ["127.0.0.1:{port}"]\n{more}\n'


class Projects:
    """Two projects on one machine, and what runs of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: Mapping[str, Any] = NOTHING

    def path(self, name: str) -> Path:
        return self.directory / name

    def beside(self, name: str, content: str) -> Loaded:
        """Read one file beside what runs."""
        self.path(name).write_text(content)

        def others(written: Sequence[Layer]) -> list[Layer]:
            return layers_beside(self.running, written, [str(self.path(name))])

        return load([self.path(name)], trust=False, beside=others)

    def apply(self, name: str, content: str) -> frozenset[str]:
        """Apply one file alone; return the groups that it is about."""
        loaded = self.beside(name, content)
        assert loaded.configuration, loaded.diagnostics
        assert loaded.composed
        part = part_of(loaded.configuration.to_document(), loaded.composed)
        files = files_of(self.running, loaded.composed.layers, [str(self.path(name))])
        before = Owners.read(self.running)
        self.running = Configuration.from_document(merged(self.running, part, files)).to_document()
        return touched(before, Owners.read(self.running), files)

    def together(self, *names: str) -> dict[str, Any]:
        """What all files say, read at once."""
        loaded = load([self.path(name) for name in names], trust=False)
        assert loaded.configuration, loaded.diagnostics
        assert loaded.composed
        return loaded.configuration.model_copy(update={"owners": owners_of(loaded.composed)}).to_document()


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    made = Projects(tmp_path)
    made.apply("a.toml", text("a", 8001, tables="[server]\ntimeout = 5\n[defaults]\nthreads = 3"))
    return made


def test_one_after_the_other_they_come_to_what_all_of_them_say(projects: Projects) -> None:
    assert projects.apply("b.toml", text("b", 8002)) == {"b"}
    assert projects.running == projects.together("a.toml", "b.toml")
    assert projects.running["groups"]["b"]["threads"] == 3  # what holds for all holds for it


def test_what_a_file_had_and_has_no_more_is_gone_and_the_rest_stays(projects: Projects) -> None:
    projects.apply("b.toml", text("b", 8002))
    before = projects.running["groups"]["a"]
    assert projects.apply("b.toml", text("other", 8003, "processes = 2")) == {"b", "other"}
    assert projects.running["groups"].keys() == {"a", "other"}
    assert projects.running["groups"]["a"] == before
    assert Owners.read(projects.running).groups.keys() == {"a", "other"}


def test_an_empty_file_takes_out_what_came_from_it_and_nothing_else(projects: Projects) -> None:
    projects.apply("b.toml", text("b", 8002))
    assert projects.apply("b.toml", "version = 1\n") == {"b"}
    assert projects.running == projects.together("a.toml")


def test_a_file_needs_no_version_where_others_say_it(projects: Projects) -> None:
    assert projects.apply("b.toml", text("b", 8002).replace("version = 1\n", "")) == {"b"}


def test_alone_it_may_change_what_holds_for_all(projects: Projects) -> None:
    projects.apply("a.toml", text("a", 8001, tables="[server]\ntimeout = 9"))
    assert projects.running["server"] == {"timeout": 9.0}
    assert "defaults" not in projects.running["owners"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("[server]\ntimeout = 6", r"\[server\] .* timeout of it"),
        ("[server]\nlog-format = 'json'", r"\[server\] .* log-format of it"),
        ("[gateway]\nprocesses = 2", r"\[gateway\] .* processes of it"),
        ("[defaults]\nthreads = 4", r"\[defaults\] .* threads of it"),
        ("[defaults]\numask = '0027'", r"\[defaults\] .* umask of it"),
    ],
)
def test_what_holds_for_all_is_no_other_beside_others(projects: Projects, tables: str, said: str) -> None:
    with pytest.raises(WsgigroupsError, match=said) as refused:
        projects.apply("b.toml", text("b", 8002, tables=tables))
    assert f"{projects.path('b.toml')} and {projects.path('a.toml')}" in refused.value.message


def test_both_may_say_the_same(projects: Projects) -> None:
    projects.apply("b.toml", text("b", 8002, tables="[server]\ntimeout = 5\n[defaults]\nthreads = 3"))
    assert Owners.read(projects.running).tables["server"] == tuple(map(str, map(projects.path, ("a.toml", "b.toml"))))


def test_who_wrote_what_holds_for_all_does_not_take_it_away_from_others(projects: Projects) -> None:
    projects.apply("b.toml", text("b", 8002))
    with pytest.raises(WsgigroupsError, match=r"\[server\] .* timeout of it") as refused:
        projects.apply("a.toml", text("a", 8001, tables="[defaults]\nthreads = 3"))
    assert str(projects.path("b.toml")) in refused.value.message


@pytest.mark.parametrize("kind", ["group", "site"])
def test_a_name_is_one_files(projects: Projects, kind: str) -> None:
    site = '[sites."s.example"]\nlisten = ["127.0.0.1:80"]\nprocess-group = "a"\n'
    projects.apply("a.toml", text("a", 8001, tables="[server]\ntimeout = 5\n[defaults]\nthreads = 3") + site)
    content = text("a", 8002, "processes = 2") if kind == "group" else "version = 1\n" + site
    with pytest.raises(WsgigroupsError, match=rf"{kind} '.*' of .*b\.toml is in .*a\.toml, too"):
        projects.beside("b.toml", content)


def test_a_group_of_which_nobody_knows_the_file_is_not_taken(projects: Projects) -> None:
    projects.running = {"version": 1, "groups": {"b": {"app": "m:a"}}}
    with pytest.raises(WsgigroupsError, match=r"group 'b' of .* runs, and it is not known from which file"):
        projects.beside("b.toml", text("b", 8002))


def test_a_group_of_two_files_takes_both(projects: Projects) -> None:
    two = {"groups": {"b": [str(projects.path("b.toml")), "/c.toml"]}}
    projects.running = {"version": 1, "groups": {"b": {"app": "m:a"}}, "owners": two}
    with pytest.raises(WsgigroupsError, match=r"group 'b' is in .*b\.toml and in /c\.toml"):
        projects.beside("b.toml", text("b", 8002))


def test_an_address_of_another_file_is_a_diagnostic_with_both(projects: Projects) -> None:
    loaded = projects.beside("b.toml", text("b", 8001))
    assert loaded.configuration is None
    (found,) = [item for item in loaded.diagnostics if item.severity.value == "error"]
    files = {found.file, *(related.file for related in found.related)}
    assert files == {str(projects.path("a.toml")), str(projects.path("b.toml"))}


def test_nothing_but_errors_is_said_of_what_runs(projects: Projects) -> None:
    many = text("a", 8001, "threads = 100", "[server]\ntimeout = 5\n[defaults]\nthreads = 3")
    projects.apply("a.toml", many)
    assert [item.code for item in load([projects.path("a.toml")], trust=False).diagnostics] == ["WG0501"]
    assert projects.beside("b.toml", text("b", 8002)).diagnostics == ()


def test_what_a_site_of_another_file_leads_to_stays(projects: Projects) -> None:
    site = '[sites."s.example"]\nlisten = ["127.0.0.1:80"]\nprocess-group = "a"\n'
    projects.apply("b.toml", "version = 1\n" + site)
    loaded = projects.beside("a.toml", "version = 1\n[server]\ntimeout = 5\n[defaults]\nthreads = 3\n")
    assert loaded.configuration is None
    assert any(item.code == "WG0404" for item in loaded.diagnostics)


@pytest.mark.parametrize("broken", [{"groups": []}, {"server": 1}, {"owners": 7}])
def test_a_part_that_means_nothing_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(WsgigroupsError, match="cannot"):
        merged(NOTHING, {"version": 1, **broken}, ["/a.toml"])
