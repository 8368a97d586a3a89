"""Stacks of both writers are read alike, and what is not the application's is folded."""

from __future__ import annotations

from wsgigroups.manager.core.stacks import MAXIMUM_FRAMES, Frame, fold, read, without_stacks

FAULT = """2026-01-31T09:00:00.000Z shop/1 life=1 pid=2 info: before
Fatal Python error: Segmentation fault

Current thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/srv/shop/app.py", line 46 in crash
  File "/opt/x/lib/python3.11/site-packages/wsgigroups/runtime/wsgi/caller.py", line 66 in answer

Thread 0x00007f02 [wsgigroups-mon] (most recent call first):
  <no Python frame>

Extension modules: x (total: 1)
"""
TOLD = """Thread wsgigroups-request-3 (most recent call last):
  File "/opt/x/site-packages/wsgigroups/runtime/wsgi/caller.py", line 66, in answer
    result = self.application(head.environ, exchange.start_response)
  File "/srv/shop/app.py", line 12, in application
    return pay(environ)
  File "/srv/.venv/lib/python3.11/site-packages/requests/api.py", line 59, in request
  File "/srv/.venv/lib/python3.11/site-packages/urllib3/pool.py", line 790, in urlopen
  File "/usr/lib/python3.11/socket.py", line 705, in readinto
"""


def test_the_stack_of_a_fault() -> None:
    crashed, other = read(FAULT)
    assert (crashed.current, crashed.ident, other.current) == (True, 0x7F01, False)
    assert fold(crashed.frames) == (
        Frame("application", "/srv/shop/app.py:46", "crash"),
        Frame("library", "ctypes", count=1),
    )
    assert other.frames == []


def test_the_stack_that_a_process_tells() -> None:
    (thread,) = read(TOLD)
    assert thread.name == "wsgigroups-request-3"
    assert [str(frame) for frame in fold(thread.frames)] == [
        "/srv/shop/app.py:12 in application", "(3 calls in requests, urllib3, socket)",
    ]  # fmt: skip


def test_what_leads_to_the_application_is_left_out_and_what_it_calls_is_not() -> None:
    server, library = ("/x/wsgigroups/runtime/calls/work.py", 1, "lead"), ("/usr/lib/python3.11/threading.py", 1, "run")
    own, framework = ("/srv/a.py", 5, "view"), ("/x/site-packages/django/base.py", 2, "handle")
    assert [str(frame) for frame in fold([library, server, framework, own, server, library])] == [
        "(1 call in django)", "/srv/a.py:5 in view", "(1 call in wsgigroups)", "(1 call in threading)",
    ]  # fmt: skip
    assert [str(frame) for frame in fold([library, server, framework])] == ["(1 call in django)"]
    assert fold([library, server]) == ()


def test_of_a_log_with_stacks_the_rest_is_left() -> None:
    record = "2026-01-31T09:00:00.000Z shop/1 life=1 pid=2 notice: stacks:\n"
    log = f"{FAULT}{record}" + "".join(f"    {line}\n" for line in TOLD.splitlines()) + "    and more\nafter\n"
    assert [line for line in without_stacks(log.splitlines()) if line] == [
        "2026-01-31T09:00:00.000Z shop/1 life=1 pid=2 info: before",
        "Fatal Python error: Segmentation fault",
        "  <no Python frame>",
        "Extension modules: x (total: 1)",
        record.strip(),
        "    and more",
        "after",
    ]


def test_of_a_thread_that_is_there_twice_the_last_counts() -> None:
    threads = read(FAULT + FAULT.replace("line 46", "line 47"))
    assert [thread.ident for thread in threads] == [0x7F01, 0x7F02]
    assert threads[0].frames[-2][1] == 47


def test_whatever_a_tenant_writes_is_bounded_and_clean() -> None:
    evil = 'File "\x1b]52;c\x07' + "x" * 5000 + '", line 99999999999999999999, in \x1b[2J'
    text = (
        "Thread 0xzz (most recent call first):\n" + f"  {evil}\n" * 1000 + "Thread 1 (most recent call last):\n" * 999
    )
    (forged, _empty) = read(text)
    assert forged.ident == 0
    folded = fold(forged.frames)
    assert len(folded) == MAXIMUM_FRAMES
    assert all(str(frame).isprintable() and len(str(frame)) < 400 for frame in folded)
    many = "".join(f"Thread 0x{number:x} (most recent call first):\n" for number in range(1, 5000))
    assert len(read(many)) == 200


def test_packages_of_a_fold_are_named_once_and_not_all() -> None:
    frames = [(f"/x/site-packages/p{number % 5}/m.py", 1, "f") for number in range(10)]
    assert fold(frames) == (Frame("library", "p0, p1, p2 and others", count=10),)
    assert fold([("<frozen importlib._bootstrap>", 1, "f"), ("<frozen runpy>", 1, "f")])[0].place == "importlib, runpy"
