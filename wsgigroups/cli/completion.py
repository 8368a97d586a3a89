"""`wsgigroups completion [SHELL]`: the script that completes commands, options and names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Verb)
@click.argument("shell", metavar="[bash|zsh|fish]", required=False, type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it to where the shell of this user looks for it.")
@click.pass_context
def command(ctx: click.Context, shell: str | None, install: bool) -> None:
    """Print the completion script for a shell, that of $SHELL without a name, or install it.

    It completes commands, options, groups, processes, revisions, options of files and codes. For one session: eval
    "$(wsgigroups completion bash)".
    """
    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        raise WsgigroupsError(
            f"cannot tell which shell you use: SHELL is {os.environ.get('SHELL', '')!r}",
            hint=f"name it: {', '.join(SHELLS)}",
            exit_code=ExitCode.USAGE,
        )
    kind = get_completion_class(name)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "wsgigroups", "_WSGIGROUPS_COMPLETE").source()
    if not install:
        click.echo(script)
        return
    target = place(name, os.environ)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(script, encoding="utf-8")
    except OSError as error:
        raise WsgigroupsError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None
    click.echo(f"wrote {target}: a new {name} completes wsgigroups", err=True)
    if name == "zsh":
        click.echo("where it does not, put this into ~/.zshrc before compinit:", err=True)
        click.echo(f"  fpath+=({target.parent})", err=True)


def place(shell: str, variables: Mapping[str, str]) -> Path:
    """Where a shell looks for what a user has installed. Raises WsgigroupsError where there is no home directory."""
    home = variables.get("HOME", "")
    if not os.path.isabs(home):
        raise WsgigroupsError("cannot tell where to install it: HOME is not set", exit_code=ExitCode.USAGE)
    data = Path(variables.get("XDG_DATA_HOME") or f"{home}/.local/share")
    if shell == "bash":
        return data / "bash-completion" / "completions" / "wsgigroups"
    if shell == "zsh":
        return data / "zsh" / "site-functions" / "_wsgigroups"
    return Path(variables.get("XDG_CONFIG_HOME") or f"{home}/.config") / "fish" / "completions" / "wsgigroups.fish"
