"""`make docs`: the documentation as a site, in `site/`. A link to nowhere, or a page that nobody finds, is an error.

Nothing is asked of the network, and the pages load nothing from another host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from tools.choose import SetUpError
from tools.environment import CLONE, say

TARGET = CLONE / "site"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "next", "prev", "alternate"}  # relations of a link that a browser does not follow by itself


class Loads(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a script, a style sheet, an image."""
        values = dict(attrs)
        address = values.get(LOADED.get(tag, ""))
        if address and values.get("rel") not in NOT_LOADED:
            self.found.append(address)


def build(target: Path) -> None:
    """Build the site into the directory, which is emptied before; raise SetUpError with all that is wrong."""
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(CLONE / "mkdocs.yml"), "-d", str(target)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(CLONE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, check=False, cwd=CLONE, env=environ, text=True)
    if done.returncode:
        raise SetUpError(f"cannot build the site:\n{done.stderr.strip()}")


def foreign(target: Path) -> list[str]:
    """Return what pages of a built site load from another host: page and address."""
    found = []
    for page in sorted(target.rglob("*.html")):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        found += [
            f"{page.relative_to(target)}: {address}"
            for address in loads.found
            if address.startswith(("http:", "https:", "//"))
        ]
    return found


def main() -> None:
    """Entry point of the make target."""
    try:
        build(TARGET)
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    addresses = foreign(TARGET)
    if addresses:
        sys.exit("error: loaded from another host:\n" + "\n".join(addresses))
    say(f"{TARGET / 'index.html'} is the first page.")


if __name__ == "__main__":
    main()
