"""Names that refer to each other, and numbers that do not work together: the example of every code, and the edges."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.configurations import codes, messages, places

from wsgigroups.config import OPTIONS
from wsgigroups.config.checks import times
from wsgigroups.config.codes import CODES
from wsgigroups.config.codes.page import FAMILIES, example_document, make_index, make_page
from wsgigroups.config.loader import Loaded
from wsgigroups.lifecycle import step

WITH_EXAMPLE = [entry for entry in CODES.values() if entry.example]


@pytest.mark.parametrize("entry", WITH_EXAMPLE, ids=[entry.code for entry in WITH_EXAMPLE])
def test_the_documented_example_leads_to_its_code(check: Any, entry: Any) -> None:
    loaded: Loaded = check(example_document(entry), strict=entry.strict_only)
    assert entry.code in codes(loaded), messages(loaded)
    found = next(item for item in loaded.diagnostics if item.code == entry.code)
    assert entry.strict_only or found.severity is entry.severity
    assert found.span or entry.code == "WG0101"
    others = {item.code for item in loaded.diagnostics} - {entry.code, "WG0414"}
    others -= {"WG0502"} if "chroot" in entry.example else set()  # every chroot is one
    assert not others, "the example shows one thing"
    # ${NAME} is what people may write; any other brace is a text of ours that was never filled in
    said = re.sub(r"\$+\{[A-Z_]+(?::-[^}]*)?\}", "", f"{found.message} {found.hint}")
    assert not set("{}") & set(said), said


def test_every_code_has_a_family_and_a_page() -> None:
    index = make_index()
    for code, entry in CODES.items():
        assert code == entry.code
        assert code[:4] in FAMILIES
        assert f"[{code}]({code}.md)" in index
        page = make_page(entry)
        assert entry.title in page
        assert entry.text in page
        assert entry.way_out in page


def test_what_host_codes_lack_is_only_what_takes_a_host_or_a_file() -> None:
    without = {code for code, entry in CODES.items() if not entry.example}
    assert all(code.startswith(("WG01", "WG06", "WG07")) or code in ("WG0209", "WG0210") for code in without)


SITE = """\
version = 1
[groups.top]
app = "top:app"
listen = ["127.0.0.1:1"]
[sites."a.example.org"]
listen = ["0.0.0.0:80"]
process-group = "top"
[sites."a.example.org".groups.own]
app = "own:app"
listen = ["127.0.0.1:2"]
[sites.tls]
server-name = "a.example.org"
listen = ["0.0.0.0:443"]
process-group = "own"
certificate = "/c.pem"
certificate-key = "/k.pem"
[sites."b.example.org"]
listen = ["0.0.0.0:80"]
process-group = "{0}"
"""


def test_groups_of_a_site_belong_to_its_server_name(check: Any) -> None:
    loaded: Loaded = check(SITE.format("top"))
    assert loaded.configuration, messages(loaded)
    assert not codes(loaded)
    assert list(loaded.configuration.all_groups()) == ["own", "top"]
    loaded = check(SITE.format("own"))
    assert places(loaded)[-1] == ("WG0405", 19, 17)
    loaded = check(SITE.format("tops"))
    assert loaded.diagnostics[-1].hint == 'did you mean "top"?'


def test_a_group_gets_its_application_from_mounts(check: Any) -> None:
    text = """\
