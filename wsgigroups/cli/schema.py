"""`wsgigroups schema`: the JSON Schema of configuration files, or the description of the control API.

Runs in the user's process. Reads a generated file: no models are imported.
"""

from __future__ import annotations

import json

import click

from wsgigroups.cli.verbs import Verb


@click.command("schema", cls=Verb)
@click.option("--control", is_flag=True, help="The OpenAPI description of the control API instead.")
def command(control: bool) -> None:
    """Print the JSON Schema (2020-12) of a configuration file.

    An editor that is told of it completes keys and underlines mistakes:

    \b
        #:schema groups.schema.json                            first line of a TOML file
        # yaml-language-server: $schema=groups.schema.json     first line of a YAML file
    """
    if control:
        import wsgigroups
        from wsgigroups.manager.control.openapi import openapi

        click.echo(json.dumps(openapi(wsgigroups.__version__), indent=2, ensure_ascii=False))
        return
    from wsgigroups.config.generated import read_text

    click.echo(read_text("groups.schema.json"), nl=False)
