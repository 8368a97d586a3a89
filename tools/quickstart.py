"""`make try` and `make try-stop`: the quickstart configuration, applied, asked and shown.

Everything lies in one directory of its own (environment, copies of configuration and applications, what these keep,
run, state and log directories), so it never meets another wsgigroups of the machine, nor the quickstart of another
clone. As root the applications run as another account.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from tools import environment, facts
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, say

ADDRESS = re.compile(r'(?m)^(\s*listen\s*=\s*\["127\.0\.0\.1:)(\d+)(?="\])')
ENVIRONMENT = re.compile(r"(?m)^(\s*environment\s*=\s*\{ )(?=DJANGO_SETTINGS_MODULE)")
SAMPLE = CLONE / "sample-configs" / "quickstart.toml"
COMMAND = """\
#!/bin/sh
# Written by `make try`: wsgigroups with the directories of this quickstart.
{settings}
exec {program} "$@"
"""


class Trial:
    """The directory of the quickstart and the commands that work on it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.configuration = place / "config" / "quickstart.toml"
        self.notes = place / "notes"
        self.program = place / "venv" / "bin" / "wsgigroups"
        self.settings = {f"WSGIGROUPS_{name.upper()}_DIR": str(place / name) for name in ("run", "state", "log")}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a wsgigroups command with this trial's directories; its output goes where ours goes."""
        sys.stdout.flush()
        environ = {**os.environ, **self.settings}
        return subprocess.run([str(self.program), *arguments], check=False, cwd=self.place, env=environ)

    def is_running(self) -> bool:
        """Tell whether a manager answers in the run directory."""
        if not self.program.exists():
            return False
        done = subprocess.run(
            [str(self.program), "status", "--output", "json"],
            capture_output=True,
            check=False,
            env={**os.environ, **self.settings},
        )
        return done.returncode == 0

    def ports(self) -> list[int]:
        """Return the loopback ports that the configuration names."""
        return ports_in(self.configuration.read_text())

    def write_configuration(self, ports: Iterable[int]) -> None:
        """Write the sample with these ports, and with a place in this directory for what its applications keep."""
        self.configuration.write_text(adapted(SAMPLE.read_text(), ports, self.notes))

    def make_notes(self, account: facts.Account) -> None:
        """Make the directory that the notes application writes to, for nobody but its account."""
        self.notes.mkdir(mode=0o700, exist_ok=True)
        if not account.is_caller():
            os.chown(self.notes, account.uid, account.gid, follow_symlinks=False)

    def write_command(self) -> None:
        """Write `wsgigroups`, a command for people to type: it has this trial's directories."""
        settings = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in self.settings.items())
        command = self.place / "wsgigroups"
        command.write_text(COMMAND.format(settings=settings, program=shlex.quote(str(self.program))))
        command.chmod(0o755)


def ports_in(text: str) -> list[int]:
    """Return the loopback ports that a configuration names, in its order."""
    return [int(port) for _before, port in ADDRESS.findall(text)]


def adapted(sample: str, ports: Iterable[int], notes: Path) -> str:
    """Return the sample with these ports in the place of its own, and with `notes` for the notes application."""
    remaining = iter(ports)
    directory = json.dumps(str(notes), ensure_ascii=False).replace("${", "$${")
    text = ADDRESS.sub(lambda found: f"{found[1]}{next(remaining)}", sample)
    return ENVIRONMENT.sub(lambda found: f"{found[1]}NOTES_DIRECTORY = {directory}, ", text)


def free_ports(wanted: Iterable[int]) -> list[int]:
    """Return a free loopback port for each that is wanted: that one, or where it is taken, another one."""
    kept: list[socket.socket] = []  # until all are found: none is found twice
    try:
        for port in wanted:
            probe = socket.socket()
            kept.append(probe)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                probe.bind(("127.0.0.1", 0))
                say(f"Port {port} is taken ({error.strerror}): using {probe.getsockname()[1]}.")
        return [probe.getsockname()[1] for probe in kept]
    finally:
        for probe in kept:
            probe.close()


