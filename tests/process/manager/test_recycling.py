"""Recycling and timeouts with real processes: each ends the life it should, and a successor serves.

One test per option with a small value. What the arithmetic is stands in tests/unit/lifecycle/test_watch.py.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
from pathlib import Path
from typing import Any

import psutil
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest


def group(app: str, port: int, extra: str) -> str:
    return f'[groups.a]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def gated(manager: ManagerUnderTest, extra: str) -> tuple[int, str]:
    port = manager.port()
    return port, group("gated_app", port, f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\n{extra}')


def replaced(manager: ManagerUnderTest, pid: int) -> int:
    new: int = manager.wait_for(
        "a successor is ready", lambda: (p := manager.pids("a").get(1)) not in (None, pid) and p
    )
    return new


def recorded(manager: ManagerUnderTest, pid: int) -> dict[str, Any]:
    """The record of a process's death."""
    found: dict[str, Any] = manager.wait_for(
        "its death is on record",
        lambda: next((d for d in manager.client.get("/v1/deaths?group=a")["deaths"] if d["pid"] == pid), None),
    )
    return found


def test_maximum_requests(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("hello_app", port, "maximum-requests = 5"))
    first = manager.pids("a")[1]
    assert [manager.get(port)[0] for _ in range(5)] == [200] * 5
    second = replaced(manager, first)
    manager.wait_for("nobody else takes connections", lambda: not psutil.pid_exists(first))
    assert [manager.get(port)[0] for _ in range(5)] == [200] * 5
    replaced(manager, second)
    assert manager.group("a")["restarts"] == 0
    assert "maximum-requests" in manager.log("manager")
    record = recorded(manager, first)
    assert (record["cause"], record["reason"], record["asked"]) == ("recycled", "maximum-requests", True)


def test_the_last_of_maximum_requests_is_the_last_with_one_thread(manager: ManagerUnderTest) -> None:
    """wsgi.run_once says that the application is called once: nothing else is, while the successor loads."""
    port = manager.port()
    with Gate(manager.base) as gate:
        extra = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nthreads = 1\nmaximum-requests = 1'
        manager.apply(group("loading.gated_import", port, extra), "--no-wait")
        first, word = gate.wait_arrival()
        assert word == "import"
        gate.release()
        manager.wait_up("a")
        before = first
        assert manager.get(port, "/open") == (200, str(first).encode())
        for _each in range(2):
            pid, word = gate.wait_arrival()
            assert word == "import"
            with manager.background_get(port, "/open") as one:
                manager.wait_for("it waits", lambda: waits_to_be_accepted(port))
                assert manager.pids("a") == {1: before}
                gate.release()
                assert one() == (200, str(pid).encode())
            before = pid
        gate.close()


