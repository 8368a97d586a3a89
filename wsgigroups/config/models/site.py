"""Sites, mounts, static directories and [gateway]. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wsgigroups.config.authority_kinds import CertificatePath, Contact, Url
from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import (
    Addresses,
    AnyPath,
    Boolean,
    Callable,
    Duration,
    FileName,
    HostName,
    HostNames,
    Identifier,
    Integer,
    Kind,
    LogPath,
    Networks,
    OrdinaryUser,
    PageFiles,
    Text,
    UrlPath,
)
from wsgigroups.config.models.base import OptionModel, option
from wsgigroups.config.models.group import Group

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
_ROUTES = "the gateway is told its new routes"
_NGINX = "nginx reads its new file"
_IDENTITY = "a process takes its identity when it starts"
_ORDERS = "the next order goes by it"
_CERTIFICATE = "read anew without dropping connections"


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
    shutdown_timeout: Duration = option(
        30.0,
        "How long a gateway process that leaves may go on with the requests that it has; then it is killed.",
        default_text="30s",
        effect=Effect.LIVE,
        reason="told to running processes",
        example="5m",
        extension=True,
    )
    trusted_proxies: Networks = option(
        (),
        "Peers of the gateway whose X-Forwarded-* and X-Request-ID headers are believed: networks in CIDR notation, or "
        '"unix" for peers on UNIX sockets. What others say there is left out.',
        default_text="none",
        effect=Effect.LIVE,
        reason="told to running processes",
        example=["10.0.0.0/8"],
        related=("proxy-protocol",),
        extension=True,
    )
    http2: Boolean = option(
        True,
        'Whether clients may speak HTTP/2 over TLS. Only nginx can: engine = "nginx", built with it.',
        default_text='true with engine = "nginx"',
        effect=Effect.LIVE,
        reason=_NGINX,
        example=False,
        related=("engine",),
        extension=True,
    )
    compression: Boolean = option(
        True,
        "Whether answers of text, JSON and the like are compressed on the way, for clients that ask for it. Only nginx "
        'does so: engine = "nginx".',
        default_text='true with engine = "nginx"',
        effect=Effect.LIVE,
        reason=_NGINX,
        example=False,
        related=("engine",),
        extension=True,
    )
    acme_directory: Url = option(
        LETS_ENCRYPT,
        'The certificate authority that makes the certificates of sites with `certificate = "acme"`: the URL of its '
        "directory (RFC 8555 section 7.1.1).",
        default_text="Let's Encrypt",
        effect=Effect.LIVE,
        reason=_ORDERS,
        example="https://acme-staging-v02.api.letsencrypt.org/directory",
        related=("certificate", "acme-ca-file"),
        extension=True,
    )
    acme_contact: Contact | None = option(
        None,
        "The e-mail address that the authority may write to.",
        default_text="none",
        effect=Effect.LIVE,
        reason="the next account has it",
        example="admin@example.org",
        related=("acme-directory",),
        extension=True,
    )
    acme_terms_agreed: Boolean = option(
        False,
        "Whether you agree to the terms of service of the authority; without that it gives no certificate.",
        effect=Effect.LIVE,
        reason=_ORDERS,
        example=True,
        related=("acme-directory",),
        extension=True,
    )
    acme_ca_file: AnyPath | None = option(
        None,
        "File with the certificates, in PEM, that the HTTPS of the authority is trusted by: for one of your own.",
        default_text="those of the web",
        effect=Effect.LIVE,
        reason=_ORDERS,
        example="/etc/ssl/our-authority.pem",
        related=("acme-directory",),
        extension=True,
    )
    acme_challenge: Annotated[Literal["tls-alpn-01", "http-01"], Kind("choice")] = option(
        "tls-alpn-01",
        "How the authority sees that a name leads here: by TLS on port 443 (RFC 8737), or by HTTP on port 80.",
        effect=Effect.LIVE,
        reason=_ORDERS,
        example="http-01",
        choices=("tls-alpn-01", "http-01"),
        related=("certificate",),
        extension=True,
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
    access_log: LogPath | None = option(
        None,
        "A file with one line per request to this site; /dev/stdout and /dev/stderr are the manager's, "
        "/dev/log is syslog.",
        default_text="none",
        effect=Effect.LIVE,
        reason="the gateway writes it",
        example="/var/log/wsgigroups/www.example.org-access.log",
        related=("access-log-format",),
    )
    access_log_format: Annotated[Literal["combined", "json"], Kind("choice")] = option(
        "combined",
        "How the lines of the access log look: the combined format of web servers, or JSON with the times that the "
        "request spent in the queue, in the application and on its way to the client.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="json",
        choices=("combined", "json"),
        related=("access-log",),
        extension=True,
    )
    process_group: Text | None = option(
        None,
        "The group for mounts that name none.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="blog",
    )
    certificate: CertificatePath | None = option(
        None,
        "File with the certificate chain, in PEM; the site's addresses then speak TLS, all but those on port 80. The "
        "manager reads it, and looks again every 10 seconds: a new one is in use without an apply. With `acme` the "
        "manager has an authority make it, and renew it, for the names of the site.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_CERTIFICATE,
        example="/etc/ssl/example/fullchain.pem",
        related=("certificate-key", "tls-minimum", "acme-terms-agreed"),
    )
    certificate_key: AnyPath | None = option(
        None,
        "File with the private key of the certificate, in PEM and without a password.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_CERTIFICATE,
        example="/etc/ssl/example/privkey.pem",
        related=("certificate",),
    )
    redirect_to_https: Boolean = option(
        False,
        "Answer requests that come without TLS with a redirection to the same URL with https.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example=True,
        related=("http-redirect", "hsts"),
    )
    http_redirect: Boolean = option(
        False,
        "Listen on port 80 as well, wherever this site listens on port 443, and answer there with a redirection to the "
        "same URL with https.",
        effect=Effect.REBIND,
        reason="listening sockets",
        example=True,
        related=("redirect-to-https", "hsts"),
        extension=True,
    )
    hsts: Duration = option(
        0.0,
        "For how long browsers shall ask for this site with https only (RFC 6797): a header in answers over TLS.",
        default_text="0: no such header",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="365d",
        related=("redirect-to-https",),
        extension=True,
    )
    tls_minimum: Annotated[Literal["1.2", "1.3"], Kind("choice")] = option(
        "1.2",
        "The lowest version of TLS that is spoken.",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="1.3",
        choices=("1.2", "1.3"),
        related=("certificate",),
        extension=True,
    )
    index: FileName | None = option(
        None,
        "The file that answers for a directory below a static one.",
        default_text="none: a directory is answered 404",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example="index.html",
        extension=True,
    )
    error_pages: PageFiles = option(
        None,
        "HTML files for errors that the gateway answers by itself, by status: 502 for a group whose process ended, 503 "
        "and 504 for one that has no room or no time, 404 for a path that leads nowhere. An application's own answers "
        "stay what they are.",
        default_text="none: a line of text",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example={"502": "/srv/blog/errors/502.html"},
        factory=dict,
        extension=True,
    )
    proxy_protocol: Networks = option(
        (),
        "Peers whose connections begin with a PROXY header, of version 1 or 2, which says who the client is: networks "
        'in CIDR notation, or "unix" for peers on UNIX sockets. It is so on all addresses of the site, and for every '
        "site there.",
        default_text="none",
        effect=Effect.LIVE,
        reason=_ROUTES,
        example=["10.0.0.7/32"],
        related=("listen",),
        extension=True,
    )
    mounts: tuple[Mount, ...] = Field((), description="URL prefixes and the applications that answer below them.")
    static: tuple[Static, ...] = Field((), description="Directories of files that the gateway answers by itself.")
    groups: dict[str, Group] = Field(
        default_factory=dict, description="Groups that only sites with this server name may use."
    )
