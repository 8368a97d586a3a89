"""The commented configuration that `init` writes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.show import toml_text, toml_value

if TYPE_CHECKING:
    from wsgigroups.config.discovery import Found


def starter(found: Found, others: list[Found], port: int) -> str:
    """Return the text of a groups.toml next to the application."""
    lines = [
        f"# {found.what}, served by one group of daemon processes.",
        "#",
        "#   wsgigroups validate groups.toml      every mistake, with its place",
        "#   wsgigroups plan groups.toml          what apply would do",
        "#   wsgigroups apply groups.toml         do it, and wait until it is ready",
        "#   wsgigroups explain KEY               what an option means",
        "#",
        "# Relative paths start at this file. `wsgigroups schema` prints the schema for your editor.",
        "version = 1",
        "",
        f"[groups.{found.name if '.' not in found.name else toml_text(found.name)}]",
    ]
    if found.app is not None:
        lines.append(f"app = {toml_text(found.app)}")
        lines.append(f"python-path = [{toml_text(found.python_path)}]")
    else:
        lines.append(f"script = {toml_text(found.script or '')}")
        if found.callable_object != "application":
            lines.append(f"callable-object = {toml_text(found.callable_object)}")
    if found.python_home:
        lines.append(f"python-home = {toml_text(found.python_home)}")
    else:
        lines.append('# python-home = ".venv"                # the environment; without it, that of wsgigroups itself')
    lines.append(f'listen = ["127.0.0.1:{port}"]          # put your web server in front, or try it with curl')
    if found.environment:
        lines.append(f"environment = {toml_value(found.environment)}")
    else:
        lines.append('# environment = { NAME = "value" }     # nothing of your own environment is inherited')
    lines += [
        '# environment-files = ["app.env"]      # secrets belong into a file of their own',
        "",
        "processes = 2",
        "threads = 5                            # 3 to 5 for work on the processor, more where requests wait",
        'request-timeout = "60s"                # recover from requests that hang',
        'graceful-timeout = "15s"               # how long a process may finish what it does before it is replaced',
        "# maximum-requests = 10000             # replace a process after so many requests, if it leaks memory",
        '# memory-limit = "512M"',
        "",
        "# Only used when wsgigroups runs as root; applications never run as root:",
        '# user = "www-data"',
    ]
    for other in others[:5]:
        target = f"app = {toml_text(other.app)}" if other.app else f"script = {toml_text(other.script or '')}"
        lines.append(f"# Also found: {other.what}: {target}")
    return "\n".join(lines) + "\n"
