"""The command line: global options and the table of commands. One file per command, loaded only when it is used.

Runs in the user's process. Data goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import wsgigroups
from wsgigroups.errors import ExitCode, WsgigroupsError

# command → (module, one line of help). The help stands here so that --help imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a commented groups.toml after looking at the project."),
    "validate": ("validate", "Report every mistake of the configuration, with its place and the way out."),
    "plan": ("plan", "Show what apply would change, why, and what it costs."),
    "apply": ("apply", "Make the running processes match the configuration, and wait until they are ready."),
    "run": ("run", "Run the manager in the foreground (systemd, containers)."),
    "status": ("status", "Show groups and processes."),
    "start": ("start", "Start stopped groups."),
    "stop": ("stop", "Drain groups and keep them stopped."),
    "restart": ("restart", "Replace the processes of groups one by one, successor first."),
    "reload": ("reload", "Send the graceful signal: recycle after eviction-timeout."),
    "scale": ("scale", "Change the number of processes for a while: GROUP=N."),
    "logs": ("logs", "Show or follow the logs of groups."),
    "why": ("why", "Explain the state of a group or a process."),
    "history": ("history", "List accepted configurations."),
    "rollback": ("rollback", "Apply an earlier revision again."),
    "shutdown": ("shutdown", "Drain everything and end the manager."),
    "config": ("config", "Show the effective configuration with the origin of each value."),
    "schema": ("schema", "Print the JSON Schema of the configuration, or the OpenAPI file of the control API."),
    "explain": ("explain", "Explain an option or a diagnostic code, offline."),
    "facts": ("facts", "Print what validate needs to know of a host, for validate --facts."),
    "completion": ("completion", "Print the completion script for a shell."),
}


@dataclass(frozen=True)
class Globals:
    """The options before the command."""

    run_dir: Path
    state_dir: Path
    log_dir: Path
    color: str
    verbosity: int


def default_run_dir() -> Path:
    """`/run/wsgigroups` as root, else `$XDG_RUNTIME_DIR/wsgigroups`, else a private directory below /tmp."""
    if os.geteuid() == 0:
        return Path("/run/wsgigroups")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "wsgigroups" if runtime else Path(f"/tmp/wsgigroups-{os.geteuid()}")  # noqa: S108


def default_state_dir() -> Path:
    """`/var/lib/wsgigroups` as root, else below `$XDG_STATE_HOME` (`~/.local/state`)."""
    if os.geteuid() == 0:
        return Path("/var/lib/wsgigroups")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "wsgigroups"


def default_log_dir() -> Path:
    """`/var/log/wsgigroups` as root, else `log` below the state directory."""
    return Path("/var/log/wsgigroups") if os.geteuid() == 0 else default_state_dir() / "log"


class CommandTable(click.Group):
    """Commands by name from COMMANDS; the module of a command is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"wsgigroups.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1) if args else []
            if near:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise


@click.group(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WSGIGROUPS"},
)
@click.version_option(wsgigroups.__version__, "--version", prog_name="wsgigroups")
@click.option("--run-dir", type=click.Path(path_type=Path), default=default_run_dir, help="Sockets and locks.")
@click.option("--state-dir", type=click.Path(path_type=Path), default=default_state_dir, help="Revisions and history.")
@click.option("--log-dir", type=click.Path(path_type=Path), default=default_log_dir, help="Logs of groups.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours (NO_COLOR too).")
@click.option("-q", "--quiet", count=True, help="Say less.")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.pass_context
def cli(
    ctx: click.Context, run_dir: Path, state_dir: Path, log_dir: Path, color: str, quiet: int, verbose: int
) -> None:
    """Groups of WSGI daemon processes from one declarative file.

    \b
    wsgigroups validate groups.toml     check the file
    wsgigroups plan groups.toml         what would change, and why
    wsgigroups apply groups.toml        make it so, without dropping a request
    wsgigroups status                   what runs
    """
    ctx.obj = Globals(run_dir.absolute(), state_dir.absolute(), log_dir.absolute(), color, verbose - quiet)


def main() -> None:
    """Entry point: run a command, turn its failure into one sentence and an exit code."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except WsgigroupsError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    sys.exit(status if isinstance(status, int) else ExitCode.DONE)


if __name__ == "__main__":
    main()
