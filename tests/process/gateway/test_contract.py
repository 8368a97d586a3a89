"""One contract for every engine: what a site's clients and its application see is the same, but for a list.

The list is in docs/gateway.md, and complete both ways: a difference that is not there fails, and so does one that is
gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.contract import Client, embedded, kept_engine, nginx_engine, scene
from support.contract_checks import CHECKS
from support.contract_expected import BY_VERSION, DIFFERENT, EXPECTED
from support.nginx import NGINX
from support.tree import ROOT

pytestmark = pytest.mark.needs(NGINX)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Client]]:
    directory = tmp_path_factory.mktemp("contract")
    with (
        scene(directory) as what,
        embedded(what) as ours,
        nginx_engine(what) as theirs,
        kept_engine(what) as kept,
        kept_engine(what, "parting", parting=True) as parting,
    ):
        yield [ours, theirs, kept, parting]


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_asked_of_every_engine(name: str, engines: list[Client]) -> None:
    found = {client.engine: CHECKS[name](client) for client in engines}
    theirs = DIFFERENT.get(name, EXPECTED[name])
    if name in BY_VERSION and found["nginx"] == EXPECTED[name]:
        theirs = EXPECTED[name]
    assert found == {"embedded": EXPECTED[name], "nginx": theirs, "kept": theirs, "parting": theirs}


def test_the_list_of_differences_is_the_one_in_the_documentation() -> None:
    assert len(CHECKS) >= 40
    assert set(CHECKS) == set(EXPECTED)
    assert all(DIFFERENT[name] != EXPECTED[name] for name in DIFFERENT)
    text = (ROOT / "docs/gateway.md").read_text()
    section = text[text.index("### What nginx does otherwise") :].partition("\n## ")[0]
    rows = [name for name, _ours, _theirs in ROW.findall(section)]
    assert sorted(rows[1:]) == sorted(DIFFERENT), "rows of the table, below its head"
