"""The daemon's parts without a process: targets, scripts and their rules, mounts, lazy loading, log records."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.runtime import log as logs
from wsgigroups.runtime.daemon import applications, interpreter, privileges, script, stacks, target
from wsgigroups.runtime.daemon.failure import MAXIMUM_TRACEBACK_CHARACTERS, StepError, step, traceback_of
from wsgigroups.runtime.daemon.loading import Loading
from wsgigroups.runtime.wire import board, exits
from wsgigroups.runtime.wire.spec import Application, Serving, Spec


def spec(*found: Application, **changes: Any) -> Spec:
    return Spec("blog", 1, 7, "f", "t", found, Serving(), {}, (), **changes)


def answering(text: str) -> target.Application:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{text} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    return application


def ask(application: target.Application, path: str) -> tuple[str, bytes]:
    told: list[str] = []
    body = b"".join(application({"SCRIPT_NAME": "", "PATH_INFO": path}, lambda status, _headers: told.append(status)))
    return told[0], body


@pytest.mark.parametrize(
    ("text", "names", "call", "arguments", "keywords"),
    [
        ("application", ["application"], False, [], {}),
        ("site.app", ["site", "app"], False, [], {}),
        ("create()", ["create"], True, [], {}),
        ("a.create(1, 'x', key=[None, True])", ["a", "create"], True, [1, "x"], {"key": [None, True]}),
    ],
)
def test_attribute(text: str, names: list[str], call: bool, arguments: list[Any], keywords: dict[str, Any]) -> None:
    found = target.parse_attribute(text)
    assert (found.names, found.call, found.arguments, found.keywords) == (names, call, arguments, keywords)


@pytest.mark.parametrize(
    "text", ["", "a b", "a[0]", "a()()", "a(b)", "a(*[1])", "a(**{})", "a; b", "lambda: 1", "1", "a.", "(" * 5000, "\0"]
)
def test_attribute_that_is_neither_name_nor_plain_call(text: str) -> None:
    with pytest.raises(StepError, match="cannot read") as raised:
        target.parse_attribute(text)
    assert raised.value.exit_code == exits.STEPS["import"]


def test_missing_name_says_what_is_there_and_what_is_near() -> None:
    module = types.ModuleType("m")
    vars(module).update(app=print, other=print, _private=print)
    with pytest.raises(StepError, match=r"cannot find 'ap' in m: it has app, other\. Did you mean 'app'\?"):
        target.find(module, target.parse_attribute("ap"), "m")


def test_step_passes_its_own_kind_and_describes_others() -> None:
    with pytest.raises(StepError, match=r"^cannot do it: .*No such file") as raised, step("home", "do it"):
        os.stat("/absent")
    assert (raised.value.step, raised.value.trace) == ("home", "")
    with pytest.raises(StepError, match=r"^cannot do it: KeyError: 'x'") as raised, step("home", "do it"):
        {}["x"]
    assert "KeyError" in raised.value.trace
    with pytest.raises(StepError, match=r"^inner$"), step("home", "do it"):
        raise StepError("user", "inner")


def test_traceback_is_bounded() -> None:
    error = ValueError("x" * MAXIMUM_TRACEBACK_CHARACTERS * 2)
    assert len(traceback_of(error)) <= MAXIMUM_TRACEBACK_CHARACTERS + 10


@pytest.mark.parametrize(
    ("module", "places", "error"),
    [
        ("loading.raising", ['raising.py", line ', "in prepare", "in connect"], "ConnectionRefusedError: the database"),
        ("loading.needing", ['needing.py", line 3'], "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("loading.nowhere", [], "ModuleNotFoundError: No module named 'loading.nowhere'"),
        ("broken.syntax_error", ['syntax_error.py", line '], "SyntaxError"),
    ],
)
def test_traceback_is_a_real_one_and_the_applications_own(module: str, places: list[str], error: str) -> None:
    with pytest.raises(StepError) as caught:
        target.load_callable(module)
    lines = caught.value.trace.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    for place in places:
        assert [line for line in lines if place in line], caught.value.trace
    assert lines[-1].startswith(error)
    assert not [line for line in lines if "importlib" in line or "/runtime/" in line]


def test_traceback_of_our_own_error_shows_our_own_code() -> None:
    with pytest.raises(StepError) as caught, step("limits", "set limits"):
        interpreter.activate("/nowhere\0")
    assert 'interpreter.py", line ' in caught.value.trace


def test_every_step_of_the_code_has_an_exit_code() -> None:
    directory = Path(interpreter.__file__).parent
    text = "".join(path.read_text() for path in directory.glob("*.py"))
    named = set(re.findall(r'(?:\bstep|StepError|_option|_failed)\(\s*"([a-z-]+)"', text)) | set(
        re.findall(r'_STEP = "(.*)"', text)
    )
    assert named | {"spec", "signals"} == set(exits.STEPS)


@pytest.mark.parametrize(
    ("prefixes", "path", "body"),
    [
        (["/", "/api"], "/", b"/ / /"),
        (["/", "/api"], "/apix", b"/  /apix"),
        (["/", "/api"], "/api", b"/api /api "),
        (["/api", "/"], "/api/x", b"/api /api /x"),
        (["/a", "/a/b", "/"], "/a/b/c", b"/a/b /a/b /c"),
        (["/a", "/a/b/", "/"], "/a/bc", b"/a /a /bc"),
    ],
)
def test_mounts(prefixes: list[str], path: str, body: bytes) -> None:
    mounts = applications.Mounts([(prefix, answering(prefix), {}, "") for prefix in prefixes])
    assert ask(mounts, path) == ("200 OK", body.replace(b"/ / /", b"/  /"))


def test_mounts_without_a_match() -> None:
    assert ask(applications.Mounts([("/a", answering("a"), {}, "")]), "/b")[0] == "404 Not Found"


def test_a_gateway_names_the_application_and_splits_the_path() -> None:
    mounts = applications.Mounts(
        [("/", answering("first"), {}, "1"), ("/", answering("second"), {}, "2"), ("/api", answering("api"), {}, "3")]
    )

    def named(name: str, script_name: str, path_info: str) -> bytes:
        environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info, "WSGIGROUPS_APPLICATION": name}
        return b"".join(mounts(environ, lambda *_: None))

    assert named("2", "", "/api/x") == b"second  /api/x"
    assert named("3", "/moved", "/x") == b"api /moved /x"
    # of a route that is about to change: by the path then, as for everybody else
    assert named("former", "/api", "/x") == b"api /api /x"
    assert named("", "", "/y") == b"first  /y"


def test_each_mount_says_which_script_it_is() -> None:
    seen: list[dict[str, Any]] = []

    def seeing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return answering("")(environ, start_response)

    scripts = [Application("script", "/srv/\udce9.wsgi", "app", "/a"), Application("callable", "a:b", mount="/")]
    mounts = applications.Mounts([(item.mount, seeing, applications.of_application(item), "") for item in scripts])
    ask(mounts, "/a/x")
    ask(mounts, "/b")
    assert seen[0]["SCRIPT_FILENAME"] == "/srv/\xe9.wsgi"
    assert seen[0]["mod_wsgi.callable_object"] == "app"
    assert "SCRIPT_FILENAME" not in seen[1]


def test_one_callable_at_the_root_is_passed_through(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("a_module_of_this_test")
    module.application = answering("x")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    made = applications.build(
        spec(Application("callable", module.__name__)),
        script.ScriptRules(None, None),
        lambda *_: None,
        lambda _path: None,
    )
    assert made is module.application


def test_lazy_application_is_loaded_once_by_many_threads() -> None:
    loading, release = threading.Event(), threading.Event()
    loads = []

    def load() -> target.Application:
        loads.append(1)
        loading.set()
        assert release.wait(30)
        return answering("lazy")

    published = board.private(1)
    lazy = applications.Lazy("x", load, lambda *_: None, Loading(published))
    answers: list[tuple[str, bytes]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(lazy, "/"))) for _each in range(4)]
    for thread in threads:
        thread.start()
    assert loading.wait(30)
    since_ns = published.words[board.WORD["loading_since_ns"]]
    assert 0 < since_ns <= time.monotonic_ns()  # startup-timeout begins with the load
    release.set()
    for thread in threads:
        thread.join(30)
    assert len(loads) == 1
    assert published.words[board.WORD["loading_since_ns"]] == 0
    published.close()
    assert answers == [("200 OK", b"lazy  /")] * 4


def test_the_oldest_load_that_goes_on_counts() -> None:
    published = board.private(1)
    loading, word = Loading(published), board.WORD["loading_since_ns"]
    inside, leave = threading.Event(), threading.Event()

    def load() -> None:
        with loading.of("second"):
            inside.set()
            leave.wait(30)

    other = threading.Thread(target=load)
    with loading.of("first"):
        first_ns = published.words[word]
        other.start()
        assert inside.wait(30)
        assert published.words[word] == first_ns > 0
    assert published.words[word] > first_ns
    leave.set()
    other.join(30)
    assert published.words[word] == 0
    published.close()


def test_a_load_that_fails_does_not_begin_its_time_anew() -> None:
    published = board.private(1)
    loading, word = Loading(published), board.WORD["loading_since_ns"]

    def attempt(which: str, error: Exception | None = None) -> None:
        with contextlib.suppress(StepError, script.ForbiddenError), loading.of(which, script.ForbiddenError):
            if error:
                raise error

    attempt("first", StepError("import", "it fails"))
    first_ns = published.words[word]
    attempt("second", StepError("import", "it fails"))
    attempt("first", StepError("import", "it fails"))
    attempt("third")  # loads, which says nothing of the others
    attempt("fourth", script.ForbiddenError("nothing of it has run"))
    assert published.words[word] == first_ns > 0
    attempt("first")
    assert published.words[word] > first_ns
    attempt("second")
    assert published.words[word] == 0
    published.close()


@pytest.mark.parametrize(
    ("error", "wants"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("libx.so: cannot map: Cannot allocate memory"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ImportError("No module named x"), False),
    ],
)
def test_want_of_memory_is_known_behind_other_errors(error: Exception, wants: bool) -> None:
    def load() -> None:
        raise RuntimeError("the application's own words") from error

    with pytest.raises(StepError) as caught, step("import", "import it"):
        load()
    assert caught.value.wants_memory is wants
    assert not StepError("import", "cannot find it").wants_memory


def test_stacks_name_each_other_thread() -> None:
    inside, leave = threading.Event(), threading.Event()

    def waiting_here() -> None:
        inside.set()
        leave.wait(30)

    thread = threading.Thread(target=waiting_here, name="a-request-thread")
    thread.start()
    assert inside.wait(30)
    text = stacks.other_stacks()
    leave.set()
    thread.join(30)
    assert "Thread a-request-thread (most recent call last):" in text
    assert "in waiting_here" in text
    assert "test_stacks_name_each_other_thread" not in text


def test_script_is_a_module_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "app.wsgi"
    path.write_text("import sys\nmodule = sys.modules[__name__]\ndef application(e, s): return [__file__.encode()]\n")
    loaded = script.load_script(str(path), "application", script.ScriptRules(None, None))
    name = script.module_name(str(path))
    try:
        assert re.fullmatch("_wsgigroups_[0-9a-f]{16}", name)
        assert sys.modules[name].module is sys.modules[name]
        assert sys.modules[name].__mtime__ == path.stat().st_mtime_ns // 1000
        assert loaded({}, None) == [str(path).encode()]
        assert script.module_name("/other") != name
    finally:
        del sys.modules[name]


def test_script_that_fails_is_not_left_in_modules(tmp_path: Path) -> None:
    path = tmp_path / "app.wsgi"
    for source in ("1 / 0", "pass"):
        path.write_text(source)
        with pytest.raises(StepError):
            script.load_script(str(path), "application", script.ScriptRules(None, None))
        assert script.module_name(str(path)) not in sys.modules


@pytest.mark.parametrize(
    ("mode", "by_user", "by_group"), [(0o644, True, True), (0o664, False, True), (0o646, False, False)]
)
def test_rules(tmp_path: Path, mode: int, by_user: bool, by_group: bool) -> None:
    path = tmp_path / "app.wsgi"
    path.touch()
    path.chmod(mode)
    found = path.stat()
    for rules, allowed in (
        (script.ScriptRules(found.st_uid, None), by_user),
        (script.ScriptRules(None, found.st_gid), by_group),
        (script.ScriptRules(found.st_uid + 1, None), False),
        (script.ScriptRules(None, found.st_gid + 1), False),
        (script.ScriptRules(None, None), True),
    ):
        try:
            rules.test("the file", found)
        except script.ForbiddenError:
            assert not allowed
        else:
            assert allowed


def test_record_cannot_be_forged() -> None:
    text = "a\r\nb \x1b[31m\x00\x85\u2028 ä\tz\n\n"
    data = logs.record("blog/1 life=7 pid=1", "error", text)
    stamp, rest = data.decode().split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert rest == "blog/1 life=7 pid=1 error: a\\r\n    b \\x1b[31m\\x00\\x85\\u2028 ä\tz\n"
    assert logs.escaped("a\nb\x07") == "a\\nb\\x07"


def test_log_of_a_spawner_never_waits() -> None:
    read, write = os.pipe()
    try:
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 65536)
        except BlockingIOError:
            os.set_blocking(write, True)
        logs.never_blocking(write, lambda: "spawner")("error", "y" * 10_000)  # returns although nobody reads
    finally:
        os.close(read)
        os.close(write)


def test_log_survives_a_reader_that_left() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        logs.LogLines(write, lambda: "x").log("error", "text")
        logs.never_blocking(write, lambda: "x")("error", "text")
    finally:
        os.close(write)


@pytest.mark.parametrize("root", [None, "/srv/jail"])
def test_what_is_known_of_directories_stays_unless_they_are_others(
    monkeypatch: pytest.MonkeyPatch, root: str | None
) -> None:
    """To forget it costs each process a hundred pages, and a look at the whole standard library."""
    known = {"/usr/lib/python3": None}
    monkeypatch.setattr(sys, "path_importer_cache", dict(known))
    for name in ("_forget_bootstrap", "_require_readable_library", "activate", "add_directories"):
        monkeypatch.setattr(interpreter, name, lambda *_arguments: None)
    interpreter.prepare(spec(chroot=root))
    assert sys.path_importer_cache == (known if root is None else {})


def test_flags_look_like_a_plain_start() -> None:
    flags = interpreter.flags_of_a_plain_start()
    assert flags.isolated == flags.no_site == flags.ignore_environment == flags[6] == flags[12] == 0
    assert len(flags) == len(sys.flags)
    assert flags.hash_randomization == sys.flags.hash_randomization
    assert flags.utf8_mode == sys.flags.utf8_mode
    assert repr(flags).startswith("sys.flags(")


@pytest.mark.parametrize("name", ["setuid", "seteuid", "setgid", "setegid", "setgroups"])
def test_a_way_back_to_root_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The last line of defence, which no kernel lets a test reach: the ids look right and yet one call works."""

    def forbidden(_number: object) -> None:
        raise PermissionError

    for other in ("setuid", "seteuid", "setgid", "setegid", "setgroups"):
        monkeypatch.setattr(privileges.os, other, forbidden)
    monkeypatch.setattr(privileges.os, "getuid", lambda: 61001)
    monkeypatch.setattr(privileges.os, "getgid", lambda: 61001)
    privileges.try_to_come_back((0, 0))
    monkeypatch.setattr(privileges.os, name, lambda _number: None)
    with pytest.raises(StepError, match=r"setuid|seteuid|setgid|setegid|setgroups") as raised:
        privileges.try_to_come_back((0, 0))
    assert name in str(raised.value)
    assert raised.value.exit_code == exits.STEPS["proof"]
