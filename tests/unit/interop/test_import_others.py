"""uWSGI, mod_wsgi-express, supervisor, systemd, NGINX Unit: what becomes of their settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.importing import group, imported, loaded, of_command, said

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import Fidelity

UWSGI = """[uwsgi]
base = /srv/shop
chdir = %(base)
home = %(base)/venv
module = shop.wsgi:application
socket = /run/%n.sock
http = :8080
static-map = /static=%(base)/static
processes = 4
threads = 2
harakiri = 30
max-requests = 5000
reload-on-rss = 300
env = SECRET=hush
for = A B
  env = %(_)=1
endfor
if-env = MODE=live
max-worker-lifetime = 60
endif
cheaper = 2
uid = alice
gid = 33
attach-daemon = celery
"""


def test_uwsgi_ini(tmp_path: Path) -> None:
    draft = imported("uwsgi", {"/etc/uwsgi/apps/shop.ini": UWSGI})
    shop = group(draft, "shop")
    assert (shop["app"], shop["home"], shop["python-home"]) == ("shop.wsgi:application", "/srv/shop", "/srv/shop/venv")
    assert (shop["processes"], shop["threads"], shop["request-timeout"]) == (4, 2, 30)
    assert (shop["request-timeout-mode"], shop["memory-soft-limit"]) == ("each", 300 * 2**20)
    assert shop["environment"] == {"SECRET": "hush", "A": "1", "B": "1"}
    assert (shop["listen"], shop["user"], shop["group"]) == (["unix:/run/shop.sock"], "alice", "#33")
    assert "restart-interval" not in shop
    site = loaded(draft, "uwsgi", tmp_path / "groups.toml").sites["localhost"]
    assert (site.listen, site.static[0].directory) == (("0.0.0.0:8080",), "/srv/shop/static")
    assert set(said(draft, Fidelity.DROPPED)) == {"cheaper = 2", "attach-daemon = celery"}
    assert not any("hush" in text for text in draft.comments.values())
    live = imported("uwsgi", {"/shop.ini": UWSGI}, MODE="live")
    assert group(live, "shop")["restart-interval"] == 60


@pytest.mark.parametrize("comment", ["#behind", "# behind", "; behind", "// behind", "//behind"])
def test_comments_behind_values_of_uwsgi(comment: str) -> None:
    text = f"[uwsgi]\nmodule = shop.wsgi \t{comment}\nenv = A=http://x;y#z\nhttp = 0:80 {comment}\nthreads=2{comment}"
    shop = group(imported("uwsgi", {"/shop.ini": text}), "shop")
    assert (shop["app"], shop["listen"]) == ("shop.wsgi:application", ["0.0.0.0:80"])
    assert shop["environment"] == {"A": "http://x;y#z"}


def test_files_and_sizes_of_uwsgi() -> None:
    text = "[uwsgi]\nmodule = a\nhttp = :1\nstatic-map = /robots.txt=/srv/robots.txt\nlogto = /x\nlog-maxsize = 9000000"
    draft = imported("uwsgi", {"/shop.ini": text})
    assert "single file" in said(draft, Fidelity.DROPPED)["static-map = /robots.txt=/srv/robots.txt"]
    assert draft.document["server"] == {"log-rotate-size": 9000000}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/srv/a.xml", "<uwsgi><socket>/tmp/a.sock</socket><module>a</module><env>A=1</env><env>B=2</env></uwsgi>"),
        ("/srv/a.yaml", "uwsgi:\n  socket: /tmp/a.sock\n  module: a\n  env: A=1\n  env: B=2\n"),
        ("/srv/a.yml", "uwsgi:\n  socket: /tmp/a.sock\n  module: a\n  env: [A=1, B=2]\n"),
        ("/srv/a.json", '{"uwsgi": {"socket": "/tmp/a.sock", "module": "a", "env": ["A=1", "B=2"]}}'),
        ("/srv/a.ini", "[other]\nmodule=x\n[uwsgi]\nsocket=/tmp/a.sock\nmodule=a\nenv=A=1\nenv=B=2\n"),
    ],
)
def test_the_forms_of_uwsgi(path: str, text: str) -> None:
    a = group(imported("uwsgi", {path: text}), "a")
    assert (a["app"], a["listen"]) == ("a:application", ["unix:/tmp/a.sock"])
    assert a["environment"] == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a.xml", '<!DOCTYPE x [<!ENTITY e "e">]><uwsgi><module>&e;</module></uwsgi>'),
        ("/a.xml", "<uwsgi>"),
        ("/a.json", "{"),
        ("/a.json", "[]"),
        ("/a.ini", "[uwsgi]\nini = a.ini\n"),
        ("/a.ini", "[uwsgi]\nini = missing.ini\n"),
    ],
)
def test_files_of_uwsgi_that_cannot_be_read(path: str, text: str) -> None:
    with pytest.raises(WsgigroupsError, match="cannot read /"):
        imported("uwsgi", {path: text})


def test_every_vassal_of_an_emperor_is_a_group() -> None:
    files = {f"/etc/uwsgi/{name}.ini": f"[uwsgi]\nmodule={name}\nsocket=/run/{name}.sock\n" for name in ("a", "b")}
    assert set(imported("uwsgi", files, "/etc/uwsgi").document["groups"]) == {"a", "b"}
    assert set(of_command("uwsgi", "uwsgi --emperor /etc/uwsgi --die-on-term", files=files).document["groups"]) == {
        "a",
        "b",
    }


def test_several_applications_of_one_uwsgi_are_mounts(tmp_path: Path) -> None:
    text = "[uwsgi]\nmount = /a=a.py\nmount = /b=b:app\nmanage-script-name = true\nhttp-socket = :80\ncallable = app\n"
    draft = imported("uwsgi", {"/srv/two.ini": text})
    mounts = loaded(draft, "uwsgi", tmp_path / "groups.toml").sites["localhost"].mounts
    assert [(mount.path, mount.script, mount.app) for mount in mounts] == [
        ("/a", "/srv/a.py", None),
        ("/b", None, "b:app"),
    ]


def test_mod_wsgi_express(tmp_path: Path) -> None:
    draft = of_command(
        "mod_wsgi-express",
        "/srv/venv/bin/mod_wsgi-express start-server wsgi.py --port=8080 --user alice --processes 3 "
        "--url-alias /static static --setenv A 1 --reload-on-changes --log-to-terminal --queue-timeout 30 "
        "--https-port 8443 --ssl-certificate /etc/a --server-name www.example.org --server-alias a.example.org "
        "--auth-user-script x.py",
    )
    wsgi = group(draft, "wsgi")
    assert (wsgi["script"], wsgi["python-home"], wsgi["home"]) == ("/srv/shop/wsgi.py", "/srv/venv", "/srv/shop")
    assert (wsgi["processes"], wsgi["threads"], wsgi["queue-timeout"], wsgi["request-timeout"]) == (3, 5, 30, 60)
    assert (wsgi["user"], wsgi["error-log"], wsgi["environment"]) == ("alice", "/dev/stderr", {"A": "1"})
    sites = loaded(draft, "mod_wsgi-express", tmp_path / "groups.toml").sites
    site, secure = sites["www.example.org"], sites["www.example.org:8443"]
    assert (site.listen, site.aliases, site.certificate) == (("0.0.0.0:8080",), ("a.example.org",), None)
    assert (secure.listen, secure.server_name) == (("0.0.0.0:8443",), "www.example.org")
    assert (secure.certificate, secure.certificate_key) == ("/etc/a.crt", "/etc/a.key")
    assert (site.static[0].path, site.static[0].directory) == ("/static", "/srv/shop/static")
    assert "NOT limited" in said(draft, Fidelity.DROPPED)["--auth-user-script x.py"]


SUPERVISOR = """[include]
files = conf.d/*.conf
"""
PROGRAM = """[program:shop]
command=/srv/venv/bin/gunicorn shop.wsgi -w 3 -b unix:/run/shop.sock ; behind it
directory=/srv/shop
user=alice
environment=A="1",B='2 3',PYTHONPATH="/srv/lib",LANG=C.UTF-8
stdout_logfile=/var/log/shop.log
stopwaitsecs=10
numprocs=2
[program:worker]
command=celery worker
"""


def test_programs_of_supervisor() -> None:
    files = {"/etc/supervisord.conf": SUPERVISOR, "/etc/conf.d/shop.conf": PROGRAM}
    draft = imported("supervisor", files, "/etc/supervisord.conf")
    shop = group(draft, "shop")
    assert (shop["processes"], shop["user"], shop["home"]) == (6, "alice", "/srv/shop")
    assert (shop["environment"], shop["python-path"], shop["lang"]) == ({"A": "1", "B": "2 3"}, ["/srv/lib"], "C.UTF-8")
    assert (shop["error-log"], shop["shutdown-timeout"]) == ("/var/log/shop.log", 10)
    assert said(draft, Fidelity.DROPPED) == {
        "command=celery worker": "no program that is known here: leave worker with supervisor"
    }


UNIT = """[Service]
User=alice
WorkingDirectory=/srv/shop
Environment="A=1" "B=2 3"
EnvironmentFile=/etc/shop.env
ExecStart=/srv/venv/bin/gunicorn \\
    --workers 3 \\
    # a comment between
    shop.wsgi:application
TimeoutStopSec=20
UMask=0027
PrivateTmp=true
ProtectSystem=full
MemoryMax=1G
LimitNOFILE=65536
CPUQuota=150%
ExecStartPre=/bin/mkdir /run/shop
StandardOutput=append:/var/log/shop.log
"""


def test_units_of_systemd(tmp_path: Path) -> None:
    files = {
        "/etc/systemd/system/shop.service": UNIT,
        "/etc/systemd/system/shop.socket": (
            "[Socket]\nListenStream=/run/shop.sock\nListenStream=8000\nSocketUser=www-data\n"
        ),
        "/etc/systemd/system/shop.service.d/more.conf": "[Service]\nNice=5\n",
    }
    draft = imported("systemd", files, "/etc/systemd/system/shop.service")
    shop = loaded(draft, "systemd", tmp_path / "groups.toml").groups["shop"]
    assert shop.listen == ("unix:/run/shop.sock", "0.0.0.0:8000")
    assert (shop.user, shop.umask, shop.socket_user, shop.cpu_priority) == ("alice", "0027", "www-data", 5)
    assert (shop.memory_max, shop.limit_nofile, shop.cpu_quota) == (2**30, 65536, 150)
    assert (shop.private_tmp, shop.protect_system, shop.shutdown_timeout) == (True, "full", 20)
    assert (shop.environment, shop.environment_files) == ({"A": "1", "B": "2 3"}, ("/etc/shop.env",))
    assert shop.error_log == "/var/log/shop.log"
    assert set(said(draft, Fidelity.DROPPED)) == {"ExecStartPre=/bin/mkdir /run/shop"}


def test_unit_of_nginx(tmp_path: Path) -> None:
    document = {
        "listeners": {
            "*:80": {"pass": "routes"},
            "127.0.0.1:8300": {"pass": "applications/blog", "forwarded": {"source": ["10.0.0.0/8"]}},
        },
        "routes": [
            {"match": {"uri": "/static/*"}, "action": {"share": "/srv/blog$uri"}},
            {"match": {"host": "api.example.org"}, "action": {"pass": "applications/multi/api"}},
            {"match": {"headers": {"x": "y"}}, "action": {"return": 403}},
            {"action": {"pass": "applications/blog"}},
        ],
        "applications": {
            "blog": {
                "type": "python 3.11", "path": "/srv/blog", "home": "venv", "working_directory": "/srv/blog",
                "module": "blog.wsgi", "user": "alice", "processes": {"max": 4, "spare": 1}, "threads": 2,
                "environment": {"A": "1"}, "limits": {"timeout": 10, "requests": 1000},
            },
            "multi": {"type": "python", "targets": {"api": {"module": "api", "callable": "app"}}},
            "php": {"type": "php"},
            "async": {"type": "python", "protocol": "asgi", "module": "x"},
            "idle": {"type": "python", "module": "idle"},
        },
        "settings": {"http": {"max_body_size": 1000000}},
    }  # fmt: skip
    draft = imported("unit", {"/conf.json": json.dumps({"config": document})})
    configuration = loaded(draft, "unit", tmp_path / "groups.toml")
    blog = configuration.groups["blog"]
    assert (blog.app, blog.python_home, blog.processes, blog.threads) == (
        "blog.wsgi:application",
        "/srv/blog/venv",
        4,
        2,
    )
    assert (blog.request_timeout, blog.maximum_requests, blog.limit_request_body) == (10, 1000, 1000000)
    assert (blog.listen, blog.trusted_proxies) == (("127.0.0.1:8300",), ("10.0.0.0/8",))
    site = configuration.sites["localhost"]
    assert (site.mounts[0].process_group, site.static[0].directory) == ("blog", "/srv/blog/static")
    assert configuration.sites["api.example.org"].mounts[0].app == "api:app"
    sentences = said(draft, Fidelity.DROPPED)
    assert "ASGI" in sentences["applications/async"]
    assert "php" in sentences["applications/php"]
    assert sentences["applications/idle"] == "no listener leads to it"


def test_a_line_that_continues_nothing_is_a_mistake_in_words() -> None:
    with pytest.raises(WsgigroupsError, match="continues an option that has no value"):
        imported("supervisor", {"/a.conf": "[program:a]\ncommand\n  gunicorn a:b\n"})
