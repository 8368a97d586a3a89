"""Configurations of other programs, changed at random: an importer refuses them in words, or gives a valid file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.importing import corpus, imported, loaded

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import IMPORTERS

KINDS = sorted(IMPORTERS)
UNIT = '{"listeners": {"*:80": {"pass": "applications/a"}}, "applications": {"a": {"type": "python", "module": "a"}}}'
SEEDS = {kind: [path.read_text("utf-8", "replace") for path in corpus(kind)] for kind in KINDS if kind != "unit"}
SEEDS["unit"] = [UNIT]
ENDINGS = {"gravity": ".yml", "systemd": ".service", "unit": ".json", "gunicorn": "", "uwsgi": ".ini"}
PIECES = [
    "", "\n", " ", "\t", '"', "'", "\\", "\\\n", "<", ">", "</", "=", ":", "[", "]", "{", "}", "(", ")", "%", "%(",
    "%n", "$", "${", "${A:-b}", "$(A)", "#", ";", "/", "..", "-", "--", "0", "-1", "9" * 30, "1e9", "0x10", "true",
    "null", "\x00", "\ufeff", "é", "\u2028", "&a", "*a", "<<:", "!!str ", "|", "unix:", "*:80", "[::]:80",
    "localhost", "for = 1 2\n", "endfor\n", "if-env = A\n", "Include *.conf\n", "Define A ${A}\n", "<Macro a>\n",
    "</Macro>\n", "Use a\n", "ini = a.ini\n", "a" * 3000, "[" * 9, "{" * 9,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_is_read_is_refused_in_words_or_becomes_valid(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    text = data.draw(st.sampled_from(SEEDS[kind]))
    for _change in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 12)))
        text = text[:begin] + data.draw(st.sampled_from(PIECES)) + text[end:]
    path = f"/srv/etc/a{ENDINGS.get(kind, '.conf')}"
    try:
        draft = imported(kind, {path: text}, path)
    except WsgigroupsError:
        return  # in words, then
    loaded(draft, kind, tmp_path / "groups.toml")