version = 1
[groups.a]
threads = 5
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
process-group = "a"
[[sites."www.example.org".mounts]]
path = "/"
{0}
"""
    assert "WG0401" in codes(check(text.format("")))
    assert not codes(check(text.format('app = "a:b"')))
    assert not codes(check(text.format('script = "/a"\ncallable-object = "x"')))
    assert "WG0403" in codes(check(text.format('app = "a:b"\ncallable-object = "x"')))
    assert "WG0402" in codes(check(text.format('app = "a:b"\nscript = "/x"')))


def test_sites_share_addresses_and_groups_do_not(check: Any) -> None:
    loaded: Loaded = check(SITE.format("top").replace("127.0.0.1:1", "127.0.0.1:80"))
    assert "WG0409" in codes(loaded)
    assert codes(check(SITE.format("top"))).count("WG0409") == 0


def test_references_to_a_group_with_mistakes_are_right(check: Any) -> None:
    loaded: Loaded = check(SITE.format("top").replace('app = "top:app"', 'app = "top"'))
    assert [code for code in codes(loaded) if code != "WG0414"] == ["WG0311"]


def test_checks_go_on_around_mistakes(check: Any) -> None:
    text = (
        "version = 1\n[groups.a]\napp = 'a:a'\nlisten = ['127.0.0.1:1']\nthreads = 'x'\nshutdown-timeout = 0\n"
        "[groups.b]\napp = 'b:b'\nlisten = ['127.0.0.1:1']\n"
    )
    assert codes(check(text)) == ["WG0301", "WG0503", "WG0409"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('request-timeout = "60s"', []),
        ('request-timeout = "61s"', ["WG0505"]),
        ('request-timeout = "61s"\nthreads = 1', []),
        ('request-timeout = "61s"\nrequest-timeout-mode = "each"', []),
        ('request-timeout = "61s"\nsocket-timeout = "61s"', []),
        ('queue-timeout = "60s"', []),
        ('queue-timeout = "61s"', ["WG0504"]),
        ("shutdown-timeout = 0\ndeadlock-timeout = 0", []),
        ('threads = 64\nvirtual-memory-limit = "4G"', []),
        ("threads = 65", ["WG0501"]),
        ('threads = 10\nvirtual-memory-limit = "80M"', ["WG0514"]),
        ('threads = 10\nvirtual-memory-limit = "80M"\nstack-size = "1M"', []),
        ('restart-interval = "1h"\ngraceful-timeout = "1m"', []),
        ('graceful-timeout = "1m"\neviction-timeout = "1m"', []),
        ("threads = 10\nlimit-nproc = 12", []),
        ("threads = 10\nlimit-nproc = 11", ["WG0518"]),
        ("limit-nofile = 32", []),
        ("limit-nofile = 31", ["WG0518"]),
        ("limit-nproc = 0\nlimit-nofile = 0", []),
        ('memory-limit = "2M"\nmemory-soft-limit = "1M"', []),
        ('memory-high = "1G"\nmemory-max = "1G"', ["WG0527"]),
        ('memory-high = "900M"\nmemory-max = "1G"', []),
        ('memory-high = "1G"', []),
        ("threads = 8\nprocesses = 4\ntasks-max = 39", ["WG0528"]),
        ("threads = 8\nprocesses = 4\ntasks-max = 40", []),
        ('environment = { LANG = "C", OTHER = "x" }', ["WG0512"]),
    ],
)
def test_arithmetic(blog: Any, options: str, expected: list[str]) -> None:
    assert codes(blog(options)) == expected


# what times that cannot work together have to say: every number that was written, and what follows from them
ARITHMETIC = [
    (
        "WG0503",
        "shutdown-timeout = 0",
        (
            "shutdown-timeout 0 is no limit",
            "as long as its longest request",
            "deadlock-timeout (5m)",
            "5m + 5s + 1s = 5m6s",
        ),
    ),
    ("WG0504", 'queue-timeout = "90s"', ("1m30s in the queue", "socket-timeout, 1m", "1m30s − 1m = 30s")),
    (
        "WG0505",
        'request-timeout = "2m"\nthreads = 25',
        ("with all 25 stuck after 2m", "with one after 25 × 2m = 50m", "after socket-timeout, 1m"),
    ),
    ("WG0506", 'interrupt-timeout = "5s"', ("5s after request-timeout", "request-timeout is 0, off")),
    ("WG0506", 'request-timeout-mode = "each"', ('"each"', "request-timeout is 0, off")),
    ("WG0507", 'graceful-timeout = "15s"', ("a window of 15s", "are all 0")),
    (
        "WG0508",
        'restart-interval = "10s"\ngraceful-timeout = "15s"\neviction-timeout = "1h"',
        ("15s + 5s = 20s", "due after 10s"),
    ),
    (
        "WG0508",
        'restart-interval = "10s"\ngraceful-timeout = "15s"\nshutdown-timeout = 0\ndeadlock-timeout = 0',
        ("15s + no limit", "due after 10s"),
    ),
    ("WG0509", "maximum-requests = 10", ("15 threads", "the 10 a process may serve", "15 − 10 = 5")),
    (
        "WG0517",
        'queue-timeout = "5s"',
        ("queue-timeout is over after 5s", "15s − 5s = 10s before connect-timeout, 15s"),
    ),
]


@pytest.mark.parametrize(("code", "options", "words"), ARITHMETIC, ids=[f"{a}-{b[:24]}" for a, b, _c in ARITHMETIC])
def test_times_that_cannot_work_together_show_their_arithmetic(
    blog: Any, code: str, options: str, words: tuple[str, ...]
) -> None:
    loaded: Loaded = blog(options)
    (found,) = [item for item in loaded.diagnostics if item.code == code]
    missing = [word for word in words if word not in found.message]
    assert not missing, found.message
    assert found.hint


def test_what_arithmetic_takes_for_granted_is_so() -> None:
    """The manager gives a stuck process this long where shutdown-timeout is 0."""
    assert times.STUCK_SHUTDOWN_S == step.STALLED_SHUTDOWN_S


def test_shutdown_timeout_0_is_described_as_what_it_does() -> None:
    """No limit: processes wait for their requests; it never meant to kill at once."""
    page = make_page(CODES["WG0503"])
    assert "no limit" in page
    assert "kill" not in CODES["WG0503"].title
    assert "0 sets no limit" in OPTIONS["shutdown-timeout"].doc


def test_a_write_may_wait_longer_than_a_read(blog: Any) -> None:
    """response-socket-timeout alone holds for writes: one above socket-timeout is no contradiction."""
    assert codes(blog('response-socket-timeout = "2m"')) == []


def test_only_the_window_of_a_restart_counts_for_restart_interval(blog: Any) -> None:
    assert codes(blog('restart-interval = "1m"\neviction-timeout = "1h"')) == []


def test_the_servers_timeout_counts(check: Any) -> None:
    text = 'version = 1\n[server]\ntimeout = "5m"\n[groups.a]\napp = "a:a"\n'
    text += 'listen = ["127.0.0.1:1"]\nqueue-timeout = "2m"\n'
    assert codes(check(text)) == []
    assert codes(check(text.replace('"5m"', '"1m"'))) == ["WG0504"]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/x",
        "a/b",
        ".",
        "..",
        "",
        "a\\n",
        "a\\u0000",
        "-x",
        "%s",
        "${X}",
        ".x",
        "ｗｉｄｅ",
        "a" * 65,
        "a b",
        "é",
        "manager",
    ],
)
def test_names_of_groups_that_would_reach_files(check: Any, name: str) -> None:
    loaded: Loaded = check(f'version = 1\n[groups."{name}"]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n')
    assert codes(loaded) == ["WG0206"], messages(loaded)
    assert loaded.diagnostics[0].span
    assert loaded.diagnostics[0].span.line == 2


@pytest.mark.parametrize("name", ["a", "A1", "www.example.org", "a_b-c.d", "9" * 64])
def test_names_of_groups(check: Any, name: str) -> None:
    assert check(f'version = 1\n[groups."{name}"]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n').configuration


def test_what_nginx_does_otherwise_is_said_where_it_is_asked_for(check: Any) -> None:
    site = (
        'mounts = [{path = "/"}]\nlisten = ["0.0.0.0:443"]\nprocess-group = "web"\n'
        'certificate = "/c.crt"\ncertificate-key = "/c.key"\n'
    )
    text = (
        '[gateway]\nengine = "nginx"\ntrusted-proxies = ["10.0.0.0/8"]\n'
        '[groups.web]\napp = "a:b"\nconnect-timeout = 3\nheader-buffer-size = "16KiB"\nresponse-buffer-size = "1MiB"\n'
        'socket-timeout = 3\n[groups.other]\napp = "a:b"\nlisten = ["127.0.0.1:1"]\nconnect-timeout = 3\n'
        f'[sites."a.org"]\n{site}[sites."b.org"]\n{site}tls-minimum = "1.3"\nproxy-protocol = ["10.0.0.7/32"]\n'
    )
    found = [item for item in check(text).diagnostics if item.code == "WG0424"]
    lines = text.splitlines()
    said = [lines[item.span.line - 1].partition(" =")[0] for item in found]
    assert sorted(said) == [
        *("connect-timeout", "header-buffer-size", "proxy-protocol", "proxy-protocol", "response-buffer-size"),
        *("tls-minimum", "trusted-proxies"),
    ]
    assert not [item for item in check(text.replace('engine = "nginx"\n', "")).diagnostics if item.code == "WG0424"]


def test_what_an_engine_cannot_do_is_named(check: Any) -> None:
    site = (
        '[groups.web]\napp = "a:b"\n[sites."a.org"]\nlisten = ["0.0.0.0:443", "0.0.0.0:80"]\nprocess-group = "web"\n'
        'certificate = "acme"\nmounts = [{path = "/"}]\n'
    )

    def found(gateway: str) -> list[str]:
        text = f"[gateway]\nacme-terms-agreed = true\n{gateway}\n{site}"
        lines = text.splitlines()
        return [lines[item.span.line - 1] for item in check(text).diagnostics if item.code == "WG0418"]

    assert found("http2 = true\ncompression = true") == ["http2 = true", "compression = true"]
    assert found("http2 = false\ncompression = false") == []
    assert found('engine = "nginx"\nhttp2 = true\ncompression = false') == ['certificate = "acme"']
    assert found('engine = "nginx"\nacme-challenge = "http-01"') == []