def waits_to_be_accepted(port: int) -> bool:
    """Whether a connection is in the queue of the listener: its Recv-Q, as ss(8) has it."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        int(words[4].split(":")[1], 16) > 0 for words in lines if words[1].endswith(f":{port:04X}") and words[3] == "0A"
    )


def test_restart_interval_takes_one_process_at_a_time(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("hello_app", port, 'restart-interval = "1500ms"\nprocesses = 2'))
    before = manager.pids("a")
    with manager.clients(port, 2) as clients:
        manager.wait_for(
            "both are followed", lambda: not before.items() & (p := manager.pids("a")).items() and len(p) == 2
        )
    assert clients.failures == []


def test_inactivity_timeout_is_armed_by_the_first_request(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("hello_app", port, 'inactivity-timeout = "1s"'))
    first = manager.pids("a")[1]
    assert manager.get(port)[0] == 200
    replaced(manager, first)
    assert "inactivity-timeout" in manager.log("manager")


def test_request_timeout_with_one_thread(manager: ManagerUnderTest) -> None:
    with Gate(manager.base) as gate:
        port, text = gated(manager, 'threads = 1\nrequest-timeout = "1s"\nshutdown-timeout = "200ms"')
        manager.apply(text)
        with manager.background_get(port, "/stuck") as answer:
            pid, _word = gate.wait_arrival()
            replaced(manager, pid)
            assert answer() is None
    # which request it was and where it was stuck: in the log, in the status, and in what `why` says of the slot
    death = manager.group("a")["last_error"]
    assert "request-timeout" in death["message"]
    assert [re.sub(r"\d+\.\d s", "N s", request) for request in death["requests"]] == ["GET /stuck for N s"]
    assert manager.group("a")["processes"][0]["last_death"] == death
    why = manager.cli("why", "a/1").stdout
    for text in (manager.log("a"), why):
        assert "GET /stuck for " in text
        assert "in wait_at_gate" in text
    record = recorded(manager, pid)
    assert record["cause"] == "request-timeout"
    assert [(request["asked"], request["frame"]["function"]) for request in record["requests"]] == [
        ("GET /stuck", "wait_at_gate")
    ]


def test_request_timeout_averages_over_the_threads(manager: ManagerUnderTest) -> None:
    with Gate(manager.base) as gate:
        port, text = gated(manager, 'threads = 2\nrequest-timeout = "700ms"\nshutdown-timeout = "200ms"')
        manager.apply(text)
        with manager.background_get(port, "/stuck"):
            pid, _word = gate.wait_arrival()
            began = psutil.Process(pid).create_time()
            assert began > 0
            replaced(manager, pid)


def test_other_requests_of_a_stuck_process_have_its_graceful_window(manager: ManagerUnderTest) -> None:
    times = 'request-timeout = "1s"\nrequest-timeout-mode = "each"\ngraceful-timeout = "60s"\nshutdown-timeout = "1ms"'
    with Gate(manager.base) as gate:
        port, text = gated(manager, f"threads = 2\n{times}")
        manager.apply(text)
        with manager.background_get(port, "/stuck") as stuck, manager.background_get(port, "/other") as other:
            pid, _word = gate.wait_arrival()
            gate.wait_arrival()
            replaced(manager, pid)
            assert manager.get(port, "/open")[0] == 200  # with no thread free, it leaves this to its successor
            gate.release(2)
            assert (stuck(), other()) == ((200, str(pid).encode()), (200, str(pid).encode()))
        manager.wait_for("idle, it leaves before the window ends", lambda: not psutil.pid_exists(pid))


def test_interrupt_timeout_ends_the_request_and_not_the_process(manager: ManagerUnderTest) -> None:
    port = manager.port()
    extra = 'threads = 2\nrequest-timeout = "1s"\nrequest-timeout-mode = "each"\ninterrupt-timeout = "60s"'
    manager.apply(group("busy_app", port, extra))
    first = manager.pids("a")[1]
    assert manager.get(port, "/600000")[0] == 504  # ten minutes of computing
    assert manager.get(port, "/1")[0] == 200
    assert manager.pids("a") == {1: first}
    log = manager.log("a")
    assert "request-timeout: GET /600000 for " in log
    assert "in application" in log
    assert "it ran for longer than request-timeout" in log
    assert ": interrupts 1 of up to " in manager.log("manager")
    assert (manager.group("a")["restarts"], manager.group("a")["interrupted"]) == (0, 1)
    assert "of its requests 1 interrupted at request-timeout" in manager.cli("status").stdout


def test_what_waited_too_long_is_counted_and_shown(manager: ManagerUnderTest) -> None:
    with Gate(manager.base) as gate:
        times = 'queue-timeout = "300ms"\nconnect-timeout = "100ms"\nlisten-backlog = 1'
        port, text = gated(manager, f"threads = 1\n{times}")
        manager.apply(text)
        with manager.background_get(port, "/held") as held:
            gate.wait_arrival()
            with manager.background_get(port, "/one") as one, manager.background_get(port, "/two") as two:
                assert {(answer() or (0,))[0] for answer in (one, two)} == {503, 504}
            gate.release()
            assert (held() or (0,))[0] == 200
        counted = manager.group("a")
        assert (counted["queue_timeouts"], counted["refused"], counted["interrupted"]) == (1, 1, 0)
        shown = "1 waited for longer than queue-timeout (504), 1 found no place within connect-timeout (503)"
        assert shown in " ".join(manager.cli("status").stdout.split())


def test_what_interrupt_timeout_does_not_end_costs_the_process(manager: ManagerUnderTest) -> None:
    """It waits in a call of C's, where nothing can be raised."""
    extra = 'threads = 1\nrequest-timeout = "500ms"\ninterrupt-timeout = "1s"\nshutdown-timeout = "200ms"'
    with Gate(manager.base) as gate:
        port, text = gated(manager, extra)
        manager.apply(text)
        with manager.background_get(port, "/stuck") as answer:
            pid, _word = gate.wait_arrival()
            replaced(manager, pid)
            assert answer() is None
    assert "interrupt-timeout did not end it" in manager.group("a")["last_error"]["message"]


