"""The code that groups have: looked at in another thread, and kept by its digests so that a plan can name files.

What was accepted is kept in `code/` of the state directory, one file for each part by its digest: groups with the same
code share it. A file that is lost costs names, nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.targets.code import CodeReader, with_code
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from wsgigroups.manager.core.model import State
    from wsgigroups.plan.code import Files
    from wsgigroups.plan.desired import Desired, GroupTarget


@dataclass(slots=True)
class CodeKeeper:
    """Looks at the code of groups, and keeps what it consisted of."""

    directory: Path
    _reader: CodeReader = field(default_factory=CodeReader)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _files: dict[str, Files] = field(default_factory=dict)

    async def look(self, targets: Desired) -> Desired:
        """Return the targets with the code that their processes would have now."""
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._reader.read, list(targets.values()))
            self._files.update(self._reader.files)
        return {name: with_code(target, found.get(name)) for name, target in targets.items()}

    async def now(self, targets: Iterable[GroupTarget]) -> Mapping[str, Mapping[str, str]]:
        """Return the code of groups as it is now, for processes that are about to start."""
        looked = await self.look({target.name: target for target in targets})
        self._write(looked)
        return {name: target.code for name, target in looked.items() if target.code}

    def files_of(self, digest: str) -> Files | None:
        """What a part consisted of: name → digest of the content; None when nobody has kept it. In any thread."""
        known = self._files.get(digest)
        if known is not None:
            return known
        try:
            kept = json.loads((self.directory / f"{digest}.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict):
            return None
        self._files[digest] = kept
        return kept

    def keep(self, targets: Desired, state: State) -> None:
        """Keep what these targets and all processes of the state consist of, and nothing else."""
        self._write(targets)
        used = {digest for target in targets.values() for digest in target.code.values()}
        for group in state.groups.values():
            for target in (group.target, group.fallback):
                used.update(target.code.values() if target else ())
        with contextlib.suppress(OSError):
            for path in self.directory.glob("*.json"):
                if path.stem not in used:
                    path.unlink(missing_ok=True)
        self._files = {digest: files for digest, files in self._files.copy().items() if digest in used}

    def _write(self, targets: Desired) -> None:
        with contextlib.suppress(OSError):  # a full disk: names are all that is lost
            private_directory(str(self.directory), 0o700)
            for digest in {digest for target in targets.values() for digest in target.code.values()}:
                path = self.directory / f"{digest}.json"
                files = self._files.get(digest)
                if files is not None and not path.exists():
                    temporary = path.with_name(f".{path.name}.new")
                    temporary.write_bytes(json.dumps(files).encode("utf-8", "surrogateescape"))
                    os.replace(temporary, path)
