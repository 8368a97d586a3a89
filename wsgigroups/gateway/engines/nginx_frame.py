"""What every nginx.conf of ours has around its servers: limits, variables of the link, logs, pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.gateway.engines.nginx_text import DOLLAR, plain_word, seconds, word
from wsgigroups.runtime.wire.media_types import TABLE, UNKNOWN
from wsgigroups.runtime.wire.routes import PARTING_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.gateway.engines.nginx import NginxHost

PAGE = "/.wsgigroups/page-"  # internal: no client gets there
_PARTING = "/.wsgigroups/parting"  # internal likewise
PAGE_STATUSES = (400, 403, 404, 405, 408, 412, 413, 414, 416, 500, 501, 502, 503, 504, 505)
_REASONS = {
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip
_COMPRESSED = (
    "text/css text/csv text/plain text/javascript text/markdown application/json application/ld+json "
    "application/manifest+json application/rss+xml application/atom+xml application/xml image/svg+xml application/wasm"
)
# (name, value, whether it is left out where it is empty)
_VARIABLES = (
    ("REQUEST_METHOD", "$request_method", False),
    ("REQUEST_URI", "$request_uri", False),
    ("QUERY_STRING", "$query_string", False),
    ("SERVER_PROTOCOL", "$server_protocol", False),
    ("SCRIPT_NAME", "$wsgigroups_script_name", False),
    ("PATH_INFO", "$wsgigroups_path_info", False),
    ("CONTENT_TYPE", "$content_type", False),
    ("CONTENT_LENGTH", "$content_length", False),
    ("SERVER_NAME", "$wsgigroups_server_name", False),
    ("SERVER_PORT", "$wsgigroups_server_port", False),
    ("SERVER_ADDR", "$wsgigroups_server_addr", False),
    ("REMOTE_ADDR", "$wsgigroups_remote_addr", False),
    ("REMOTE_PORT", "$wsgigroups_remote_port", False),
    ("REQUEST_SCHEME", "$wsgigroups_scheme", False),
    ("HTTPS", "$wsgigroups_https", True),
    ("REQUEST_ID", "$wsgigroups_request_id", False),
    ("WSGIGROUPS_QUEUE_START", "$wsgigroups_began", False),
    ("WSGIGROUPS_APPLICATION", "$wsgigroups_application", True),
    ("SSL_PROTOCOL", "$ssl_protocol", True),
    ("SSL_CIPHER", "$ssl_cipher", True),
    ("SSL_TLS_SNI", "$ssl_server_name", True),
    ("HTTP_X_FORWARDED_FOR", "$wsgigroups_forwarded_for", True),
    ("HTTP_X_FORWARDED_HOST", "$http_host", True),
    ("HTTP_X_FORWARDED_PROTO", "$wsgigroups_scheme", False),
    ("HTTP_X_REQUEST_ID", "$wsgigroups_request_id", False),
    ("WSGIGROUPS_CLIENT_FIELDS", "$wsgigroups_follow", True),  # last: nginx has the fields of the head behind these
)
# Of the connection with the client, or built above under another name: said by nobody behind it.
_DROPPED = (
    "CONNECTION", "EXPECT", "KEEP_ALIVE", "PROXY", "PROXY_AUTHENTICATE", "PROXY_AUTHORIZATION", "PROXY_CONNECTION",
    "TE", "TRAILER", "TRANSFER_ENCODING", "UPGRADE", "WSGIGROUPS_QUEUE_START", "X_QUEUE_START", "X_REQUEST_START",
)  # fmt: skip
_STEERING = ["X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"]
_JSON = (
    '{"time":"$time_iso8601","request_id":"$wsgigroups_request_id","site":"$wsgigroups_server_name",',
    '"group":"$wsgigroups_group","remote_addr":"$wsgigroups_remote_addr","method":"$request_method",',
    '"target":"$request_uri","protocol":"$server_protocol","scheme":"$wsgigroups_scheme","host":"$http_host",',
    '"status":$status,"sent_bytes":$body_bytes_sent,"whole":$wsgigroups_whole,"referer":"$http_referer",',
    '"user_agent":"$http_user_agent","duration_s":$request_time,"application_s":$wsgigroups_application_s}',
)
TALLIED = "access_log tally wsgigroups_tally buffer=2k flush=1s;"  # read by runtime/keeper


def frame(host: NginxHost, servers: int, names: int) -> Iterator[str]:
    """Yield what comes before upstreams and servers. servers, names: how many there are, for the sizes of tables."""
    yield "daemon off;"
    if host.user:
        yield _user(host)
    yield f"worker_processes {host.processes};"
    yield f"worker_shutdown_timeout {seconds(host.shutdown_timeout_s)};"
    yield f"pid {word(host.temporary + '/nginx.pid', 'the directory')};"
    log = host.error_log if host.error_log == "stderr" else word(host.error_log, "the log")
    yield f"error_log {log} {'warn' if host.kept else 'notice'};"
    yield f"events {{ worker_connections {host.connections}; }}"
    yield "http {"
    for line in _http(host, servers, names):
        yield f"    {line}"


def _user(host: NginxHost) -> str:
    group = f" {plain_word(host.group, 'the group')}" if host.group else ""
    return f"user {plain_word(host.user, 'the user')}{group};"


def _http(host: NginxHost, servers: int, names: int) -> Iterator[str]:
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{name}_temp_path {word(f'{host.temporary}/{name}', 'the directory')};"
    size = max(1, -(-(host.line_bytes + 16) // 1024))
    yield f"server_names_hash_max_size {max(512, 8 * names)}; server_names_hash_bucket_size 512;"
    yield f"variables_hash_max_size {max(2048, 16 * servers)}; variables_hash_bucket_size 256;"
    yield "map_hash_bucket_size 512;"
    yield f"client_header_buffer_size 1k; large_client_header_buffers 8 {size}k;"
    yield "client_body_buffer_size 1m;"
    yield "merge_slashes off; server_tokens off; absolute_redirect off; underscores_in_headers off;"
    yield "sendfile on; tcp_nopush on; reset_timedout_connection on; autoindex off;"
    if host.kept:
        yield f"root {PARTING_FILE};"  # made absolute in $document_root, which nothing else goes by
        yield 'log_format wsgigroups_tally "$status $bytes_sent";'
    yield TALLIED if host.kept else "access_log off;"
    yield "ssl_session_cache shared:wsgigroups:10m; uninitialized_variable_warn off;"
    if host.compression:
        yield f"gzip on; gzip_vary on; gzip_proxied any; gzip_types {_COMPRESSED};"
    yield "types {"
    for media_type, *suffixes in map(str.split, TABLE.strip().splitlines()):
        yield f"    {media_type} {' '.join(suffixes)};"
    yield "}"
    yield f"default_type {UNKNOWN};"
    yield from _facts(host)
    yield "log_format wsgigroups_json escape=json"
    yield from (f"    '{part}'" for part in _JSON)
    yield ";"
    yield "uwsgi_request_buffering on; uwsgi_buffering off; uwsgi_max_temp_file_size 0; uwsgi_next_upstream off;"
    yield f"uwsgi_ignore_headers {' '.join(_STEERING)} Expires Cache-Control Set-Cookie Vary;"  # applications' own
    yield from (f"uwsgi_pass_header {name};" for name in (*_STEERING, "Status"))
    yield from (f'uwsgi_param HTTP_{name} "" if_not_empty;' for name in _DROPPED)
    for name, value, optional in _VARIABLES:
        yield f"uwsgi_param {name} {value}{' if_not_empty' if optional else ''};"
    lines = [f'{status} "{status} {_REASONS[status]}\\n{_request(status)}";' for status in PAGE_STATUSES]
    yield 'map $status $wsgigroups_page { default "$status Error\\n";'
    yield from (f"    {line}" for line in lines)
    yield "}"


def _request(status: int) -> str:
    return "request $wsgigroups_request_id\\n" if status >= 500 else ""


def _facts(host: NginxHost) -> Iterator[str]:
    """Variables about who asks, and what trusted proxies may say of it."""
    yield f'geo ${DOLLAR} {{ default "$"; }}'
    networks = [item for item in host.trusted_proxies if item != "unix"]
    yield "geo $realip_remote_addr $wsgigroups_in_network { default 0;"
    yield from (f"    {word(item, 'the network')} 1;" for item in networks)
    yield "}"
    unix = "1" if "unix" in host.trusted_proxies else "0"
    yield f'map $realip_remote_addr $wsgigroups_trusted {{ "unix:" {unix}; default $wsgigroups_in_network; }}'
    yield 'map $remote_addr $wsgigroups_remote_addr { "unix:" ""; default $remote_addr; }'
    yield 'map $remote_port $wsgigroups_remote_port { "" 0; default $remote_port; }'  # a proxy does not tell it
    yield 'map $wsgigroups_trusted $wsgigroups_follow { 1 ""; default client; }'
    yield 'map "$wsgigroups_trusted$http_x_request_start" $wsgigroups_began {'
    yield '    "~^1(?:t=)?(?<wsgigroups_told_start>[0-9]{10,16}(?:[.][0-9]{1,6})?)$" $wsgigroups_told_start;'
    yield "    default $msec; }"
    yield 'map "$wsgigroups_trusted$http_x_request_id" $wsgigroups_request_id {'
    yield '    "~^1(?<wsgigroups_told_id>[A-Za-z0-9._:/+=@-]{1,128})$" $wsgigroups_told_id; default $request_id; }'
    yield 'map "$wsgigroups_trusted$http_x_forwarded_proto" $wsgigroups_scheme {'
    yield '    "~*^1(?:.*,)?[ \\t]*https[ \\t]*$" https; "~*^1(?:.*,)?[ \\t]*http[ \\t]*$" http; default $scheme; }'
    yield "map $wsgigroups_scheme $wsgigroups_https { https on; }"
    yield 'map "$wsgigroups_trusted$http_x_forwarded_for" $wsgigroups_forwarded_for {'
    yield '    "~^1." "$http_x_forwarded_for, $realip_remote_addr"; default $wsgigroups_remote_addr; }'
    for name in ("addr", "port"):
        yield f'map "$proxy_protocol_server_{name}" $wsgigroups_server_{name} {{'
        yield f'    "" $server_{name}; default $proxy_protocol_server_{name}; }}'
    yield 'map "$upstream_header_time" $wsgigroups_application_s { "~^[0-9.]+$" $upstream_header_time; default 0; }'
    yield "map $request_completion $wsgigroups_whole { OK true; default false; }"
    if host.trusted_proxies:
        yield "real_ip_header X-Forwarded-For; real_ip_recursive on;"
        yield from trust(host.trusted_proxies)


def trust(networks: Sequence[str]) -> Iterator[str]:
    """Whose word is taken for a client's address."""
    for item in networks:
        yield f"set_real_ip_from {'unix:' if item == 'unix' else word(item, 'the network')};"