def test_deadlock_timeout_sees_a_held_gil(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("busy_app", port, 'deadlock-timeout = "2s"\nshutdown-timeout = "200ms"'))
    first = manager.pids("a")[1]
    with manager.background_get(port, "/hold") as answer:
        replaced(manager, first)
        assert answer() is None
    manager.wait_for("the stuck one is gone", lambda: not psutil.pid_exists(first))
    assert "busy_app.py" in manager.log("a")
    record = recorded(manager, first)
    assert (record["cause"], record["signal"]) == ("deadlock-timeout", "SIGKILL")
    (request,) = record["requests"]
    assert (request["asked"], request["frame"]["function"]) == ("GET /hold", "application")
    assert request["age_s"] >= 2


def test_startup_timeout_ends_an_import_that_hangs(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        extra = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nstartup-timeout = "500ms"'
        done = manager.apply(group("loading.gated_import", port, extra), code=1)
        assert "startup-timeout" in done.stderr
        pid, _word = gate.wait_arrival()
        record = recorded(manager, pid)
        assert record["cause"] == "startup-timeout"
        assert "in wait_at_gate" in manager.cli("why", "a", "--stacks").stdout
        gate.close()
    manager.wait_for("it comes up when nothing hangs", lambda: manager.group("a")["state"] == "ready")


def test_startup_timeout_of_a_lazy_application_begins_with_its_load(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        extra = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nstartup-timeout = "1s"\nload = "lazy"'
        manager.apply(group("loading.gated_import", port, extra))
        first = manager.pids("a")[1]
        manager.wait_for("it is older than that", lambda: manager.group("a")["processes"][0]["uptime_s"] > 2.5)
        assert manager.pids("a") == {1: first}  # nobody has asked it for anything
        with manager.background_get(port, "/open") as answer:
            assert gate.wait_arrival() == (first, "import")
            replaced(manager, first)
            assert answer() is None
        group_now = manager.group("a")
        assert group_now["last_error"]["message"] == "startup-timeout: not loaded within 1 s of the first request"
        assert group_now["last_error"]["requests"][0].startswith("GET /open for ")
        assert group_now["processes"][0]["failures"] == 1
        assert "gated_import.py" in manager.log("a")
        with manager.background_get(port, "/open") as answer:  # it loads when the gate opens
            gate.wait_arrival()
            gate.release()
            assert (answer() or (0, b""))[0] == 200


def test_startup_timeout_of_a_lazy_application_that_fails_each_time(manager: ManagerUnderTest) -> None:
    """What it was when the process first tried, a missing module for example, may be mended for the next one."""
    manager.expect_in_log("it is broken")
    script, port = manager.base / "app.wsgi", manager.port()
    script.write_text("raise RuntimeError('it is broken')\n")
    times = 'load = "lazy"\nstartup-timeout = "1s"'
    manager.apply(f'[groups.a]\nscript = "{script}"\nlisten = ["127.0.0.1:{port}"]\n{times}\n')
    first = manager.pids("a")[1]
    assert manager.get(port)[0] == 500
    assert manager.pids("a") == {1: first}
    second = replaced(manager, first)
    group_now = manager.group("a")
    assert group_now["last_error"]["message"] == "startup-timeout: not loaded within 1 s of the first request"
    assert group_now["processes"][0]["failures"] == 1
    script.write_text((APPS / "hello_app.py").read_text())
    assert manager.get(port)[0] == 200
    assert manager.pids("a") == {1: second}


def test_three_starts_without_memory_name_the_limit(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("MemoryError")
    done = manager.apply(group("loading.hungry", manager.port(), 'memory-limit = "256M"'), code=1)
    assert "MemoryError" in done.stderr
    found = manager.wait_for(
        "it is named", lambda: "too small" in (m := manager.group("a")["last_error"]["message"]) and m
    )
    # how many there were meanwhile depends on when it was asked
    assert re.match(r"memory-limit 256M is too small: \d starts in a row ran out of memory; cannot import", found)
    assert "memory-limit 256M is too small" in manager.cli("why", "a/1").stdout


def test_memory_soft_limit(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("leaking_app", port, 'memory-soft-limit = "64M"'))
    first = manager.pids("a")[1]
    assert manager.get(port, "/memory/80")[0] == 200
    second = replaced(manager, first)
    assert psutil.Process(second).memory_info().rss < 64 * 1024 * 1024


def test_memory_soft_limit_below_the_start_size_is_named_and_paced(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("hello_app", port, 'memory-soft-limit = "2M"'))
    error = manager.wait_for("it is said", lambda: manager.group("a")["last_error"])
    assert re.match(r"memory-soft-limit 2M is below the start size, \d+M: a fresh process exceeds it", error["message"])
    assert f"warning: a/1 life={error['life']}" in manager.log("manager")
    assert "below the start size" in manager.cli("status").stdout
    assert manager.get(port)[0] == 200
    manager.apply(group("hello_app", port, 'memory-soft-limit = "1G"'))
    assert manager.group("a")["last_error"] is None


def test_memory_limit_is_a_memory_error_in_the_application(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("MemoryError", times=1)
    port = manager.port()
    manager.apply(group("leaking_app", port, 'memory-limit = "256M"'))
    assert manager.get(port, "/memory/400")[0] == 500
    assert manager.get(port, "/")[0] == 200


def test_cpu_time_limit_recycles_without_an_error(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("busy_app", port, 'cpu-time-limit = 1\ngraceful-timeout = "5s"'))
    first = manager.pids("a")[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        for _ in range(15):
            connection.request("GET", "/100")
            response = connection.getresponse()
            assert response.status == 200
            response.read()
            if response.will_close:
                connection.close()
    replaced(manager, first)
    assert "cpu-time-limit" in manager.log("manager")


def test_reload_leaves_in_its_eviction_window(manager: ManagerUnderTest) -> None:
    with Gate(manager.base) as gate:
        port, text = gated(manager, 'eviction-timeout = "30s"')
        manager.apply(text)
        with manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            assert manager.cli("reload", "a", "--no-wait").returncode == 0
            replaced(manager, pid)
            gate.release()
            status = answer()
            assert status is not None
            assert status[0] == 200
        gate.close()


def test_sigusr1_to_a_daemon_recycles_it(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("hello_app", port, ""))
    first = manager.pids("a")[1]
    psutil.Process(first).send_signal(signal.SIGUSR1)
    replaced(manager, first)


def test_sigusr1_has_the_eviction_window_and_no_other(manager: ManagerUnderTest) -> None:
    """One window, whoever began it: the manager's is not a second one, which would end the first."""
    with Gate(manager.base) as gate:
        times = 'eviction-timeout = "60s"\ngraceful-timeout = "1ms"\nshutdown-timeout = "1ms"'
        port, text = gated(manager, times)
        manager.apply(text)
        with manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            psutil.Process(pid).send_signal(signal.SIGUSR1)
            replaced(manager, pid)
            manager.wait_for("it leaves", lambda: f"pid={pid} info: stopping: signal, within 60s" in manager.log("a"))
            assert manager.get(port, "/open")[0] == 200
            gate.release()
            assert answer() == (200, str(pid).encode())
        manager.wait_for("idle, it leaves before the window ends", lambda: not psutil.pid_exists(pid))


def test_a_stop_ends_the_window_of_a_process_that_leaves(manager: ManagerUnderTest) -> None:
    with Gate(manager.base) as gate:
        port, text = gated(manager, 'eviction-timeout = "10m"\nshutdown-timeout = "60s"')
        manager.apply(text)
        with manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            assert manager.cli("reload", "a").returncode == 0
            assert manager.cli("stop", "a", "--no-wait").returncode == 0
            ended = f"pid={pid} info: stopping: at once, its time to finish is cut short"
            manager.wait_for("it takes nothing new", lambda: ended in manager.log("a"))
            gate.release()
            assert answer() == (200, str(pid).encode())
        manager.wait_for("it is gone", lambda: not psutil.pid_exists(pid))


def answers(word: str) -> str:
    return (
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        f"    return [b'{word}']\n"
    )


def replace_file(path: Path, body: str) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(body)
    fresh.chmod(0o644)
    fresh.replace(path)


def test_a_changed_script_rolls_the_group_and_a_broken_one_does_not(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("SyntaxError")
    script = manager.base / "hello.wsgi"
    replace_file(script, answers("first"))
    port = manager.port()
    manager.apply(f'[groups.a]\nscript = "{script}"\nlisten = ["127.0.0.1:{port}"]\nscript-reloading = true\n')
    assert manager.get(port) == (200, b"first")
    replace_file(script, answers("second"))
    manager.wait_for("the new one answers", lambda: manager.get(port) == (200, b"second"))
    for broken in ("def application(:\n", "def application(;\n"):  # a second one is no better than the first
        tried = manager.log("a").count("SyntaxError")
        replace_file(script, broken)
        manager.wait_for(
            "it was tried",
            lambda tried=tried: manager.get(port) and manager.log("a").count("SyntaxError") > tried,  # type: ignore[misc]
        )
        assert manager.get(port) == (200, b"second")


def test_a_request_after_a_change_waits_for_the_new_code(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("SyntaxError")
    script = manager.base / "hello.wsgi"
    replace_file(script, answers("first"))
    port = manager.port()
    text = (
        f'[groups.a]\nscript = "{script}"\nlisten = ["127.0.0.1:{port}"]\n'
        'script-reloading = "wait"\nconnect-timeout = "1h"\n'
    )
    manager.apply(text + "processes = 2\n")
    assert manager.get(port) == (200, b"first")
    first = set(manager.pids("a").values())
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.connect()  # before the change; it says nothing until after it
        replace_file(script, answers("second"))
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"second"
    # what breaks while they are replaced leaves some of them as they were before
    manager.wait_for(
        "both are replaced", lambda: len(found := set(manager.pids("a").values())) == 2 and not found & first
    )
    manager.apply(text + "processes = 1\n")
    replace_file(script, "def application(:\n")
    assert manager.get(port) == (200, b"second")  # there will be no successor: nobody waits for what does not come
    replace_file(script, answers("third"))
    assert manager.get(port) == (200, b"third")


def test_a_changed_file_that_reload_names_rolls_the_group(manager: ManagerUnderTest) -> None:
    source = manager.base / "src"
    source.mkdir()
    source.chmod(0o755)
    module = source / "its_words.py"
    replace_file(module, answers("first"))
    port = manager.port()
    manager.apply(
        f'[groups.a]\napp = "its_words:application"\npython-path = ["{source}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f'reload = ["{source}/**/*.py"]\n'
    )
    assert manager.get(port) == (200, b"first")
    replace_file(module, answers("another"))
    manager.wait_for("the new one answers", lambda: manager.get(port) == (200, b"another"))
