"""Keys of other tools, and what they are called here: for hints about keys that are not known. Pure.

Names are kebab-case, as keys are compared. Sources: the option lists of uWSGI, gunicorn, mod_wsgi-express, supervisor,
systemd, pm2, NGINX Unit, docker compose and Kubernetes.
"""

from __future__ import annotations

# name → (what to write here, and what else there is to say)
GROUP_KEYS: dict[str, tuple[str, str]] = {
    # how many
    **dict.fromkeys(
        ("workers", "worker", "num-processes", "num-workers", "numprocs", "instances", "replicas"), ("processes", "")
    ),
    **dict.fromkeys(("cheaper", "spare", "max-processes", "min-processes"), ("processes", "the number does not vary")),
    **dict.fromkeys(("num-threads", "thread", "threads-per-process", "max-threads"), ("threads", "")),
    # addresses
    **dict.fromkeys(
        ("bind", "http", "http-socket", "https-socket", "socket", "address", "addresses", "listeners", "endpoint"),
        ("listen", 'a list, as ["127.0.0.1:8000"] or ["unix:/run/blog.sock"]'),
    ),
    **dict.fromkeys(("port", "ports", "host"), ("listen", 'with both, as ["127.0.0.1:8000"]')),
    **dict.fromkeys(("backlog", "listen-queue"), ("listen-backlog", "")),
    # time
    "harakiri": ("request-timeout", ""),
    "timeout": ("request-timeout", "for single reads and writes it is socket-timeout"),
    **dict.fromkeys(("keepalive", "keep-alive", "http-keepalive"), ("keep-alive-timeout", "")),
    **dict.fromkeys(("startsecs", "timeout-start-sec", "startup-time"), ("startup-timeout", "")),
    **dict.fromkeys(
        ("stopwaitsecs", "timeout-stop-sec", "stop-grace-period", "worker-reload-mercy", "stop-timeout"),
        ("shutdown-timeout", ""),
    ),
    **dict.fromkeys(("idle", "die-on-idle", "idle-timeout"), ("inactivity-timeout", "")),
    **dict.fromkeys(("max-worker-lifetime", "lifetime", "runtime-max-sec"), ("restart-interval", "")),
    # work until a process is followed
    **dict.fromkeys(
        ("max-requests", "max-requests-jitter", "max-requests-delta", "requests-limit"),
        ("maximum-requests", "processes of a group never reach it together"),
    ),
    **dict.fromkeys(
        ("reload-on-rss", "max-memory-restart", "memory-restart", "max-rss", "limit-memory-soft"),
        ("memory-soft-limit", "successor first"),
    ),
    **dict.fromkeys(("reload-on-as", "limit-as"), ("virtual-memory-limit", "")),
    **dict.fromkeys(("memory", "mem-limit", "memorymax", "memory-max-bytes"), ("memory-max", "")),
    **dict.fromkeys(("cpus", "cpuquota"), ("cpu-quota", "")),
    **dict.fromkeys(("rlimit-nofile", "limitnofile", "limit-no-file"), ("limit-nofile", "")),
    "limitnproc": ("limit-nproc", ""),
    "nice": ("cpu-priority", ""),
    # what is called
    **dict.fromkeys(("module", "wsgi", "application", "wsgi-app", "entrypoint"), ("app", 'as "blog.wsgi:application"')),
    **dict.fromkeys(("wsgi-file", "wsgi-script", "file", "script-alias"), ("script", "")),
    "callable": ("callable-object", "with script; with app it stands behind the colon"),
    **dict.fromkeys(("command", "cmd", "exec-start", "execstart"), ("app", "daemons are not commands")),
    **dict.fromkeys(("lazy-apps", "lazy", "autoload"), ("load", '"eager" or "lazy"')),
    "preload-app": ("preload", '"app"'),
    **dict.fromkeys(
        ("py-autoreload", "autoreload", "touch-reload", "reload-on-exception"),
        ("script-reloading", "with watch for other files"),
    ),
    **dict.fromkeys(("graceful-timeout-s", "reload-mercy"), ("graceful-timeout", "")),
    # who and where
    **dict.fromkeys(("uid", "run-as", "runas", "setuid"), ("user", "")),
    **dict.fromkeys(("gid", "setgid"), ("group", "")),
    **dict.fromkeys(("add-gid", "additional-gids", "supplementarygroups"), ("supplementary-groups", "")),
    **dict.fromkeys(("chdir", "cwd", "directory", "workdir", "working-dir", "working-directory"), ("home", "")),
    **dict.fromkeys(("venv", "virtualenv", "pyhome", "pythonhome", "python-venv"), ("python-home", "")),
    **dict.fromkeys(("pythonpath", "pp", "path"), ("python-path", "")),
    **dict.fromkeys(("env", "envs", "raw-env", "environ"), ("environment", "a table")),
    **dict.fromkeys(
        ("env-file", "env-files", "environment-file", "environmentfile", "dotenv"), ("environment-files", "")
    ),
    **dict.fromkeys(("procname", "proc-name", "process-name", "auto-procname"), ("display-name", "")),
    # what is told
    **dict.fromkeys(
        ("errorlog", "logto", "log-file", "logfile", "stdout-logfile", "stderr-logfile"), ("error-log", "")
    ),
    **dict.fromkeys(("accesslog", "log-requests", "access-logfile"), ("access-log", "")),
    **dict.fromkeys(("forwarded-allow-ips", "proxy-allow-ips", "trust-proxy"), ("trusted-proxies", "")),
    **dict.fromkeys(("limit-request-field", "buffer-size"), ("limit-request-field-size", "")),
    **dict.fromkeys(("limit-post", "client-max-body-size", "max-body-size"), ("limit-request-body", "")),
}
# keys that have no counterpart, and why
NOT_NEEDED: dict[str, str] = {
    "master": "there is always a manager: leave it out",
    "daemonize": "`wsgigroups apply` starts a manager in the background: leave it out",
    "daemon": "`wsgigroups apply` starts a manager in the background: leave it out",
    "pidfile": "`wsgigroups status` knows the processes: leave it out",
    "vacuum": "sockets are removed by the manager: leave it out",
    "enable-threads": "requests run in threads of Python always: leave it out",
    "single-interpreter": "a process has one interpreter always: leave it out",
    "need-app": "a process without its application is a failure always: leave it out",
    "die-on-term": "SIGTERM ends the manager always: leave it out",
    "worker-class": "requests run in threads: leave it out, and set threads",
    "autostart": "groups of the file are started: leave it out",
    "autorestart": "processes that end are followed always: leave it out",
    "startretries": "the manager tries again, ever more slowly: leave it out",
    "restart": "processes that end are followed always: leave it out",
    "gevent": "requests run in threads: leave it out, and set threads",
}


def foreign_hint(name: str) -> str | None:
    """What a key of another tool is called in a group; None for one that no other tool is known to have."""
    found = GROUP_KEYS.get(name)
    if found is None:
        return NOT_NEEDED.get(name)
    ours, more = found
    return f"in wsgigroups: {ours}{f' ({more})' if more else ''}"
