"""Every kind of value: what is accepted and what it becomes, what is refused with which code and where."""

from __future__ import annotations

from typing import Any

import pytest
from support.configurations import codes, messages

from wsgigroups.config import Loaded

ACCEPTED = [
    ("threads = 5", "threads", 5),
    ("processes = 1", "processes", 1),
    ('request-timeout = "1m30s"', "request_timeout", 90.0),
    ("request-timeout = 0", "request_timeout", 0.0),
    ('memory-limit = "256M"', "memory_limit", 2**28),
    ("stack-size = 524288", "stack_size", 524288),
    ('umask = "0027"', "umask", "0027"),
    ('user = "#1000"', "user", "#1000"),
    ('user = "joe.b-1$"', "user", "joe.b-1$"),
    ('supplementary-groups = "media, web"', "supplementary_groups", ("media", "web")),
    ('supplementary-groups = ["media", "#44"]', "supplementary_groups", ("media", "#44")),
    ('python-path = "/a:/b"', "python_path", ("/a", "/b")),
    ('python-path = ["/a"]', "python_path", ("/a",)),
    ('home = "/srv/./blog//x"', "home", "/srv/./blog//x"),
    ('locale = "C.UTF-8"', "locale", "C.UTF-8"),
    ('lang = "en_US.UTF-8@euro"', "lang", "en_US.UTF-8@euro"),
    ('load = "lazy"', "load", "lazy"),
    ("script-reloading = true", "script_reloading", True),
    ('script-reloading = "wait"', "script_reloading", "wait"),
    ('reload = ["/srv/src/**/*.py"]', "reload", ("/srv/src/**/*.py",)),
    ('signals = "raise"', "signals", "raise"),
    ('trusted-proxies = ["unix", "10.0.0.0/8", "::1"]', "trusted_proxies", ("unix", "10.0.0.0/8", "::1/128")),
    ('environment = { A = "", B_2 = "x\\ny" }', "environment", {"A": "", "B_2": "x\ny"}),
    ('listen = ["localhost:1", "[::1]:1"]', "listen", ("127.0.0.1:1", "[::1]:1")),
    ("cpu-priority = -20", "cpu_priority", -20),
    ('display-name = "%{GROUP}"', "display_name", "%{GROUP}"),
    ('app = "a.b:c.d()"', "app", "a.b:c.d()"),
    ('script-user = "root"', "script_user", "root"),
    ('socket-user = "#0"', "socket_user", "#0"),
    ('operators = ["joe", "#1000", "@web", "@#1000"]', "operators", ("joe", "#1000", "@web", "@#1000")),
    ("receive-buffer-size = 0", "receive_buffer_size", 0),
    ('limit-request-line = "1M"', "limit_request_line", 2**20),
    ("limit_request_field_size = 512", "limit_request_field_size", 512),
    ("limit-request-fields = 10000", "limit_request_fields", 10000),
    ('limit-request-body = "10M"', "limit_request_body", 10 * 2**20),
    ("limit-request-body = 0", "limit_request_body", 0),
    ('chunked-bodies = "stream"', "chunked_bodies", "stream"),
    ('cpu-time-limit = "0s"', "cpu_time_limit", 0.0),
]
REFUSED = [
    ('threads = "5"', "WG0301", "without quotes"),
    ("threads = 5.0", "WG0301", "a number"),
    ("threads = true", "WG0301", "a boolean"),
    ("threads = 0", "WG0302", "from 1 to 1024"),
    ("threads = 1025", "WG0302", "from 1 to 1024"),
    ("processes = 0", "WG0302", "from 1"),
    ("cpu-priority = 21", "WG0302", "from -20 to 20"),
    ("stack-size = 1000", "WG0302", "0 or from 32K"),
    ("receive-buffer-size = 511", "WG0302", "0 or at least 512"),
    ("header-buffer-size = 8191", "WG0302", "0 or at least 8K"),
    ("response-buffer-size = 65535", "WG0302", "0 or at least 64K"),
    ("listen-backlog = 0", "WG0302", "from 1"),
    ("limit-request-line = 0", "WG0302", "limit-request-line is 0, from 512 to 1M is possible"),
    ("limit-request-line = 511", "WG0302", "from 512 to 1M"),
    ("limit-request-field-size = 1048577", "WG0302", "from 512 to 1M"),
    ("limit-request-fields = 0", "WG0302", "from 1 to 10000"),
    ("limit-request-fields = 10001", "WG0302", "from 1 to 10000"),
    ('limit-request-fields = "100"', "WG0301", "without quotes"),
    ('limit-request-body = "10MB"', "WG0304", "powers of 1024"),
    ("limit-request-body = -1", "WG0304", "negative"),
    ('chunked-bodies = "streams"', "WG0305", 'did you mean "stream"?'),
    ('cpu-time-limit = "500ms"', "WG0302", "0 or at least 1s"),
    ('request-timeout = "abc"', "WG0303", "90s"),
    ("request-timeout = -1", "WG0303", "negative"),
    ("request-timeout = nan", "WG0303", "negative"),
    ("request-timeout = inf", "WG0303", "finite"),
    ("request-timeout = []", "WG0303", "number of seconds"),
    ("request-timeout = 2026-01-01", "WG0303", "number of seconds"),
    ('memory-limit = "512MB"', "WG0304", "powers of 1024"),
    ("cpu-quota = 50", "WG0321", 'write "50%"'),
    ("cpu-quota = 0.5", "WG0321", "0 turns it off"),
    ("cpu-quota = true", "WG0321", "0 turns it off"),
    ('cpu-quota = "half"', "WG0321", "0 turns it off"),
    ('cpu-quota = "1.5%"', "WG0321", "0 turns it off"),
    ('cpu-quota = "12345678%"', "WG0321", "0 turns it off"),
    ("cpu-weight = 10001", "WG0302", "from 0 to 10000"),
    ('memory-max = "1K"', "WG0302", "0 or at least 1M"),
    ("memory-limit = 1.5", "WG0304", "number of bytes"),
    ('load = "eagerly"', "WG0305", 'did you mean "eager"?'),
    ("load = 1", "WG0305", "eager, lazy"),
    ('listen = ["x"]', "WG0306", "127.0.0.1:8000"),
    ('listen = ["unix:@blog"]', "WG0306", "unix:/run/blog.sock"),
    ('listen = "127.0.0.1:8000"', "WG0301", '["127.0.0.1:8000"]'),
    ("listen = [8000]", "WG0301", "an integer"),
    ('home = "~/x"', "WG0307", "${HOME}"),
    ('user = "1000"', "WG0308", '"#1000"'),
    ("user = 1000", "WG0308", '"#1000"'),
    ('user = "-1"', "WG0308", "name"),
    ('user = "#4294967295"', "WG0308", "4294967294"),
    ('user = "#x"', "WG0308", "4294967294"),
    ('user = "a b"', "WG0308", "name"),
    ('user = "jo\\u00e9"', "WG0308", "name"),
    *((f"user = {value}", "WG0309", "never run as root") for value in ('"root"', '"0"', '"#0"', '"00"', '"#000"', "0")),
    *((f"group = {value}", "WG0309", "never run as root") for value in ('"root"', '"0"', '"#0"', '"00"', "0")),
    ('supplementary-groups = ["web", "#0"]', "WG0309", "never run as root"),
    ('supplementary-groups = "web,root"', "WG0309", "never run as root"),
    ('supplementary-groups = "web,,x"', "WG0318", "empty item"),
    ('operators = "joe"', "WG0301", '["joe"]'),
    ("operators = [1000]", "WG0308", '"#1000"'),
    ('operators = ["@"]', "WG0318", "default"),
    ('operators = ["@@web"]', "WG0308", "name"),
    ('operators = ["@1000"]', "WG0308", '"#1000"'),
    ('operators = ["joe", "joe"]', "WG0319", "more than once"),
    ("supplementary-groups = [0]", "WG0309", "never run as root"),
    ("umask = 27", "WG0310", "a umask must be quoted: without quotes it is a number"),
    ("threads = 2.0", "WG0301", "this is a number write 2"),
    ("threads = 2.5", "WG0301", "this is a number None"),
    ("umask = 0o27", "WG0310", "quotes"),
    ('umask = "0088"', "WG0310", "octal"),
    ('umask = "7777"', "WG0310", "octal"),
    ('app = "blog.wsgi"', "WG0311", 'did you mean "blog.wsgi:application"?'),
    ('app = "/srv/blog.wsgi"', "WG0311", "script ="),
    ('app = "a:b(1)"', "WG0311", "factory"),
    ('callable-object = "a.b"\nscript = "/x"', "WG0311", "variable"),
    ("environment = { A = 1 }", "WG0312", "put quotation marks around it"),
    ("environment = { A = true }", "WG0312", 'write "true"'),
    ("environment = { VERSION = 3.10 }", "WG0312", "VERSION must be text, and is a number"),
    ('environment = { 1A = "x" }', "WG0312", "digit"),
    ('environment = { "A=B" = "x" }', "WG0312", "digit"),
    ('environment = { A = "a\\u0000b" }', "WG0312", "A holds a NUL"),
    ('environment = ["A=1"]', "WG0301", "table of variables"),
    ('locale = "de DE"', "WG0313", "en_US.UTF-8"),
    ('trusted-proxies = ["10.0.0.1/8"]', "WG0314", '"10.0.0.0/8"'),
    ('trusted-proxies = ["proxy"]', "WG0314", "unix"),
    ('listen = ["unix:/' + "x" * 107 + '"]', "WG0315", "108 bytes"),
    ('home = ""', "WG0318", "empty"),
    ('display-name = "a\\u001b[2J"', "WG0318", "control"),
    ('display-name = ""', "WG0318", "empty"),
    ('python-path = ["/a", "/a"]', "WG0319", "more than once"),
    ('listen = ["localhost:1", "127.0.0.1:1"]', "WG0319", "more than once"),
    ("script-reloading = 1", "WG0301", "true or false"),
    ('script-reloading = "yes"', "WG0301", "without quotes"),
    ('signals = "ignored"', "WG0305", 'did you mean "ignore"?'),
]


