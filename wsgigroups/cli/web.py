"""`wsgigroups web`: the dashboard, for a browser on this machine or behind `ssh -L`."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.cli.web_source import ClientSource

_BACKLOG = 128


@click.command("web", cls=Verb)
@click.option("--listen", metavar="127.0.0.1:PORT", help="Where to answer: an address of the loopback interface.")
@click.option("--allow-changes", is_flag=True, help="Let the page restart and scale groups, as you may.")
@click.option(
    "--link", is_flag=True, help="Print a link to the manager's own dashboard ([server] dashboard); no server."
)
@click.pass_obj
def command(options: Globals, listen: str | None, allow_changes: bool, link: bool) -> int:
    """Show groups, processes, charts, events and logs as a page, until Ctrl-C.

    \b
    Prints a link that opens one session. The page has what you may see. It changes nothing, unless you say so.
    From another machine: ssh -L 9000:127.0.0.1:9000 HOST wsgigroups web --listen 127.0.0.1:9000
    """
    from wsgigroups.client import Client

    client = Client(options.run_dir, timeout_s=10.0)
    if link:
        if listen or allow_changes:
            raise click.UsageError("--link goes with no other option: the manager answers where its file says.")
        click.echo(client.post("/v1/dashboard", {})["url"])
        return int(ExitCode.DONE)
    client.status()  # who may not ask, or has no manager, hears of it at once
    from wsgigroups.cli.web_source import ClientSource

    asyncio.run(_serve(ClientSource(client), _listener(listen), allow_changes=allow_changes))
    return int(ExitCode.DONE)


def _listener(text: str | None) -> socket.socket:
    """Raises click.UsageError, WsgigroupsError."""
    from wsgigroups.config.addresses import parse
    from wsgigroups.config.observing import is_loopback

    host, port = "127.0.0.1", 0
    if text is not None:
        try:
            address = parse(text)
        except ValueError as error:
            raise click.UsageError(f"--listen: {error}.") from None
        if not is_loopback(text):
            raise click.UsageError("--listen: the dashboard is for this machine: 127.0.0.1:PORT or [::1]:PORT.")
        host, port = address.host or "", address.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise WsgigroupsError(f"cannot listen on {text}: {error.strerror}", hint="choose another port") from None


async def _serve(source: ClientSource, listener: socket.socket, *, allow_changes: bool) -> None:
    from wsgigroups.manager.observing.door import ObservingDoor
    from wsgigroups.manager.observing.served_dashboard import ServedDashboard

    host, port = listener.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    dashboard = ServedDashboard(source, _tell, acting=source if allow_changes else None, always=True)

    def show_link(before: str) -> None:
        _tell("info", before)
        click.echo(dashboard.link(place, lasting_s=math.inf))

    await dashboard.start()
    door = ObservingDoor(listener, dashboard.protocol, _tell)
    dashboard.stays = door.let_stay
    dashboard.opened = lambda: show_link("That link was used. Another one:")
    show_link("The dashboard is open until Ctrl-C. This link opens one session:")
    try:
        await ending.wait()
    finally:
        door.close()
        await dashboard.stop()


def _tell(_level: str, text: str) -> None:
    click.echo(text, err=True)
