"""The tree of cgroups on directories that look like the kernel's: what is made, written, moved, and said."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wsgigroups.manager.supervision.cgroups import tree as module
from wsgigroups.manager.supervision.cgroups.hierarchy import find_place
from wsgigroups.manager.supervision.cgroups.settings import controllers, read_events, settings
from wsgigroups.manager.supervision.cgroups.tree import LifeCgroup, Limited, Tree
from wsgigroups.plan.desired import CgroupTarget

FILES = {
    "memory": ("memory.high", "memory.max", "memory.events"),
    "cpu": ("cpu.weight", "cpu.max"),
    "pids": ("pids.max",),
}


class FakeKernel:
    """Directories whose files behave as those of cgroup v2 do, as far as a tree of ours can tell."""

    def __init__(self, root: Path, available: str) -> None:
        self.root = root
        self.refuses: dict[str, int] = {}  # name of a file → errno
        self.written: list[tuple[str, str]] = []
        root.mkdir()
        self.populate(root, available.split())

    def populate(self, directory: Path, available: list[str]) -> None:
        for name in ("cgroup.procs", "cgroup.subtree_control", "cgroup.kill"):
            (directory / name).touch()
        (directory / "cgroup.type").write_text("domain")
        (directory / "cgroup.controllers").write_text(" ".join(available))
        if directory != self.root:
            for controller in available:
                for name in FILES[controller]:
                    (directory / name).touch()

    def made(self, directory: Path) -> None:
        self.populate(directory, (directory.parent / "cgroup.subtree_control").read_text().split())

    def write(self, file: Path, text: str) -> None:
        name = str(file.relative_to(self.root))
        if not file.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if file.name in self.refuses:
            raise OSError(self.refuses[file.name], os.strerror(self.refuses[file.name]))
        self.written.append((name, text))
        if file.name == "cgroup.subtree_control":
            self.hand_down(file, text)
        elif file.name == "cgroup.procs":
            for other in [self.root, *(entry for entry in self.root.rglob("*") if entry.is_dir())]:
                procs = other / "cgroup.procs"
                procs.write_text(" ".join(pid for pid in procs.read_text().split() if pid != text))
            file.write_text(" ".join([*file.read_text().split(), text]))
        else:
            file.write_text(text)

    def hand_down(self, file: Path, text: str) -> None:
        kind = file.parent / "cgroup.type"
        if (file.parent / "cgroup.procs").read_text().strip() and text[0] == "+":
            if text == "+memory":
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            kind.write_text("domain threaded")
        elif "threaded" in kind.read_text() and file.parent != self.root:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        had = file.read_text().split()
        file.write_text(" ".join([*had, text[1:]] if text[0] == "+" else [name for name in had if name != text[1:]]))
        for child in (entry for entry in file.parent.iterdir() if entry.is_dir()):
            self.populate(child, file.read_text().split())


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    fake = FakeKernel(tmp_path / "own", "cpu memory pids")
    mkdir = Path.mkdir

    def made(path: Path, *arguments: object, **more: object) -> None:
        existed = path.exists()
        mkdir(path, *arguments, **more)  # type: ignore[arg-type]
        if not existed and fake.root in path.parents:
            fake.made(path)

    monkeypatch.setattr(module, "_write", fake.write)
    monkeypatch.setattr(Path, "mkdir", made)
    return fake


@pytest.fixture
def tree(kernel: FakeKernel) -> Tree:
    made = Tree(kernel.root / "wsgigroups-abc")
    made.open()
    return made


ALL = CgroupTarget(memory_high_bytes=800, memory_max_bytes=1000, cpu_weight=200, cpu_quota_percent=150, tasks_max=400)


def test_every_option_is_written_as_the_kernel_reads_it() -> None:
    assert {item.file: item.text for item in settings(ALL)} == {
        "memory.high": "800", "memory.max": "1000", "cpu.weight": "200", "cpu.max": "150000 100000", "pids.max": "400",
    }  # fmt: skip
    assert {item.file: item.text for item in settings(CgroupTarget())} == {
        "memory.high": "max", "memory.max": "max", "cpu.weight": "100", "cpu.max": "max 100000", "pids.max": "max",
    }  # fmt: skip
    assert controllers(ALL) == {"memory", "cpu", "pids"}
    assert controllers(CgroupTarget(tasks_max=1)) == {"pids"}


def test_events_that_are_no_counts_are_left_out() -> None:
    assert read_events("low 0\noom_kill 3\nnonsense\nhigh many\n") == {"low": 0, "oom_kill": 3}


def test_limits_are_written_to_the_running_cgroup(kernel: FakeKernel, tree: Tree) -> None:
    life = tree.life("blog", 1, 7)
    assert tree.limit("blog", ALL, list) == Limited({}, {})
    group = life.directory.parent
    assert [(group / name).read_text() for name in ("memory.max", "cpu.max", "pids.max")] == [
        "1000", "150000 100000", "400",
    ]  # fmt: skip
    assert tree.limit("blog", CgroupTarget(), list) == Limited({}, {})
    assert [(group / name).read_text() for name in ("memory.max", "cpu.max", "pids.max")] == [
        "max", "max 100000", "max",
    ]  # fmt: skip


def test_nothing_is_enabled_that_nobody_asked_for(kernel: FakeKernel, tree: Tree) -> None:
    tree.life("blog", 1, 7)
    assert tree.limit("blog", CgroupTarget(), list) == Limited({}, {})
    assert kernel.written == []


def test_what_the_kernel_refuses_is_said_and_what_it_has_not_too(kernel: FakeKernel, tree: Tree) -> None:
    (kernel.root / "cgroup.controllers").write_text("memory")
    kernel.refuses["memory.max"] = errno.EPERM
    limited = tree.limit("blog", ALL, list)
    assert set(limited.refused) == {"memory-max"}
    assert limited.refused["memory-max"].endswith("memory.max: Operation not permitted")
    assert set(limited.missing) == {"cpu-weight", "cpu-quota", "tasks-max"}
    assert limited.missing["tasks-max"] == f"the pids controller is not to be had in {kernel.root}"
    assert (tree.directory / "blog" / "memory.high").read_text() == "800", "the others hold all the same"


def test_the_manager_makes_room_where_its_own_cgroup_must_be_empty(kernel: FakeKernel, tree: Tree) -> None:
    (kernel.root / "cgroup.procs").write_text(f"{os.getpid()} 77")
    assert tree.limit("blog", CgroupTarget(tasks_max=9), lambda: [77, 78]) == Limited({}, {})
    leaf = kernel.root / "wsgigroups-abc.manager"
    assert set((leaf / "cgroup.procs").read_text().split()) == {str(os.getpid()), "77"}
    assert (tree.directory / "blog" / "pids.max").read_text() == "9"
    assert (kernel.root / "cgroup.type").read_text() == "domain", "a threaded domain has no place for lives"


def test_a_service_of_systemds_stays_where_it_can_be_started(tmp_path: Path, kernel: FakeKernel) -> None:
    """systemd puts the next manager into the service's cgroup, which may hand nothing down then."""
    kernel.root = kernel.root.rename(tmp_path / "wsgigroups.service")
    tree = Tree(kernel.root / "wsgigroups-abc")
    tree.open()
    (kernel.root / "cgroup.procs").write_text(str(os.getpid()))
    limited = tree.limit("blog", CgroupTarget(tasks_max=9), list)
    assert "DelegateSubgroup= of the service is needed" in limited.missing["tasks-max"]
    assert (kernel.root / "cgroup.procs").read_text() == str(os.getpid())


