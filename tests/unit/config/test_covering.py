"""Reports quote the file, and no value of `environment` with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config.loader import load
from wsgigroups.config.reports import covering
from wsgigroups.config.reports.text import render

SECRETS = [f"s3cret-{number}" for number in range(6)]
HEAD = 'version = 1\n[groups.a]\napp = "a:b"\n'
FILES = {
    "one line": f'{HEAD}environment = {{ A = "{SECRETS[0]}", "B=C" = "{SECRETS[1]}", C = ["{SECRETS[2]}"], D = 47 }}\n',
    "a table": f'{HEAD}[groups.a.environment]\nA = "{SECRETS[0]}\\u0000"\nB = 4711\n"C D" = \'{SECRETS[1]}\'\n',
    "several lines": f'{HEAD}[groups.a.environment]\nA = """{SECRETS[0]}\n{SECRETS[1]}\\u0000\n{SECRETS[2]}"""\n',
    "a list": f'{HEAD}environment = ["A={SECRETS[0]}", "B={SECRETS[1]}"]\n',
    "text": f'{HEAD}environment = "A={SECRETS[0]}"\n',
    "twice": f'{HEAD}environment.A = "{SECRETS[0]}"\nenvironment.A = "{SECRETS[1]}"\n',
    "broken": f'{HEAD}[groups.a.environment]\nGREETING = "{SECRETS[0]}\n',
    "broken elsewhere": f'{HEAD}password = "{SECRETS[0]}" "{SECRETS[1]}"\n',
    "a URL": f'{HEAD}bind = "postgresql://shop:{SECRETS[0]}@localhost/shop"\n',
    "yaml": f"groups:\n  a:\n    app: a:b\n    environment:\n      A: [{SECRETS[0]}]\n      B C: {SECRETS[1]}\n",
    "yaml twice": f"groups:\n  a:\n    environment:\n      A: {SECRETS[0]}\n      A: {SECRETS[1]}\n",
    "yaml broken": f"groups:\n  a:\n    environment:\n      A: {SECRETS[0]}: {SECRETS[1]}\n",
}


@pytest.mark.parametrize("name", FILES)
def test_no_value_of_environment_is_quoted(name: str, tmp_path: Path) -> None:
    path = tmp_path / ("groups.yaml" if "yaml" in name else "groups.toml")
    path.write_text(FILES[name])
    loaded = load([path])
    assert loaded.diagnostics
    shown = render(loaded.diagnostics, loaded.source, color=False)
    assert " | " in shown, "it quotes the file at all"
    assert not [secret for secret in (*SECRETS, "4711") if secret in shown], shown


def test_marks_stay_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(FILES["one line"])
    source = load([path]).source(str(path))
    assert source is not None
    assert covering.covered(source, 3) == 'app = "a:b"'
    assert covering.covered(source, 4) == (
        'environment = { A = "********", "B=C" = "********", C = ["********"], D = ** }'
    )
    assert covering.covered(source, 99) == ""
