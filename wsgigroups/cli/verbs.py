"""What all commands have in common: global options behind the verb, `--json`, and help with examples and variables.

Runs in the user's process.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from wsgigroups.cli.examples import EXAMPLES
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.cli.main import Globals

# To name a directory of somebody else's manager is no wrong usage: who may not use it hears that where it matters.
DIRECTORY = click.Path(path_type=Path, readable=False)
COLORS = ("auto", "always", "never")
COLOR_HELP = "Colours (NO_COLOR and FORCE_COLOR too)."
PREFIX = "WSGIGROUPS"
DOCUMENTS = ("json", "yaml")  # forms of output that programs read
_VERBOSITY = "wsgigroups.verbosity"  # in the meta of contexts: what was given anywhere on the line
_AS_JSON = "wsgigroups.json"
GIVEN_RUN_DIR = "wsgigroups.run-dir"  # where no command runs: for the shell's completion


def note_verbosity(ctx: click.Context, verbosity: int) -> int:
    """Add what was given in one place to what was given in others; return the sum."""
    given: dict[str, int] = ctx.meta.setdefault(_VERBOSITY, {"verbosity": 0})
    given["verbosity"] += verbosity
    return given["verbosity"]


def verbosity(ctx: click.Context) -> int:
    """The sum so far: what stands further behind is not in it."""
    given: dict[str, int] = ctx.meta.get(_VERBOSITY, {"verbosity": 0})
    return given["verbosity"]


def keep_verbosity_in(ctx: click.Context, given: dict[str, int]) -> None:
    """Have the sum written there: it is wanted after the contexts are gone."""
    ctx.meta[_VERBOSITY] = given
    given["verbosity"] = 0


def _with(ctx: click.Context, **values: Any) -> None:
    if ctx.obj is not None:
        options: Globals = ctx.obj
        ctx.obj = replace(options, **values)


def _directory(field: str) -> Callable[[click.Context, click.Parameter, Path | None], None]:
    def use(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
        from wsgigroups.cli.directories import absolute

        if value is not None:
            path = absolute(value)
            if field == "named_run_dir":
                ctx.meta[GIVEN_RUN_DIR] = path
            _with(ctx, **{field: path})

    return use


def _color(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        _with(ctx, color=value)


def _verbosity(sign: int) -> Callable[[click.Context, click.Parameter, int], None]:
    def use(ctx: click.Context, _parameter: click.Parameter, value: int) -> None:
        if value:
            _with(ctx, verbosity=note_verbosity(ctx, sign * value))

    return use


class GlobalOption(click.Option):
    """One of the options that may stand anywhere on the line. It is shown in a section of its own."""

    def __init__(self, *declarations: str, **settings: Any) -> None:
        super().__init__(declarations, expose_value=False, allow_from_autoenv=False, **settings)


def _globals() -> list[click.Parameter]:
    return [
        GlobalOption("--run-dir", type=DIRECTORY, callback=_directory("named_run_dir"), help="Sockets and locks."),
        GlobalOption("--state-dir", type=DIRECTORY, callback=_directory("named_state_dir"), help="Revisions."),
        GlobalOption("--log-dir", type=DIRECTORY, callback=_directory("named_log_dir"), help="Logs of groups."),
        GlobalOption("--color", type=click.Choice(COLORS), callback=_color, help=COLOR_HELP),
        GlobalOption("-q", "--quiet", count=True, callback=_verbosity(-1), help="Say less."),
        GlobalOption("-v", "--verbose", count=True, callback=_verbosity(1), help="Say more."),
    ]


class _Common(click.Command):
    """Adds to a command what all have."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += _globals()
        if _writes_json(self):
            help_text = "The same as --output json."
            self.params.append(
                click.Option(
                    ["--json"],
                    is_flag=True,
                    expose_value=False,
                    allow_from_autoenv=False,
                    callback=_note_json,
                    help=help_text,
                )
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if ctx.meta.pop(_AS_JSON, False):
            source = ctx.get_parameter_source("output")
            if source is ParameterSource.COMMANDLINE and ctx.params["output"] != "json":
                raise click.UsageError(f"--json and --output {ctx.params['output']} exclude each other.", ctx)
            ctx.params["output"] = "json"
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; a program that asked for a document gets one, too, where there is no result."""
        try:
            return super().invoke(ctx)
        except WsgigroupsError as error:
            if _writes_json(self) and ctx.params.get("output") in DOCUMENTS:
                from wsgigroups.cli.output import write_error

                write_error(error, ctx.params["output"])
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and (record[1] or isinstance(parameter, click.Option)):  # one without says nothing
                (common if isinstance(parameter, GlobalOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        with formatter.section("Global options, here or before the command"):
            formatter.write_dl(common)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        examples = EXAMPLES.get(path_of(ctx), ())
        if examples:
            with formatter.section("Examples"):
                formatter.write_dl([(f"wsgigroups {line}", text) for line, text in examples], col_max=46)
        names = variables(self, ctx)
        if names:
            with formatter.section("Environment, where an option is not given"):
                formatter.write_text(", ".join(names))


class Verb(_Common):
    """A command: `@click.command(NAME, cls=Verb)`."""


class VerbGroup(_Common, click.Group):
    """A command that has commands: `@click.group(NAME, cls=VerbGroup)`."""

    command_class = Verb


def _writes_json(command: click.Command) -> bool:
    return any(
        parameter.name == "output" and isinstance(parameter.type, click.Choice) and "json" in parameter.type.choices
        for parameter in command.params
    )


def _note_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_AS_JSON] = True


def path_of(ctx: click.Context) -> str:
    """The command's words without the program: "config show"."""
    words: list[str] = []
    here: click.Context | None = ctx
    while here is not None and here.parent is not None:
        words.insert(0, here.info_name or "")
        here = here.parent
    return " ".join(words)


def variables(command: click.Command, ctx: click.Context) -> list[str]:
    """The environment variables that stand for options which are not given: the command's own, then global ones."""
    prefix = f"{PREFIX}_{path_of(ctx).replace(' ', '_').replace('-', '_').upper()}"
    own = [
        f"{prefix}_{parameter.name.upper()}"
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name and parameter.allow_from_autoenv
    ]
    common = [
        f"{PREFIX}_{parameter.name.upper()}"
        for parameter in command.params
        if isinstance(parameter, GlobalOption) and parameter.name
    ]
    return own + common