def test_processes_of_others_are_never_moved(kernel: FakeKernel, tree: Tree) -> None:
    (kernel.root / "cgroup.procs").write_text(f"{os.getpid()} 4711")
    limited = tree.limit("blog", CgroupTarget(tasks_max=9), list)
    assert limited.missing == {
        "tasks-max": f"the pids controller cannot be enabled in {kernel.root}: other processes are in it"
    }
    assert (kernel.root / "cgroup.procs").read_text() == f"{os.getpid()} 4711", "nor are ours, which would not help"
    assert (kernel.root / "cgroup.type").read_text() == "domain", "lives can be below it"


def test_a_group_cannot_be_named_like_a_file_of_the_kernel(tree: Tree) -> None:
    directory = tree.life("cgroup.procs", 1, 7).directory
    assert directory.is_dir()
    assert directory.parent.parent == tree.directory


def test_a_number_that_is_another_process_now_is_let_out_again(
    kernel: FakeKernel, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the pidfd and the write the child was reaped, and its number given anew."""
    life = tree.life("blog", 1, 7)
    answers = iter([42, -1])
    monkeypatch.setattr(module, "pid_of", lambda _pidfd: next(answers))
    with pytest.raises(ProcessLookupError):
        life.enter(42, 3)
    assert life.pids() == []
    assert (kernel.root / "cgroup.procs").read_text() == "42"


def test_who_has_ended_is_not_put_anywhere(kernel: FakeKernel, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    life = tree.life("blog", 1, 7)
    monkeypatch.setattr(module, "pid_of", lambda _pidfd: -1)
    with pytest.raises(ProcessLookupError):
        life.enter(42, 3)
    assert kernel.written == []


def test_kills_for_want_of_memory_are_counted(tree: Tree) -> None:
    life = tree.life("blog", 1, 7)
    assert life.out_of_memory_kills() == 0
    (life.directory / "memory.events").write_text("oom 2\noom_kill 2\n")
    assert life.out_of_memory_kills() == 2


@pytest.mark.parametrize(
    ("membership", "mounts", "reason"),
    [
        ("4:memory:/\n", "", "this kernel has no cgroup v2"),
        ("0::/user.slice\n", "", "no cgroup v2 hierarchy is mounted"),
        ("0::/../other\n", "36 25 0:31 / {root} rw - cgroup2 cgroup2 rw\n", "outside of what its cgroup namespace"),
        ("0::/missing\n", "36 25 0:31 / {root} rw - cgroup2 cgroup2 rw\n", "no cgroup v2 hierarchy is mounted"),
    ],
)
def test_the_reason_why_there_is_no_place(tmp_path: Path, membership: str, mounts: str, reason: str) -> None:
    (tmp_path / "cgroup").write_text(membership)
    (tmp_path / "mountinfo").write_text(mounts.format(root=tmp_path))
    place = find_place(tmp_path)
    assert place.directory is None
    assert reason in place.reason


@pytest.mark.parametrize(("root", "path"), [("/", "/a b/c"), ("/a b", "/a b/a b/c")])
def test_the_place_is_found_below_the_mount(tmp_path: Path, root: str, path: str) -> None:
    """Of a hierarchy of which a part is mounted, too, and with what proc(5) escapes."""
    directory = tmp_path / "a b" / "c"
    directory.mkdir(parents=True)
    (directory / "cgroup.procs").touch()
    escaped, point = root.replace(" ", r"\040"), str(tmp_path).replace(" ", r"\040")
    (tmp_path / "cgroup").write_text(f"1:name=systemd:/x\n0::{path}\n")
    (tmp_path / "mountinfo").write_text(f"36 25 0:31 {escaped} {point} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n")
    assert find_place(tmp_path).directory == directory


def test_without_the_kernels_kill_everything_is_ended_one_by_one(
    kernel: FakeKernel, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = tree.life("blog", 1, 7)
    (life.directory / "cgroup.kill").unlink()
    (life.directory / "cgroup.freeze").touch()
    pid = os.fork()
    if pid == 0:
        os.read(os.pipe()[0], 1)
        os._exit(0)
    (life.directory / "cgroup.procs").write_text(str(pid))
    LifeCgroup(life.directory).kill()
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 9
    assert [text for name, text in kernel.written if name.endswith("cgroup.freeze")] == ["1", "0"]


def test_who_is_forked_while_room_is_made_is_moved_too(kernel: FakeKernel, tree: Tree) -> None:
    (kernel.root / "cgroup.procs").write_text("77")
    asked: list[int] = []

    def movable() -> list[int]:
        asked.append(77 + len(asked))
        if len(asked) == 1:
            (kernel.root / "cgroup.procs").write_text("77 78")
        return asked

    assert tree.limit("blog", CgroupTarget(tasks_max=9), movable) == Limited({}, {})
    leaf = kernel.root / "wsgigroups-abc.manager"
    assert (leaf / "cgroup.procs").read_text().split() == ["77", "78"]
    assert (kernel.root / "cgroup.procs").read_text() == ""


def test_a_tree_that_has_gone_has_no_lives(tmp_path: Path) -> None:
    """A sweep that comes after the end of everything raised in the event loop."""
    gone = Tree(tmp_path / "gone")
    assert gone.lives() == gone.spawners() == []