@pytest.mark.parametrize(("written", "attribute", "value"), ACCEPTED, ids=[item[0] for item in ACCEPTED])
def test_what_is_read(blog: Any, written: str, attribute: str, value: object) -> None:
    extra = "" if "script-user" not in written else 'script = "/srv/x.wsgi"\n'
    loaded: Loaded = blog(extra + written)
    assert loaded.configuration, messages(loaded)
    found = getattr(loaded.configuration.groups["blog"], attribute)
    assert (found, type(found)) == (value, type(value))
    assert loaded.configuration.groups["blog"].is_set(attribute)


@pytest.mark.parametrize(("written", "code", "words"), REFUSED, ids=[item[0][:60] for item in REFUSED])
def test_what_is_refused(blog: Any, written: str, code: str, words: str) -> None:
    loaded: Loaded = blog(written)
    assert loaded.configuration is None
    assert codes(loaded) == [code], messages(loaded)
    found = loaded.diagnostics[0]
    assert words in f"{found.message} {found.hint}"
    assert found.span
    key = written.split(" =", maxsplit=1)[0]
    line = loaded.source(found.file).line(found.span.line)  # type: ignore[union-attr]
    assert line.startswith(key), "the span is in the line that is wrong"
    assert found.span.column > len(key), "and at the value"


