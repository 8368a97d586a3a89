"""What people type: examples for the help of each command. Pure data; a test parses each of them."""

from __future__ import annotations

Example = tuple[str, str]  # the line after `wsgigroups`, and what it is for

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "serve": (
        ("serve", "what is in this directory"),
        ("serve --reload", "while you work on it"),
        ('serve "shop:create_app()"', "a factory"),
        ("serve blog.wsgi --listen 0.0.0.0:8080 --threads 5", ""),
        ("serve --static /static=build", "files beside the application"),
        ("serve --write groups.toml", "go on with apply"),
    ),
    "init": (
        ("init", "write groups.toml for the project here"),
        ("init --stdout ../shop", "only look"),
        ("init --app shop.wsgi:application --listen 8080 --yaml", ""),
    ),
    "validate": (
        ("validate", "groups.toml, groups.yaml or groups/ here"),
        ("validate --strict -o github groups.toml", "in CI"),
        ("validate --fix", "write what is certain to be meant"),
        ("validate --facts prod.json groups.toml", "for another host"),
    ),
    "plan": (
        ("plan", "what apply would do"),
        ("plan --detailed-exitcode", "2 where there is something to do"),
        ("plan --only blog.toml", "what comes from other files stays"),
        ("plan --out change.plan", "to be looked at, and applied later"),
    ),
    "apply": (
        ("apply", "groups.toml, groups.yaml or groups/ here"),
        ("apply --dry-run blog.toml", "show the plan and stop"),
        ("apply --yes --timeout 2m groups.toml", "in scripts"),
        ("apply blog.toml shop.toml", "several projects, all of their files"),
        ("apply --only blog.toml", "one of them; what comes from other files stays"),
        ("apply change.plan", "what plan --out wrote"),
    ),
    "run": (
        ("run /etc/wsgigroups/groups.toml", "systemd, containers"),
        ("run --group blog groups.toml", "one group of many, in a container of its own"),
        ("run --resume", "what ran before"),
    ),
    "status": (
        ("status", "all groups"),
        ("status blog", "one, with its processes"),
        ("status 'dj*' --watch", "groups by a pattern, again and again"),
        ("status --check --for 10s blog", "exit 3 unless it stays ready"),
        ("status --json", "for programs"),
    ),
    "top": (("top", ""),),
    "web": (
        ("web", "prints a link for a browser on this machine"),
        ("web --listen 127.0.0.1:9000 --allow-changes", "a page that may restart and scale"),
    ),
    "start": (("start blog", ""), ("start --all", "")),
    "stop": (("stop blog", ""), ("stop 'dj*'", "groups by a pattern")),
    "restart": (
        ("restart blog shop", "groups, each process after its successor is ready"),
        ("restart blog/2", "one process"),
        ("restart 'dj*'", "groups by a pattern"),
        ("restart --all", "every group"),
    ),
    "reload": (("reload blog", ""), ("reload --all", "")),
    "scale": (("scale blog=4", "until the next apply"), ("scale blog=4 shop=2", "")),
    "deploy": (("deploy blog", "the code that is there now"), ("deploy blog 2026-11-24.1", "with a name for it")),
    "drill": (("drill blog --restarts 5", ""), ("drill blog --manager --yes", "the manager is killed, too")),
    "logs": (
        ("logs -f", "all groups"),
        ("logs blog/2 --since 10m", "one process"),
        ("logs --grep Traceback blog shop", ""),
        ("logs --json -n 100 blog", "a document for each line"),
        ("logs --manager", "what the manager says itself"),
    ),
    "why": (("why blog", "a group"), ("why blog/2 --stacks", "a process, and what it was doing")),
    "advise": (("advise", ""), ("advise --for 60s blog", "watch for a minute first")),
    "events": (("events -f", ""), ("events --since 1h blog", "")),
    "history": (("history", ""), ("history 12", "what revision 12 changed")),
    "rollback": (("rollback", "the last good revision"), ("rollback 12", "")),
    "wait": (("wait 17 --timeout 2m", "a change that was begun with --no-wait"),),
    "upgrade": (("upgrade", "after pip install --upgrade"),),
    "shutdown": (("shutdown", "requests end first"), ("shutdown --now", "nothing is waited for")),
    "config show": (
        ("config show", "each value with its origin"),
        ("config show -o toml --no-defaults", "one file of many"),
    ),
    "import": (
        ("import apache /etc/apache2/sites-enabled -o groups.toml", "what came of it is on stderr"),
        ("import gunicorn gunicorn.conf.py --app shop.wsgi:application", ""),
        ("import uwsgi /etc/uwsgi/vassals", "an Emperor's directory"),
    ),
    "render": (
        ("render nginx groups.toml -o nginx.conf", ""),
        ("render systemd /etc/wsgigroups/groups.toml -o /etc/systemd/system", "a unit for the manager"),
        ("render haproxy sites.toml -o haproxy.cfg --check", "is the file what it would be now?"),
        ("render alerts", "rules for Prometheus"),
        ("render ansible groups.toml -o rollout", "a release for several machines"),
        ("render kubernetes groups.toml -o base", "a Kustomize base"),
        ("render kubernetes groups.toml -o base --check", "in CI: is it what the file says?"),
    ),
    "schema": (("schema > groups.schema.json", "for an editor"),),
    "explain": (
        ("explain request-timeout --threads 25", "an option"),
        ("explain WG0201", "a diagnostic"),
        ("explain", "all options, a line each"),
    ),
    "facts": (
        ("facts -o json groups.toml > prod.json", "on the host, as the user of the manager"),
        ("validate --facts prod.json groups.toml", "anywhere"),
    ),
    "completion": (("completion --install", "for the shell that you use"), ("completion bash", "print the script")),
}
