"""What the shell completes: names of groups and processes, and whatever else a manager or this program can tell.

Runs in the user's process, at each press of a key: asks for a short time, and completes nothing where nobody answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.cli.verbs import GIVEN_RUN_DIR

if TYPE_CHECKING:
    from pathlib import Path

    import click
    from click.shell_completion import CompletionItem

    from wsgigroups.client.answers import GroupAnswer

_PATIENCE_S = 2.0
_MOST = 200


def _run_dir(ctx: click.Context) -> Path:
    """As the command would have it; no command has run that could say."""
    from wsgigroups.cli.directories import default_run_dir
    from wsgigroups.trust.volumes import own_in

    given: Path | None = ctx.meta.get(GIVEN_RUN_DIR) or ctx.find_root().params.get("run_dir")
    return own_in(given) if given else default_run_dir()


def _groups(ctx: click.Context) -> list[GroupAnswer]:
    from wsgigroups.client import Client
    from wsgigroups.errors import WsgigroupsError

    try:
        return Client(_run_dir(ctx), timeout_s=_PATIENCE_S).status()["groups"]
    except WsgigroupsError:
        return []


def complete_groups(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of running groups."""
    return [group["name"] for group in _groups(ctx) if group["name"].startswith(incomplete)]


def complete_processes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of running groups, and behind a slash those of their processes."""
    groups = _groups(ctx)
    if "/" not in incomplete:
        return [group["name"] for group in groups if group["name"].startswith(incomplete)]
    found = [f"{group['name']}/{process['slot']}" for group in groups for process in group["processes"]]
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)]


def complete_counts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """`GROUP=N` with the number that there is now."""
    found = [f"{group['name']}={group['processes_wanted']}" for group in _groups(ctx)]
    return [text for text in found if text.startswith(incomplete) and not text.startswith("@")]


def complete_revisions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of kept revisions, with how each ended."""
    from click.shell_completion import CompletionItem

    from wsgigroups.client import Client
    from wsgigroups.errors import WsgigroupsError

    try:
        rows = Client(_run_dir(ctx), timeout_s=_PATIENCE_S).history()["revisions"]
    except WsgigroupsError:
        return []
    found = [(str(row["revision"]), f"{row['outcome']}, {row['accepted_at']}") for row in rows]
    return [CompletionItem(number, help=text) for number, text in found if number.startswith(incomplete)][:_MOST]


def complete_keys(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Options of a configuration file and codes of diagnostics, with what each is about."""
    from click.shell_completion import CompletionItem

    if incomplete.upper().startswith("WG"):
        from wsgigroups.config.codes import CODES

        codes = [code for code in sorted(CODES) if code.startswith(incomplete.upper())]
        return [CompletionItem(code, help=CODES[code].title) for code in codes]
    from wsgigroups.config.explain import first_sentence
    from wsgigroups.config.generated import read_json

    tables = read_json("options.json")
    found = {name: first_sentence(facts["doc"]) for options in tables.values() for name, facts in options.items()}
    return [CompletionItem(name, help=found[name]) for name in sorted(found) if name.startswith(incomplete)]
