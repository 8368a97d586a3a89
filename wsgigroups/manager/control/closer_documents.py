"""The documents of a closer look: one group as it is set and what its threads do, one revision beside the one before.

Pure, as documents.py.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wsgigroups.manager.control.document import Document, Text
from wsgigroups.manager.control.documents import FrameDocument, ProcessState, RevisionDocument  # noqa: TC001  (pydantic)


class BusyThreadDocument(Document):
    """A request thread with a request in the application. What it says of it is the process's own word."""

    thread: int = Field(description="The number of the request thread.")
    asked: Text = Field(description="Method and path, without the query; empty where that is not known.")
    age_s: float = Field(description="For how long the request has been in the application.")
    frame: FrameDocument | None = Field(
        description="Where in the application it is; null: not known, as in the first second of a request."
    )


class ThreadsDocument(Document):
    """One process, and what its request threads do now."""

    slot: int
    life: int
    pid: int
    state: ProcessState
    threads: int = Field(description="How many request threads it has.")
    busy: list[BusyThreadDocument] = Field(description="The request under way for longest first.")


class AddressesDocument(Document):
    """The addresses of all groups and of the gateway, as the configuration writes them."""

    schema_version: Literal[1] = 1
    addresses: list[Text]


class ConfigurationDocument(Document):
    """The configuration that runs, or is being rolled out, secrets included."""

    schema_version: Literal[1] = 1
    revision: int
    configuration: dict[str, object] = Field(
        description="As in groups.toml, and in the table `owners` the files that it came from."
    )


class GroupDetailsDocument(Document):
    """One group: how it is set, and what its processes do now."""

    schema_version: Literal[1] = 1
    name: Text
    options: dict[Text, Text] = Field(description="Those that are not the defaults, as people write them.")
    variables: list[Text] = Field(
        description="Names that are set in the environment, besides those that every process has; values are not told."
    )
    application: Text = Field(description="What is called, and for which paths.")
    home: Text = Field(description="The working directory; empty: the manager's own.")
    python_home: Text = Field(description="The environment that its Python has; empty: none.")
    processes: list[ThreadsDocument]


class LogDocument(Document):
    """What a group's log has."""

    schema_version: Literal[1] = 1
    lines: list[Text] = Field(description="Whole lines, the oldest first; of very many the last.")
    after: Text = Field(description="For the next question: from where on.")


class OptionChangeDocument(Document):
    """One key that differs. Of variables of the environment there are no values."""

    key: Text = Field(description="As `groups.blog.threads`.")
    sign: Literal["+", "-", "~"] = Field(description="It is new, gone, or another one.")
    old: Text | None
    new: Text | None


class DifferenceDocument(Document):
    """What one revision has that the one before it had not."""

    schema_version: Literal[1] = 1
    revision: RevisionDocument
    before: int | None = Field(description="The revision it is compared with; null: it is the oldest that is kept.")
    changes: list[OptionChangeDocument]


class DashboardDocument(Document):
    """A link to the manager's dashboard."""

    schema_version: Literal[1] = 1
    url: Text = Field(description="Opens one session of a browser, once, within ten minutes.")