def parting() -> Iterator[str]:
    """Yield what closes a server's connections with their answers while the keeper has a file of that name.

    The request is led through a location that keeps none open, and goes on with its own path. No new file is read for
    it: nginx would close idle connections with that, on which a request may be on its way.
    """
    yield f"if (-f $document_root) {{ rewrite ^ {_PARTING}$uri; }}"
    yield f"location {_PARTING}/ {{"
    yield "    internal;"
    yield "    keepalive_timeout 0; client_max_body_size 0;"  # that of its own place is looked at afterwards
    yield f'    rewrite "(?s)^{_PARTING.replace(".", "[.]")}(/.*)$" $1 last;'
    yield "}"


def error_pages(own: Mapping[int, str], *, hidden: bool = False) -> Iterator[str]:
    """Yield what leads errors of nginx's own to pages: a site's where it has one, a line of text for others.

    hidden: what must not be had is told as what is not there.
    """
    for statuses, name in ((sorted(own), "html"), ([s for s in PAGE_STATUSES if s not in own], "text")):
        shown = [status for status in statuses if not (hidden and status in (403, 404))]
        if shown:
            yield f"error_page {' '.join(map(str, shown))} {PAGE}{name};"
    if hidden:
        yield f"error_page 403 404 =404 {PAGE}{'html' if 404 in own else 'text'};"


def usual_pages(headers: Sequence[str], text: str = "$wsgigroups_page", name: str = "text") -> Iterator[str]:
    """Yield the location of pages. headers: directives for fields that every answer of the site has."""
    media_type = "text/html" if name == "html" else "text/plain"
    yield f"location = {PAGE}{name} {{"
    yield "    internal;"
    yield f'    default_type "{media_type}; charset=utf-8";'
    yield from (f"    {line}" for line in headers)
    yield "    add_header Cache-Control no-store always;"
    yield "    add_header X-Request-ID $wsgigroups_request_id always;"
    yield f"    return 200 {text};"  # the status stays that of the error
    yield "}"