def find_trial() -> tuple[Trial, facts.Account]:
    """Choose the account and the directory; the same answer every time on the same machine."""
    account = facts.daemon_account()
    place = choose_place(facts.places(CLONE, account), account.name)
    return Trial(Path(place.path) / "try"), account


def start(trial: Trial, account: facts.Account) -> None:
    """Make what is needed, apply the quickstart, ask both applications, show the status."""
    if account.is_caller():
        say(f"Applications will run as {account.name!r}, as this user.")
    else:
        say(f"Applications will run as {account.name!r}: root never runs one.")
    interpreter = environment.find_interpreter(account)
    trial.place.mkdir(mode=0o755, parents=True, exist_ok=True)
    requirements = "sample-configs/quickstart/requirements.txt"
    recipe = environment.Recipe(
        interpreter,
        installs=((str(CLONE), "--requirement", requirements),),
        depends_on=(*environment.PACKAGED, requirements),
    )
    if trial.is_running() and not environment.is_current(trial.place / "venv", recipe):
        say("The clone has changed since the quickstart was started: stopping the old one first.")
        stop(trial)
    environment.make_environment(trial.place / "venv", recipe)
    environment.copy_tree(CLONE / "sample-configs" / "quickstart", trial.place / "config" / "quickstart")
    ports = trial.ports() if trial.is_running() else free_ports(ports_in(SAMPLE.read_text()))
    trial.write_configuration(ports)
    trial.make_notes(account)
    trial.write_command()
    say(f"$ wsgigroups apply {trial.configuration}")
    done = trial.command("apply", str(trial.configuration))
    if done.returncode:
        raise SetUpError(f"cannot apply the quickstart: exit code {done.returncode}. Logs: {trial.place / 'log'}")
    for port in ports:
        print(ask(port))
    say("$ wsgigroups status")
    trial.command("status")
    print(
        f"\nBoth applications go on running. To look at them, and to change {trial.configuration.name}:\n"
        f"  cd {shlex.quote(str(trial.place))}\n"
        f"  ./wsgigroups status\n"
        f"  ./wsgigroups plan {trial.configuration.relative_to(trial.place)}\n"
        "To stop them:  make try-stop"
    )


def stop(trial: Trial) -> None:
    """End the manager and its daemons; success where nothing runs."""
    if not trial.is_running():
        print("Nothing runs: there is no manager in", trial.settings["WSGIGROUPS_RUN_DIR"])
        return
    done = trial.command("shutdown")
    if done.returncode:
        raise SetUpError(
            f"cannot stop the quickstart: {trial.place / 'wsgigroups'} shutdown gave exit code {done.returncode}."
        )


def ask(port: int) -> str:
    """Return a line about the answer to GET / on the port; raise SetUpError when it is no success."""
    address = f"http://127.0.0.1:{port}/"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach our loopback
    try:
        with direct.open(address, timeout=30) as answer:
            body = answer.read(65536).decode("utf-8", "replace")
            return f"GET {address} → {answer.status} {first_line(body)}"
    except (OSError, urllib.error.URLError) as error:
        raise SetUpError(f"cannot get {address}: {error}") from error


def first_line(body: str) -> str:
    """Return the title of a page, or the first line of a text."""
    title = re.search(r"<title>(.*?)</title>", body, re.DOTALL)
    return (title.group(1) if title else body.strip().partition("\n")[0]).strip()


def main(arguments: list[str]) -> None:
    """Entry point of the two make targets."""
    parser = argparse.ArgumentParser(prog="tools.quickstart", description=__doc__)
    parser.add_argument("what", choices=["start", "stop"])
    chosen = parser.parse_args(arguments)
    os.umask(0o022)  # the daemons' account must be able to enter what is made here
    try:
        trial, account = find_trial()
        with environment.alone_in(trial.place.parent):
            start(trial, account) if chosen.what == "start" else stop(trial)
    except SetUpError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
