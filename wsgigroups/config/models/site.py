"""Sites, mounts, static directories, [server] and [gateway]. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import (
    Addresses,
    AnyPath,
    Boolean,
    Callable,
    Duration,
    HostName,
    HostNames,
    Identifier,
    Integer,
    Kind,
    LogPath,
    OrdinaryUser,
    Text,
    UrlPath,
)
from wsgigroups.config.models.base import OptionModel, option
from wsgigroups.config.models.group import Group

_ROUTES = "the gateway is told its new routes"
_IDENTITY = "a process takes its identity when it starts"


class ServerDefaults(OptionModel):
    """`[server]`: what Apache's server configuration gave its daemons."""

    user: OrdinaryUser | None = option(
        None,
        "The user of groups that name none. Only used when the manager runs as root.",
        default_text="www-data, else nobody",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )
    group: OrdinaryUser | None = option(
        None,
        "The primary group of groups that name none. Only used when the manager runs as root.",
        default_text="the primary group of the user",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )
    timeout: Duration = option(
        60.0,
        "The socket-timeout of groups that set none.",
        default_text="60s",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="30s",
    )
    error_log: LogPath | None = option(
        None,
        "One log for all groups that have no error-log of their own or their site: a file, /dev/stdout or /dev/stderr.",
        default_text="one NAME.log per group in the log directory",
        effect=Effect.LIVE,
        reason="the manager writes it",
        example="/var/log/wsgigroups/error.log",
    )
    spawners: Annotated[Literal["shared", "per-user"], Kind("choice")] = option(
        "shared",
        "Whether groups of different users may have one spawner, and so one address layout and one seed of string "
        "hashes. Only used when the manager runs as root; an interpreter that is not root's has one per user anyway.",
        effect=Effect.REPLACE,
        reason="processes are forked by their spawner",
        example="per-user",
        choices=("shared", "per-user"),
        extension=True,
    )


class Gateway(OptionModel):
    """`[gateway]`: the front where sites are served."""

    engine: Annotated[Literal["embedded", "nginx"], Kind("choice")] = option(
        "embedded",
        "Which front serves sites: the embedded one, or the distribution's nginx.",
        effect=Effect.REPLACE,
        reason="another program",
        example="nginx",
        choices=("embedded", "nginx"),
    )
    processes: Integer = option(
        1,
        "Number of gateway processes.",
        effect=Effect.LIVE,
        reason="processes are added or drained",
        example=2,
        minimum=1,
        maximum=64,
    )
    user: OrdinaryUser | None = option(
        None,
        "The user of the gateway's processes, and the owner of the UNIX sockets of groups.",
        default_text="user of [server]",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )
    group: OrdinaryUser | None = option(
        None,
        "The primary group of the gateway's processes.",
        default_text="the primary group of the user",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="www-data",
    )


class Mount(OptionModel):
    """One `WSGIScriptAlias`: a URL prefix and what answers below it."""

    path: UrlPath = option(
        None,
        "The URL prefix. The longest prefix that ends at a / of the request's path wins. Where the group has a listen "
        "of its own, its mounts are served there too, whatever the host; another prefix then replaces its processes.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="/api",
        required=True,
    )
    app: Callable | None = option(
        None,
        "The application as package.module:callable, or a factory with () behind it.",
        default_text="the application of the group",
        effect=Effect.REPLACE,
        reason="applications are loaded when a process starts",
        example="blog.wsgi:application",
    )
    script: AnyPath | None = option(
        None,
        "A WSGI script file.",
        default_text="the application of the group",
        effect=Effect.REPLACE,
        reason="applications are loaded when a process starts",
        example="/srv/api/api.wsgi",
    )
    callable_object: Identifier = option(
        "application",
        "The name of the WSGI callable in the script file.",
        effect=Effect.REPLACE,
        reason="applications are loaded when a process starts",
        example="app",
    )
    process_group: Text | None = option(
        None,
        "The group that answers.",
        default_text="process-group of the site",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="api",
    )


class Static(OptionModel):
    """A directory of files that the gateway answers by itself."""

    path: UrlPath = option(
        None, "The URL prefix.", effect=Effect.LIVE, reason=_ROUTES, example="/static", required=True
    )
    directory: AnyPath = option(
        None,
        "The directory that the rest of the URL names files in.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="/srv/blog/static",
        required=True,
    )


class Site(OptionModel):
    """One `<VirtualHost>`."""

    server_name: HostName | None = option(
        None,
        "The host name, where the name of the table is not it: for a second site with the same host name on another "
        "port.",
        default_text="the name of the table",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="www.example.org",
    )
    aliases: HostNames = option(
        (),
        "Further host names of this site; *.example.org stands for every name below.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example=["example.org", "*.example.org"],
    )
    listen: Addresses = option(
        (),
        "Addresses of the gateway on which this site is served. Sites share them.",
        default_text="none",
        effect=Effect.REBIND,
        reason="listening sockets",
        example=["0.0.0.0:80"],
    )
    error_log: LogPath | None = option(
        None,
        "The log file of this site and of the groups defined in it.",
        default_text="error-log of [server]",
        effect=Effect.LIVE,
        reason="the manager writes it",
        example="/var/log/wsgigroups/www.example.org.log",
    )
    access_log: AnyPath | None = option(
        None,
        "A file with one line per request to this site, in the combined format.",
        default_text="none",
        effect=Effect.LIVE,
        reason="the gateway writes it",
        example="/var/log/wsgigroups/www.example.org-access.log",
    )
    process_group: Text | None = option(
        None,
        "The group for mounts that name none.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="blog",
    )
    certificate: AnyPath | None = option(
        None,
        "File with the certificate chain; the site's addresses then speak TLS.",
        default_text="none",
        effect=Effect.LIVE,
        reason="read anew without dropping connections",
        example="/etc/ssl/example/fullchain.pem",
    )
    certificate_key: AnyPath | None = option(
        None,
        "File with the private key of the certificate.",
        default_text="none",
        effect=Effect.LIVE,
        reason="read anew without dropping connections",
        example="/etc/ssl/example/privkey.pem",
    )
    redirect_to_https: Boolean = option(
        False,
        "Answer requests on port 80 with a redirection to the same URL with https.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example=True,
    )
    mounts: tuple[Mount, ...] = Field((), description="URL prefixes and the applications that answer below them.")
    static: tuple[Static, ...] = Field((), description="Directories of files that the gateway answers by itself.")
    groups: dict[str, Group] = Field(
        default_factory=dict, description="Groups that only sites with this server name may use."
    )
