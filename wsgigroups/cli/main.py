"""The command line: global options and the table of commands. One file per command, loaded only when it is used.

Runs in the user's process. Data goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

import wsgigroups
from wsgigroups.cli import directories
from wsgigroups.cli.verbs import COLOR_HELP, COLORS, DIRECTORY, PREFIX, keep_verbosity_in, note_verbosity
from wsgigroups.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# command → (module, one line of help). The help stands here so that --help imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve", "Serve one project in the foreground, without a file."),
    "init": ("init", "Write a commented groups.toml after looking at the project."),
    "import": ("importing", "Write a groups.toml from the files of Apache, gunicorn, uWSGI and others."),
    "validate": ("validate", "Report every mistake of the configuration, with its place and the way out."),
    "plan": ("plan", "Show what apply would change, why, and what it costs."),
    "apply": ("apply", "Make the running processes match the configuration, and wait until they are ready."),
    "run": ("run", "Run the manager in the foreground (systemd, containers)."),
    "status": ("status", "Show groups and processes."),
    "top": ("top", "Show what every group, process and thread does, live."),
    "web": ("web", "Show the same as a page for a browser, at a port of this machine."),
    "start": ("start", "Start stopped groups."),
    "stop": ("stop", "Drain groups and keep them stopped."),
    "restart": ("restart", "Replace the processes of groups one by one, successor first."),
    "reload": ("reload", "Send the graceful signal: recycle after eviction-timeout."),
    "deploy": ("deploy", "Put new code of a group into service; it is taken back where it fails."),
    "scale": ("scale", "Change the number of processes until the next apply: GROUP=N."),
    "drill": ("drill", "Prove that nothing is lost: load at a group through restarts, a crash and a recycle."),
    "logs": ("logs", "Show or follow the logs of groups."),
    "why": ("why", "Explain the state of a group or a process."),
    "advise": ("advise", "Say what to change about groups, with the arithmetic."),
    "events": ("events", "Show what happened: starts, deaths with their cause, changes, adoption."),
    "history": ("history", "List accepted configurations."),
    "rollback": ("rollback", "Apply an earlier revision again."),
    "pause": ("pause", "Let the apply under way rest: no further process is replaced."),
    "resume": ("resume", "Let an apply go on that was paused, and wait for its end."),
    "wait": ("wait", "Wait for the end of a change that was begun before."),
    "upgrade": ("upgrade", "Hand over to the version that was installed, without dropping a request."),
    "shutdown": ("shutdown", "Drain everything and end the manager."),
    "config": ("config", "Show the effective configuration with the origin of each value."),
    "render": ("render", "Print files for other programs: fronts, systemd, logrotate, containers, Prometheus."),
    "schema": ("schema", "Print the JSON Schema of the configuration, or the OpenAPI file of the control API."),
    "explain": ("explain", "Explain an option or a diagnostic code, offline."),
    "facts": ("facts", "Print what validate needs to know of a host, for validate --facts."),
    "completion": ("completion", "Print the completion script for a shell."),
}


@dataclass(frozen=True)
class Globals:
    """The options before the command. Directories that nobody named are looked up when a command wants them."""

    named_run_dir: Path | None
    named_state_dir: Path | None
    named_log_dir: Path | None
    color: str
    verbosity: int

    @property
    def run_dir(self) -> Path:
        """Sockets and locks. Raises WsgigroupsError where there is no place for them."""
        from wsgigroups.trust.volumes import own_in

        return own_in(self.named_run_dir) if self.named_run_dir else directories.default_run_dir()

    @property
    def state_dir(self) -> Path:
        """Revisions and history. Raises WsgigroupsError likewise."""
        return self.named_state_dir or directories.default_state_dir()

    @property
    def log_dir(self) -> Path:
        """Logs of groups. Raises WsgigroupsError likewise."""
        return self.named_log_dir or directories.default_log_dir()


class _NobodyReads(Exception):  # noqa: N818  (no error: who read has seen enough)
    """Standard output is a pipe that was closed. No OSError: click would end the program with a status of its own."""


class CommandTable(click.Group):
    """Commands by name from COMMANDS; the module of a command is imported when it is called."""

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **settings)  # writes the help
        except BrokenPipeError as error:
            raise _NobodyReads from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _NobodyReads from error

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
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": PREFIX},
)
@click.version_option(wsgigroups.__version__, "--version", prog_name="wsgigroups")
@click.option("--run-dir", type=DIRECTORY, help="Sockets and locks.")
@click.option("--state-dir", type=DIRECTORY, help="Revisions and history.")
@click.option("--log-dir", type=DIRECTORY, help="Logs of groups.")
@click.option("--color", type=click.Choice(COLORS), default="auto", help=COLOR_HELP)
@click.option("-q", "--quiet", count=True, help="Say less.")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.pass_context
def cli(
    ctx: click.Context,
    run_dir: Path | None,
    state_dir: Path | None,
    log_dir: Path | None,
    color: str,
    quiet: int,
    verbose: int,
) -> None:
    """Groups of WSGI daemon processes from one declarative file.

    \b
    wsgigroups serve        one project, at once
    wsgigroups init         write groups.toml
    wsgigroups validate     check it
    wsgigroups plan         what would change, and why
    wsgigroups apply        make it so, without dropping a request
    wsgigroups status       what runs

    Global options may stand before or behind a command, and in the environment: WSGIGROUPS_RUN_DIR=/run/mine. FILE is
    groups.toml, groups.yaml, groups/ or groups.d/ in this directory where none is named, else what runs.
    """
    if isinstance(ctx.obj, dict):
        keep_verbosity_in(ctx, ctx.obj)
    verbosity = note_verbosity(ctx, verbose - quiet)
    named = [directories.absolute(path) if path is not None else None for path in (run_dir, state_dir, log_dir)]
    ctx.obj = Globals(named[0], named[1], named[2], color, verbosity)


def main() -> None:
    """Entry point: run a command, turn whatever happens into one sentence and an exit code."""
    from wsgigroups.cli import failures

    failures.prepare_streams()
    status = _run(failures.explain, failures.explain_usage)
    failures.release_streams()
    sys.exit(status)


def _run(explain: Callable[[Exception, int], int], explain_usage: Callable[[click.ClickException], int]) -> int:
    given: dict[str, int] = {}  # filled by `cli`: the verbosity is wanted after its context is gone
    try:
        status = cli.main(prog_name="wsgigroups", standalone_mode=False, obj=given)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        return explain_usage(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:  # noqa: BLE001  (the last resort: no traceback is ever what people get)
        told = error.__cause__ if isinstance(error, _NobodyReads) and isinstance(error.__cause__, Exception) else error
        return explain(told, given.get("verbosity", 0))
    return int(status) if isinstance(status, int) else int(ExitCode.DONE)


if __name__ == "__main__":
    main()
