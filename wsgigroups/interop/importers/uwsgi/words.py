"""Options of uWSGI: other names, switches, those that are needless here, and what is said of others. Pure data."""

from __future__ import annotations

SHORT = {
    "s": "socket", "S": "set", "p": "processes", "t": "harakiri", "x": "xml", "y": "yaml", "j": "json", "l": "listen",
    "v": "max-vars", "b": "buffer-size", "C": "chmod-socket", "H": "home", "M": "master", "w": "module",
    "i": "single-interpreter",
    "z": "socket-timeout", "T": "enable-threads", "R": "max-requests", "L": "disable-logging", "m": "memory-report",
    "d": "daemonize", "c": "mule", "r": "reaper",
}  # fmt: skip
SWITCHES = frozenset(
    {
        "master", "enable-threads", "single-interpreter", "lazy-apps", "lazy", "need-app", "vacuum", "die-on-term",
        "disable-logging", "memory-report", "auto-procname", "no-orphans", "reaper", "thunder-lock", "strict",
        "manage-script-name", "http-keepalive", "http-auto-chunked", "harakiri-verbose", "py-auto-reload-on-idle",
        "ignore-sigpipe", "ignore-write-errors", "disable-write-exception", "log-master", "log-date",
        "log-x-forwarded-for",
        "threaded-logger", "show-config", "catch-exceptions", "log-4xx", "log-5xx", "die-on-idle", "http-websockets",
        "gevent-monkey-patch", "gevent-early-monkey-patch", "wsgi-disable-file-wrapper", "python-worker-override",
        "py-call-osafterfork", "wsgi-manage-chunked-input", "post-buffering-quiet", "emperor-tyrant", "version",
        "stats-http", "honour-stdin", "touch-reload-quiet", "reload-os-env", "log-reopen", "never-swap",
        "abstract-socket", "log-format-strftime", "logformat-strftime", "log-syslog", "vhost", "vhost-host", "cheap",
        "log-prefix", "emperor-nofollow", "reuse-port", "so-keepalive", "tcp-nodelay", "master-as-root",
    }
)  # fmt: skip
NAMES = {
    "workers": "processes", "uwsgi-socket": "socket", "virtualenv": "home", "venv": "home", "pyhome": "home",
    "wsgi": "module", "python-path": "pythonpath", "pp": "pythonpath", "file": "wsgi-file",
    "http-socket-modifier1": "ignored", "uid": "uid", "gid": "gid", "http11-socket": "http-socket",
    "limit-as": "limit-as", "umask": "umask", "pypy-home": "home", "pypy-wsgi": "module", "cd": "chdir",
    "py-autoreload": "py-auto-reload", "python-autoreload": "py-auto-reload", "python-auto-reload": "py-auto-reload",
    "worker-reload-mercy": "reload-mercy", "logto": "logto", "daemonize2": "daemonize", "http-router": "http",
    "min-worker-lifetime": "min-worker-lifetime", "reload-on-rss-mb": "reload-on-rss", "plugins": "plugin",
    "need-plugin": "plugin", "die-on-no-workers": "no-orphans", "static-map2": "static-map", "req-logger": "req-logger",
    "logger": "logto", "logto2": "logto", "log-maxsize": "log-maxsize", "fs-reload": "touch-reload",
    "touch-workers-reload": "touch-reload", "touch-chain-reload": "touch-reload",
}  # fmt: skip
# option → option of a group, for numbers that mean the same
SAME = {
    "max-requests": "maximum-requests",
    "listen": "listen-backlog",
    "max-worker-lifetime": "restart-interval",
    "socket-timeout": "socket-timeout",
    "http-timeout": "socket-timeout",
    "reload-mercy": "shutdown-timeout",
    "nice": "cpu-priority",
    "max-fd": "limit-nofile",
    "limit-nproc": "limit-nproc",
    "limit-post": "limit-request-body",
}
NEEDLESS = frozenset(
    {
        "master", "master-as-root", "enable-threads", "single-interpreter", "lazy-apps", "need-app", "vacuum",
        "die-on-term", "no-orphans", "reaper",
        "thunder-lock", "strict", "plugin", "plugins-dir", "plugin-dir", "pidfile", "pidfile2", "safe-pidfile",
        "harakiri-verbose", "memory-report",
        "log-master", "log-date", "threaded-logger", "wsgi-disable-file-wrapper", "buffer-size", "post-buffering",
        "post-buffering-bufsize", "http-keepalive", "http-auto-chunked", "ignore-sigpipe", "ignore-write-errors",
        "disable-write-exception", "py-call-osafterfork", "max-vars", "manage-script-name", "show-config",
        "catch-exceptions",
        "procname-master", "honour-stdin", "stats", "stats-server", "stats-http", "chmod-socket", "ignored",
        "http-processes",
        "offload-threads", "http-buffer-size", "so-keepalive", "tcp-nodelay", "min-worker-lifetime", "protocol",
        "py-tracebacker",
        "gevent-monkey-patch", "gevent-early-monkey-patch", "max-requests-delta", "max-worker-lifetime-delta",
        "worker-reload-mercy", "add-header", "delete-pidfile", "version", "strict-mode", "log-x-forwarded-for",
        "wsgi-manage-chunked-input",
        "so-send-timeout", "reuse-port", "abstract-socket", "mule-reload-mercy", "log-encoder", "log-req-encoder",
        "logformat-strftime", "app", "lazy", "never-swap",
    }
) - {"add-header"}  # fmt: skip
SENTENCES = {
    "emperor*": "give `import uwsgi` the directory of the vassals",
    "spooler*": "no spooler here: a queue of tasks with workers of its own does that",
    "mule*": "no mules here: a program beside it, started by systemd, does that",
    "farm*": "no mules here: a program beside it, started by systemd, does that",
    "cron*": "no timers here: cron or systemd has them",
    "cron2": "no timers here: cron or systemd has them",
    "attach-daemon*": "no other programs are started here: systemd or supervisor does that",
    "smart-attach-daemon*": "no other programs are started here: systemd or supervisor does that",
    "exec-*": "no commands are run at starts and ends: the unit of the manager has ExecStartPre",
    "hook-*": "no commands are run at starts and ends: the unit of the manager has ExecStartPre",
    "cheaper*": "the number of processes is fixed: `processes`, or `wsgigroups scale` for a while",
    "cache*": "no cache here",
    "route*": "requests are not rewritten here: let the application do it",
    "error-route*": "requests are not rewritten here: let the application do it",
    "static-*": "static directories have a path each, and fields of their own",
    "check-static*": "static directories have a path each",
    "subscribe*": "the gateway knows its groups by itself",
    "subscription*": "the gateway knows its groups by itself",
    "fastrouter*": "the gateway takes its place",
    "http-*": "the gateway or a group's own listen takes its place",
    "https*": "a site with certificate speaks TLS",
    "ssl-*": "the gateway has its own settings of TLS",
    "cpu-affinity": "processes run where the kernel puts them; cpu-weight and cpu-quota share the processors out",
    "threads-stacksize": "its unit is KiB: write stack-size",
    "carbon*": "metrics go to Prometheus, StatsD or OpenTelemetry",
    "statsd*": "statsd-service of [server] says where",
    "stats-push*": "metrics go to Prometheus, StatsD or OpenTelemetry",
    "snmp*": "metrics go to Prometheus, StatsD or OpenTelemetry",
    "lock-engine": "no locks are shared between processes here",
    "locks": "no locks are shared between processes here",
    "sharedarea": "no memory is shared between processes here",
    "queue*": "no memory is shared between processes here",
    "log-format*": "lines of access logs have the common or combined format, or are JSON",
    "logformat*": "lines of access logs have the common or combined format, or are JSON",
    "log-*": "nothing here stands for it: docs/logs.md has what logs can do",
    "add-header": "headers of answers are the application's: let it set this one",
    "import*": "modules are imported by the application: import this one there",
    "shared-import": "modules are imported by the application: import this one there",
    "shared-pyimport": "modules are imported by the application: import this one there",
    "evil-reload-on-*": "memory-max and memory-limit are the hard limits",
    "reload-on-as": "memory-soft-limit counts resident memory; virtual-memory-limit is a hard one for addresses",
    "pyargv": "sys.argv is the manager's: give the application variables of its environment",
    "paste*": "name the application as package.module:callable",
    "ini-paste*": "name the application as package.module:callable",
    "master-fifo": "`wsgigroups reload`, `restart`, `stop` and `scale` take its place",
    "touch-logreopen": "`wsgigroups logs --reopen`",
    "touch-logrotate": "log-rotate-size of [server], or `wsgigroups logs --reopen`",
    "idle": "processes are not ended for want of requests; inactivity-timeout replaces them",
    "die-on-idle": "processes are not ended for want of requests; inactivity-timeout replaces them",
    "vhost*": "a site has the names of its hosts, and mounts one application for all of them",
    "vassal*": "every file of an Emperor is a group",
    "unshare*": "restrict-namespaces, private-tmp and others confine a group: docs/confinement.md",
    "cgroup*": "memory-max, cpu-weight and others: docs/cgroups.md",
    "cap*": "processes have no capabilities at all",
    "php*": "no PHP here",
    "perl*": "no Perl here",
    "psgi*": "no Perl here",
    "rack*": "no Ruby here",
    "cgi*": "no CGI here",
    "websocket*": "no websockets here",
    "http-websockets": "no websockets here",
    "reload-os-env": "an environment is built anew for each process",
}  # fmt: skip
OTHERWISE = "nothing here stands for it"


def sentence_for(name: str) -> str:
    """What is said of an option without a translation; the longest entry that fits."""
    fitting = [key for key in SENTENCES if key == name or (key.endswith("*") and name.startswith(key[:-1]))]
    return SENTENCES[max(fitting, key=len)] if fitting else OTHERWISE
