"""A host as `wsgigroups facts` recorded it. Pure, but for reading the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wsgigroups.config.reading import Problem, read_text
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.host.interface import SoughtApplication, UnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA_VERSION = 1


class RecordedHost:
    """Answers what was recorded and nothing else."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._answers: Mapping[str, Mapping[str, Any]] = facts["answers"]

    def ask(self, question: str, *arguments: str) -> Any:
        """Answer. Raises UnknownError."""
        if question == "user" and not arguments[0].startswith("#"):
            return self._facts["users"].get(arguments[0])
        if question == "group":
            return self._facts["groups"].get(arguments[0])
        if question == "names":
            return sorted(self._facts[arguments[0]])
        if question == "refused_line":
            return self._answers.get(question, {}).get(json.dumps(arguments))  # recorded before it was asked: unknown
        if question == "open_to_others":
            return False  # the files that are checked are not that host's
        known = self._answers.get(question, {})
        key = json.dumps(arguments)
        if key not in known:
            raise UnknownError(f"{question} {' '.join(arguments)}")
        return known[key]

    def prepare(self, applications: list[SoughtApplication]) -> None:
        """Nothing to do: answers are there or not."""


def read_facts(path: Path) -> RecordedHost:
    """Read a file of facts. Raises WsgigroupsError (usage)."""
    hint = "make it on that host: wsgigroups facts -o json FILE… > facts.json"
    try:
        facts = json.loads(read_text(path))
    except Problem as problem:
        raise WsgigroupsError(f"cannot read facts: {problem.message}", hint=hint, exit_code=ExitCode.USAGE) from None
    except (ValueError, RecursionError):
        raise WsgigroupsError(f"cannot read facts: {path} is not JSON", hint=hint, exit_code=ExitCode.USAGE) from None
    if not isinstance(facts, dict) or facts.get("schema_version") != SCHEMA_VERSION:
        raise WsgigroupsError(f"cannot read facts: {path} has another form", hint=hint, exit_code=ExitCode.USAGE)
    if not all(isinstance(facts.get(key), dict) for key in ("users", "groups", "answers")):
        raise WsgigroupsError(f"cannot read facts: {path} is not complete", hint=hint, exit_code=ExitCode.USAGE)
    return RecordedHost(facts)