def test_an_integer_means_the_same_user_nowhere(blog: Any) -> None:
    assert "WG0309" in codes(blog("user = 0\n"))


def test_every_wrong_item_of_a_list_is_reported(blog: Any) -> None:
    loaded: Loaded = blog('listen = ["a", "127.0.0.1:1", "b"]\nenvironment = { A = 1, B = "x", C = 2 }')
    assert [(item.code, item.option) for item in loaded.diagnostics] == [
        ("WG0306", "groups.blog.listen[0]"),
        ("WG0306", "groups.blog.listen[2]"),
        ("WG0312", "groups.blog.environment.A"),
        ("WG0312", "groups.blog.environment.C"),
    ]


def test_models_are_frozen(blog: Any) -> None:
    group = blog("threads = 5").configuration.groups["blog"]
    with pytest.raises(ValueError, match="frozen"):
        group.threads = 6


def test_written_differs_from_omitted(blog: Any) -> None:
    written, omitted = blog("processes = 1").configuration, blog("").configuration
    assert written.groups["blog"].processes == omitted.groups["blog"].processes == 1
    assert written.groups["blog"].is_set("processes")
    assert not omitted.groups["blog"].is_set("processes")
    assert written != omitted


@pytest.mark.parametrize(
    ("apache", "name"),
    [
        ("LimitRequestLine", "limit-request-line"),
        ("LimitRequestFieldSize", "limit-request-field-size"),
        ("LimitRequestFields", "limit-request-fields"),
        ("LimitRequestBody", "limit-request-body"),
    ],
)
def test_the_names_of_apache_lead_to_ours(blog: Any, apache: str, name: str) -> None:
    loaded: Loaded = blog(f"{apache} = 16380")
    assert codes(loaded) == ["WG0201"]
    assert loaded.diagnostics[0].hint == f'did you mean "{name}"?'
