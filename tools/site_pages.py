"""What the site has besides docs/: the files of the top directory, and all commands with their help. A hook of MkDocs.

A link that leads out of docs/ becomes one to that page of the site, or else to the file in the repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.environment import CLONE

TOP_FILES = {  # in the repository → in docs/
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "SECURITY.md": "security-policy.md",
}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, name in TOP_FILES.items():
        if source != "README.md":
            text = (CLONE / source).read_text(encoding="utf-8")
            files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "commands.md", content=command_pages()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_more: Any) -> str:
    """Turn the links of a page that lead out of docs/."""
    generated = {name: source for source, name in TOP_FILES.items()}
    here = page.file.src_uri
    source = PurePosixPath(generated[here] if here in generated and here != "index.md" else f"docs/{here}")
    return with_site_links(markdown, source, PurePosixPath(here), config.extra["social"][0]["link"])


def with_site_links(markdown: str, source: PurePosixPath, page: PurePosixPath, repository: str) -> str:
    """Return a text of the file `source` as the site has it at `page`; both are relative, to the clone and to docs/."""

    def turned(found: re.Match[str]) -> str:
        target = os.path.normpath(source.parent / found[1])
        inside = TOP_FILES.get(target) or target.removeprefix("docs/")
        if target in TOP_FILES or (target.startswith("docs/") and (CLONE / target).is_file()):
            return f"]({os.path.relpath(inside, page.parent)}{found[2] or ''})"
        if target.startswith("docs/") or not (CLONE / target).exists():
            return found[0]  # MkDocs says that it leads nowhere
        kind = "tree" if (CLONE / target).is_dir() else "blob"
        return f"]({repository}/{kind}/main/{target}{found[2] or ''})"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(turned, part) for part in parts)


def command_pages() -> str:
    """Return all commands with what `--help` says of each."""
    from wsgigroups.cli.main import cli

    parts = ["# Commands\n\nWhat `wsgigroups COMMAND --help` says. Made from the program when the site is built.\n"]
    parts += [f"## {' '.join(words)}\n\n```text\n{text}\n```\n" for words, text in helps(cli)]
    return "\n".join(parts)


def helps(command: click.Command, parent: click.Context | None = None) -> Iterator[tuple[list[str], str]]:
    """Yield the words and the help of a command, and of those below it."""
    name = str(command.name) if parent else "wsgigroups"
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    yield context.command_path.split(), command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found and not found.hidden:
                yield from helps(found, context)
