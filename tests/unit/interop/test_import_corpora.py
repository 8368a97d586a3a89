"""Public configurations, reduced to their settings: what is written of each has no mistakes, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.importing import APP, corpus, loaded

from wsgigroups.config.toml import parse
from wsgigroups.host.foreign_files import ForeignFiles
from wsgigroups.interop.importers import IMPORTERS, Draft, Fidelity, ImportRequest, import_files, report, write

# which of them have no application that can be served: ASGI, and what starts one by a name of paste's
NOTHING_TO_SERVE = {
    "asgi.settings",
    "asgi-by-variables.settings",
    "asgi-reloaded.settings",
    "asgi.service",
    "asgi-and-nginx.conf",
    "paste.sh",
}
KINDS = ("apache", "gravity", "mod_wsgi-express", "supervisor", "systemd", "uwsgi")


def of_file(kind: str, path: Path, directory: Path) -> Draft:
    """Import it; settings in Python have another name here, since they are no part of this project's code."""
    app = ""
    if path.suffix == ".settings":
        text, path, app = path.read_text("utf-8"), directory / "gunicorn.conf.py", APP
        path.write_text(text, "utf-8")
    return import_files(kind, ImportRequest((str(path),), "", {}, app), ForeignFiles())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_of_a_corpus_is_valid(kind: str, tmp_path: Path) -> None:
    for path in corpus(kind):
        check(kind, path, tmp_path)


@pytest.mark.slow  # a process for each file in Python
def test_what_is_written_of_the_corpus_of_gunicorn_is_valid(tmp_path: Path) -> None:
    for path in corpus("gunicorn"):
        check("gunicorn", path, tmp_path)


def check(kind: str, path: Path, directory: Path) -> None:
    draft = of_file(kind, path, directory)
    configuration = loaded(draft, kind, directory / "groups.toml")
    if path.name in NOTHING_TO_SERVE:
        assert not configuration.all_groups(), path.name
        assert draft.of(Fidelity.DROPPED), path.name
        return
    assert configuration.all_groups(), path.name
    source, mistakes = parse("groups.toml", "/", write(draft, kind, (path.name,)))
    assert not mistakes, path.name
    assert source.data == draft.document, path.name  # comments hide nothing
    kept = len(draft.of(Fidelity.KEPT))
    assert report(draft).splitlines()[-1].startswith(f"{kept} kept, "), path.name
    for gap in draft.gaps:
        assert gap.sentence or gap.verdict is Fidelity.KEPT, f"{path.name}: {gap.setting.what} goes without a reason"


def test_the_corpora_are_large_enough() -> None:
    assert len(corpus("apache")) >= 40
    assert len(corpus("gunicorn")) >= 40
    assert len(corpus("uwsgi")) >= 40
    assert set(KINDS) | {"gunicorn", "unit"} == set(IMPORTERS)
