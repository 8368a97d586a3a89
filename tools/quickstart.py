"""`make try` and `make try-stop`: the quickstart configuration, applied, asked and shown.

Everything lies in one directory of its own (environment, copies of configuration and applications, run, state and log
directories), so it never meets another wsgigroups of the machine. As root the applications run as another account.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tools import environment, facts
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, say

ADDRESS = re.compile(r'^\s*listen\s*=\s*\["127\.0\.0\.1:(\d+)"\]', re.MULTILINE)


class Trial:
    """The directory of the quickstart and the commands that work on it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.configuration = place / "config" / "quickstart.toml"
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
        return [int(port) for port in ADDRESS.findall(self.configuration.read_text())]

    def shown(self, *arguments: str) -> str:
        """Return a command as people can paste it."""
        words = [*(f"{key}={shlex.quote(value)}" for key, value in self.settings.items()), str(self.program)]
        return " ".join([*words, *arguments])


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
    trial.configuration.write_bytes((CLONE / "sample-configs" / "quickstart.toml").read_bytes())
    ports = trial.ports()
    if not trial.is_running():
        refuse_taken_ports(ports)
    say(f"$ wsgigroups apply {trial.configuration}")
    done = trial.command("apply", str(trial.configuration))
    if done.returncode:
        raise SetUpError(f"cannot apply the quickstart: exit code {done.returncode}. Logs: {trial.place / 'log'}")
    for port in ports:
        print(ask(port))
    say("$ wsgigroups status")
    trial.command("status")
    print(f"\nIt goes on running. Look at it:  {trial.shown('status')}\nStop it:                         make try-stop")


def stop(trial: Trial) -> None:
    """End the manager and its daemons; success where nothing runs."""
    if not trial.is_running():
        print("Nothing runs: there is no manager in", trial.settings["WSGIGROUPS_RUN_DIR"])
        return
    done = trial.command("shutdown")
    if done.returncode:
        raise SetUpError(f"cannot stop the quickstart: {trial.shown('shutdown')} gave exit code {done.returncode}.")


def refuse_taken_ports(ports: list[int]) -> None:
    """Raise SetUpError when somebody listens where the quickstart would."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise SetUpError(
                    f"cannot listen on 127.0.0.1:{port}: {error.strerror}. "
                    "Stop what listens there, or change `listen` in sample-configs/quickstart.toml."
                ) from error


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
