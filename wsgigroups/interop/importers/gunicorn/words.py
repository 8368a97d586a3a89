"""Settings of gunicorn: those with an option of the same meaning, the needless ones, and what is said of others.

From its settings reference, https://gunicorn.org/reference/settings/ (version 27). Pure data.
"""

from __future__ import annotations

# setting → option of a group, for numbers that mean the same
SAME = {
    "graceful_timeout": "shutdown-timeout",
    "keepalive": "keep-alive-timeout",
    "max_requests": "maximum-requests",
    "backlog": "listen-backlog",
    "limit_request_fields": "limit-request-fields",
}
SHORT = {
    "c": "config", "b": "bind", "w": "workers", "k": "worker-class", "t": "timeout", "D": "daemon", "e": "env",
    "p": "pid", "u": "user", "g": "group", "m": "umask", "n": "name", "R": "enable-stdio-inheritance",
    "v": "version", "h": "help",
}  # fmt: skip
SWITCHES = frozenset(
    {
        "reload", "spew", "check-config", "print-config", "preload", "no-sendfile", "reuse-port", "daemon",
        "initgroups",
        "disable-redirect-access-to-syslog", "capture-output", "log-syslog", "enable-stdio-inheritance",
        "enable-backlog-metric", "suppress-ragged-eofs", "do-handshake-on-connect", "permit-obsolete-folding",
        "strip-header-spaces", "permit-unconventional-http-method", "permit-unconventional-http-version",
        "casefold-http-method", "no-control-socket", "version", "help",
    }
)  # fmt: skip
# flags whose settings have another name than the flag with underscores
SETTING_OF_FLAG = {
    "keep-alive": "keepalive", "limit-request-field_size": "limit_request_field_size", "preload": "preload_app",
    "env": "raw_env", "pid": "pidfile", "access-logfile": "accesslog", "access-logformat": "access_log_format",
    "error-logfile": "errorlog", "log-file": "errorlog", "log-level": "loglevel", "log-config": "logconfig",
    "log-config-json": "logconfig_json", "log-syslog-to": "syslog_addr", "log-syslog": "syslog",
    "log-syslog-prefix": "syslog_prefix", "log-syslog-facility": "syslog_facility", "name": "proc_name",
    "reload-extra-file": "reload_extra_files", "paster": "paste", "paste-global": "raw_paste_global_conf",
    "proxy-allow-from": "proxy_allow_ips", "uwsgi-allow-from": "uwsgi_allow_ips", "no-sendfile": "sendfile",
    "dirty-app": "dirty_apps", "no-control-socket": "control_socket_disable",
}  # fmt: skip
REPEATED = frozenset({"bind", "raw_env", "reload_extra_files", "dirty_apps", "raw_paste_global_conf"})
# kept by doing nothing
NEEDLESS = frozenset(
    {
        "worker_connections", "worker_tmp_dir", "tmp_upload_dir", "reuse_port", "sendfile", "capture_output",
        "enable_stdio_inheritance", "pidfile", "check_config", "print_config", "spew", "default_proc_name",
        "disable_redirect_access_to_syslog", "suppress_ragged_eofs", "do_handshake_on_connect", "http_parser",
        "control_socket", "control_socket_mode", "control_socket_disable", "reload_engine", "enable_backlog_metric",
        "version", "help", "config",
    }
)  # fmt: skip
_HOOK = "gunicorn's hooks are not called: what it does belongs where the application is imported"
SENTENCES = {
    "daemon": "`wsgigroups apply` starts a manager in the background, `run` one in the foreground",
    "initgroups": "supplementary-groups names them one by one",
    "loglevel": "what the application says is logged whatever its level",
    "logger_class": "records of the application are logged as they come; there are no loggers of the server's own",
    "logconfig": "records of the application are logged as they come: let it set up logging by itself",
    "logconfig_dict": "records of the application are logged as they come: let it set up logging by itself",
    "logconfig_json": "records of the application are logged as they come: let it set up logging by itself",
    "syslog_addr": "the machine's own syslog is /dev/log",
    "syslog_prefix": "records are marked with the name of the group",
    "syslog_facility": "records have the facility that wsgigroups gives them",
    "statsd_prefix": "names of metrics begin with wsgigroups",
    "dogstatsd_tags": "metrics have the labels that docs/metrics.md names",
    "secure_scheme_headers": "of a trusted proxy X-Forwarded-Proto says the scheme",
    "proxy_protocol": "a site has proxy-protocol, a group's own address has not",
    "proxy_allow_ips": "a site has proxy-protocol, a group's own address has not",
    "uwsgi_allow_ips": "the uwsgi protocol is spoken on UNIX sockets",
    "protocol": "UNIX sockets take HTTP and the uwsgi protocol, other addresses HTTP",
    "paste": "name the application as package.module:callable; a factory without arguments has () behind it",
    "raw_paste_global_conf": "name the application as package.module:callable",
    "ssl_version": "tls-minimum of a site is the lowest version, 1.2 without it",
    "ciphers": "the gateway has its own settings of TLS",
    "cert_reqs": "certificates of clients are not asked for: keep a proxy before it that does",
    "ca_certs": "certificates of clients are not asked for: keep a proxy before it that does",
    "ssl_context": "the gateway has its own settings of TLS",
    "root_path": "a mount of a site has a path",
    "http_protocols": "HTTP/2 is for sites, with engine = \"nginx\" of [gateway]",
    "forwarder_headers": "of a trusted proxy the fields in docs/sites.md are believed",
    "header_map": "fields with an underscore in their names are dropped",
}  # fmt: skip
_HOOKS = (
    "on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init", "worker_int",
    "worker_abort", "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit", "nworkers_changed",
    "on_exit", "on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit",
)  # fmt: skip
HOOKS = dict.fromkeys(_HOOKS, _HOOK)
OTHERS = frozenset(
    {
        "dirty_apps", "dirty_workers", "dirty_timeout", "dirty_threads", "dirty_graceful_timeout", "asgi_loop",
        "asgi_lifespan", "asgi_disconnect_grace_period", "websocket_max_message_size", "http2_cleartext",
        "http2_max_concurrent_streams", "http2_initial_window_size", "http2_max_frame_size",
        "http2_max_header_list_size", "permit_obsolete_folding", "strip_header_spaces",
        "permit_unconventional_http_method", "permit_unconventional_http_version", "casefold_http_method",
    }
)  # fmt: skip
OTHERWISE = "nothing here stands for it"
MAPPED = frozenset(
    {
        *SAME, "bind", "workers", "threads", "worker_class", "timeout", "max_requests_jitter", "limit_request_line",
        "limit_request_field_size", "reload", "reload_extra_files", "chdir", "raw_env", "user", "group", "umask",
        "forwarded_allow_ips", "accesslog", "access_log_format", "errorlog", "syslog", "statsd_host", "proc_name",
        "pythonpath", "certfile", "keyfile", "wsgi_app", "preload_app",
    }
)  # fmt: skip
KNOWN = MAPPED | NEEDLESS | OTHERS | SENTENCES.keys() | HOOKS.keys()
