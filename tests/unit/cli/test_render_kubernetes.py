"""`wsgigroups render kubernetes`: a directory that is written, or compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.clusters import SHOP

from wsgigroups.cli.main import cli
from wsgigroups.errors import ExitCode, WsgigroupsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "groups.toml"
    path.write_text(SHOP)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["render", "kubernetes", *map(str, arguments)])


def check(file: Path, directory: Path) -> tuple[int, str]:
    """Return the exit code and what is said of stale files."""
    arguments = ["render", "kubernetes", str(file), "-o", str(directory), "--check"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None
    return int(done.return_value), done.stdout


def written(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_it_writes_what_it_checks(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "base"
    done = run(file, "-o", target)
    assert (done.exit_code, done.output) == (0, "")
    first = written(target)
    assert "kustomization.yaml" in first
    assert len(first) == 7
    assert check(file, target) == (ExitCode.DONE, "")
    assert run(file, "-o", target).exit_code == 0
    assert written(target) == first


def test_stale_files_are_named_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "base"
    run(file, "-o", target)
    (target / "shop-service.yaml").unlink()
    file.write_text(SHOP.replace("threads = 10", "threads = 11") + "kubernetes.replicas = 1\n")
    before = written(target)
    code, said = check(file, target)
    assert code == ExitCode.FAILED
    assert f"{target}/shop-service.yaml: is not there\n" in said
    assert f"{target}/shop-groups.yaml: is stale\n" in said
    assert "\n  -    threads: 10\n  +    threads: 11\n" in said
    assert f"{target}/shop-disruption-budget.yaml: is no longer rendered\n" in said
    assert written(target) == before
    done = run(file, "-o", target)
    assert done.exit_code == 0
    assert f"{target}/shop-disruption-budget.yaml is no longer rendered: remove it" in done.stderr
    (target / "shop-disruption-budget.yaml").unlink()
    assert check(file, target) == (ExitCode.DONE, "")


def test_a_file_of_somebody_else_is_left_alone(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "base"
    target.mkdir()
    (target / "notes.yaml").write_text("mine: true\n")
    (target / "kustomization.yaml").write_text("resources: []\n")
    refused = run(file, "-o", target)
    assert isinstance(refused.exception, WsgigroupsError)
    assert "kustomization.yaml: that file was not rendered by wsgigroups" in refused.exception.message
    assert set(written(target)) == {"notes.yaml", "kustomization.yaml"}
    assert "kustomization.yaml: is stale" in check(file, target)[1]
    (target / "kustomization.yaml").unlink()
    assert run(file, "-o", target).exit_code == 0
    assert check(file, target) == (ExitCode.DONE, "")
    assert (target / "notes.yaml").read_text() == "mine: true\n"


def test_a_group_alone(file: Path, tmp_path: Path) -> None:
    file.write_text(SHOP + '[groups.api]\napp = "a:b"\nlisten = ["127.0.0.1:8001"]\nmemory-limit = "100M"\n')
    target = tmp_path / "base"
    assert run(file, "-o", target, "--group", "api").exit_code == 0
    assert not [name for name in written(target) if name.startswith("shop")]
    unknown = run(file, "-o", target, "--group", "apis")
    assert isinstance(unknown.exception, WsgigroupsError)
    assert unknown.exception.exit_code == ExitCode.NO_SUCH_GROUP


def test_relative_paths_are_those_of_the_image(file: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    file.write_text(SHOP.replace("[groups.shop]", 'directory = "/app"\n[groups.shop]\npython-path = ["src"]'))
    target = tmp_path / "base"
    assert run(file, "-o", target).exit_code == 0
    text = (target / "shop-groups.yaml").read_text()
    assert "- /app/src\n" in text
    assert str(tmp_path) not in text


def test_variables_of_this_machine_do_not_get_into_files(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "from-this-machine")
    file.write_text(SHOP + 'environment = { PASSWORD = "${DATABASE_PASSWORD}" }\n')
    target = tmp_path / "base"
    assert run(file, "-o", target).exit_code == 0
    assert "${DATABASE_PASSWORD}" in (target / "shop-groups.yaml").read_text()
    assert not [name for name, content in written(target).items() if b"from-this-machine" in content]


def test_values_of_variables_are_not_shown(file: Path, tmp_path: Path) -> None:
    long = "hidden " * 2000
    text = SHOP + 'environment = { KEY = "hidden-one", MORE = "LONG" }\nrollout.canary = 1\n'
    file.write_text(text.replace("LONG", long))
    target = tmp_path / "base"
    assert run(file, "-o", target).exit_code == 0
    file.write_text(text.replace("hidden-one", "hidden-two").replace("LONG", f"{long}hidden\\nhidden: too"))
    assert check(file, target) == (
        ExitCode.FAILED,
        f"{target}/shop-groups.yaml: is stale\n  only ends of lines differ, or values that are not shown\n",
    )
    file.write_text(text.replace("KEY", "OTHER").replace("canary = 1", "canary = 2"))
    code, said = check(file, target)
    assert code == ExitCode.FAILED
    assert "-      KEY: …\n" in said
    assert "+      OTHER: …\n" in said
    assert "+      canary: 2\n" in said
    assert "hidden" not in said


def test_what_a_cluster_cannot_do_is_shown_with_its_place(file: Path, tmp_path: Path) -> None:
    file.write_text(SHOP + 'chroot = "/srv/jail"\n')
    refused = run(file, "-o", tmp_path / "base")
    assert isinstance(refused.exception, WsgigroupsError)
    assert refused.exception.exit_code == ExitCode.USAGE
    assert "WG0702" in refused.output
    assert "groups.toml:12:" in refused.output
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-o", "base", "--kubernetes-version", "1.22"),
        ("-o", "base", "--kubernetes-version", "latest"),
    ],
)
def test_wrong_usage(file: Path, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(file, *arguments).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["groups.toml"]


@pytest.mark.parametrize("option", ["--ingress", "--group=shop", "--kubernetes-version=1.34"])
def test_other_forms_do_not_have_its_options(file: Path, option: str) -> None:
    done = CliRunner().invoke(cli, ["render", "alerts", str(file), option])
    assert done.exit_code == 2
    assert "are for kubernetes" in done.output


def test_a_directory_that_is_none(file: Path, tmp_path: Path) -> None:
    refused = run(file, "-o", file)
    assert isinstance(refused.exception, WsgigroupsError)
    assert str(file) in refused.exception.message
