"""The commented configuration that `init` writes, in TOML or YAML. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.config.show import toml_key, toml_text, toml_value
from wsgigroups.config.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config.discovery import Found

THREADS, REQUEST_TIMEOUT_S = 5, 60.0
_COMMENT_AT = 40
UNKNOWN_APP = "package.module:application"  # of the template, where nothing was found


@dataclass(frozen=True, slots=True)
class StarterFile:
    """What is written. found None: a template, where there is nothing to go by."""

    found: Found | None
    others: Sequence[Found] = ()
    listen: Sequence[str] = ("127.0.0.1:8000",)
    name: str = ""  # of the group; the project's without one
    user: str | None = None
    yaml: bool = False

    def text(self) -> str:
        """Return the text of a groups file next to the application."""
        found, sheet = self.found, _Sheet(self.yaml)
        what = f"{found.what}, served" if found else "One application, served"
        sheet.comment(
            f"{what} by one group of daemon processes.",
            "",
            *(("No application was found here: write what yours is called into `app`.", "") if not found else ()),
            "  wsgigroups validate        every mistake, with its place",
            "  wsgigroups plan            what apply would do",
            "  wsgigroups apply           do it, and wait until it is ready",
            "  wsgigroups explain KEY     what an option means",
            "",
            "Relative paths start at this file. `wsgigroups schema` prints the schema for your editor.",
        )
        sheet.top("version", 1)
        sheet.blank()
        name = self.name or (found.name if found else "app")
        sheet.group(name)
        self._application(sheet)
        sheet.option("listen", list(self.listen), "put your web server in front, or try it with curl")
        if found and found.environment:
            sheet.option("environment", found.environment)
        else:
            sheet.option("environment", {"NAME": "value"}, "nothing of your own environment is inherited", off=True)
        sheet.option("environment-files", ["app.env"], "secrets belong into a file of their own", off=True)
        sheet.blank()
        self._work(sheet)
        sheet.blank()
        if self.user is None:
            sheet.note("Only used when wsgigroups runs as root; applications never run as root:")
            sheet.option("user", "www-data", off=True)
        else:
            sheet.option("user", self.user, "only used when wsgigroups runs as root")
        for prefix, directory in (found.static if found else {}).items():
            self._static(sheet, name, prefix, directory)
        for other in self.others[:5]:
            key, value = ("app", other.app) if other.app else ("script", other.script)
            sheet.note(f"Also found: {other.what}: {sheet.pair(key, value)}")
        return "\n".join(sheet.lines) + "\n"

    def _application(self, sheet: _Sheet) -> None:
        found = self.found
        if found is None:
            sheet.option("app", UNKNOWN_APP, "or script, for the path of a .wsgi file")
            sheet.option("python-path", ["."])
        elif found.app is not None:
            sheet.option("app", found.app)
            sheet.option("python-path", [found.python_path])
        else:
            sheet.option("script", found.script or "")
            if found.callable_object != "application":
                sheet.option("callable-object", found.callable_object)
        if found and found.python_home:
            sheet.option("python-home", found.python_home)
        else:
            sheet.option("python-home", ".venv", "the environment; without it, that of wsgigroups itself", off=True)

    def _work(self, sheet: _Sheet) -> None:
        alone = format_duration(REQUEST_TIMEOUT_S * THREADS)
        sheet.option("processes", 2)
        sheet.option("threads", THREADS, "CPU-bound: 3 to 5; waiting on a database or network: more")
        sheet.note(
            f"Recover from requests that hang: from all {THREADS} of a process after that time, from one alone after",
            f"{alone}, because ages are averaged over the threads (wsgigroups explain request-timeout).",
        )
        sheet.option("request-timeout", format_duration(REQUEST_TIMEOUT_S))
        sheet.option("graceful-timeout", "15s", "how long a process may finish what it does before it is replaced")
        sheet.option("maximum-requests", 10000, "replace a process after so many, if it leaks memory", off=True)
        sheet.option("memory-limit", "512M", off=True)

    def _static(self, sheet: _Sheet, name: str, prefix: str, directory: str) -> None:
        sheet.blank()
        sheet.comment(
            "Static files that are collected: with this site the gateway answers them. It takes the group's address,",
            "so that `listen` above has to go.",
        )
        site: dict[str, Any] = {
            "listen": list(self.listen),
            "process-group": name,
            "mounts": [{"path": "/"}],
            "static": [{"path": prefix, "directory": directory}],
        }
        if self.yaml:
            sheet.comment("sites:", "  localhost:")
            sheet.comment(*(f"    {sheet.pair(key, value)}" for key, value in site.items()))
        else:
            sheet.comment("[sites.localhost]", *(sheet.pair(key, value) for key, value in site.items()))


@dataclass(slots=True)
class _Sheet:
    """Lines of a file in one of two formats."""

    yaml: bool
    lines: list[str] = field(default_factory=list)
    _indent: str = ""

    def blank(self) -> None:
        self.lines.append("")

    def comment(self, *texts: str) -> None:
        self.lines += [f"# {text}".rstrip() for text in texts]

    def note(self, *texts: str) -> None:
        """A comment where options stand."""
        self.lines += [f"{self._indent}# {text}" for text in texts]

    def top(self, key: str, value: int) -> None:
        self.lines.append(self.pair(key, value))

    def group(self, name: str) -> None:
        if self.yaml:
            self.lines += ["groups:", f"  {self._key(name)}:"]
            self._indent = "    "
        else:
            self.lines.append(f"[groups.{toml_key(name)}]")

    def option(self, key: str, value: Any, why: str = "", *, off: bool = False) -> None:
        """One line. off: as a comment, for whoever wants it."""
        text = f"{self._indent}{'# ' if off else ''}{self.pair(key, value)}"
        self.lines.append(f"{text:<{_COMMENT_AT}} # {why}" if why else text)

    def pair(self, key: str, value: Any) -> str:
        if self.yaml:
            return f"{key}: {_yaml_value(value)}"
        return f"{key} = {toml_value(value)}"

    @staticmethod
    def _key(name: str) -> str:
        return name if name.isidentifier() and name.isascii() and name.lower() not in _YAML_WORDS else json.dumps(name)


_YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")


def _yaml_value(value: Any) -> str:
    """A value in the flow style, its texts as JSON has them (YAML 1.2.2, section 7.3.1)."""
    return toml_text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
