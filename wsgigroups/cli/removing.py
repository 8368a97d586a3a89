"""Asking before groups are removed: which ones, where they came from, and how to keep them.

Runs in the user's process.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.client.answers import PlanAnswer, StepAnswer

NAMED = 5  # groups, the rest is a number


def confirm_removals(plan: PlanAnswer, files: Sequence[Path], *, yes: bool) -> None:
    """Ask for consent to what a plan removes. files: as named. Raises WsgigroupsError (2) where nobody can be asked."""
    removed = [step for step in plan["steps"] if step["kind"] == "remove"]
    if not removed or yes:
        return
    what = _what(removed, files)
    if not sys.stdin.isatty():
        raise WsgigroupsError(f"this would remove {what}", hint=_hint(removed, files), exit_code=ExitCode.USAGE)
    click.confirm(clean(f"Remove {what}?"), abort=True, err=True)


def _what(removed: Sequence[StepAnswer], files: Sequence[Path]) -> str:
    names = [step["group"] for step in removed]
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    several = len(names) > 1
    where = " ".join(map(str, files)) or "this configuration"
    noun = f"{len(names)} groups ({shown}), which are" if several else f"group {shown}, which is"
    return f"{noun} not in {where}"


def _hint(removed: Sequence[StepAnswer], files: Sequence[Path]) -> str:
    it = "it" if len(removed) == 1 else "them"
    others = others_of(removed, files)
    if not files or (not others and all(step.get("files") for step in removed)):
        return f"to remove {it}: --yes"  # nothing but these files has had them
    given = [str(path) for path in files]
    keep = f"name the file that has {it} as well"
    if others:
        keep = f"name {'its file' if it == 'it' else 'their files'} too: {_command(*others, *given)}"
    return f"to keep {it}, {keep}; to leave other files alone: {_command('--only', *given)}; to remove {it}: --yes"


def _command(*arguments: str) -> str:
    return shlex.join(["wsgigroups", "apply", *arguments])


def others_of(removed: Sequence[StepAnswer], files: Sequence[Path]) -> list[str]:
    """The files that these groups came from and that were not named, each as somebody here would write it."""
    given = {os.path.abspath(path) for path in files}
    found = dict.fromkeys(file for step in removed for file in step.get("files", ()))
    return [_here(file) for file in found if file not in given and os.path.dirname(file) not in given]


def _here(file: str) -> str:
    here = os.path.join(os.getcwd(), "")
    return file.removeprefix(here)
