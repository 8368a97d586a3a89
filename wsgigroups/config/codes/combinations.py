"""WG05: values that do not work together."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, note, warning

_BLOG = '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n'

COMBINATIONS = (
    warning(
        "WG0501",
        "Very many threads",
        "Threads of one process take turns at running Python code. The documentation of WSGIDaemonProcess advises 3 to "
        "5 threads per process for CPU-bound work, and more only where requests wait.",
        "Use more processes. Above 64 threads a process is rarely faster.",
        _BLOG + "threads = 200\n",
    ),
    warning(
        "WG0502",
        "chroot is deprecated",
        "The documentation of WSGIDaemonProcess deprecates it: a working jail is hard to set up and keeps less apart "
        "than a container.",
        "Run the whole manager in a container, or use the sandboxing of a systemd unit.",
        _BLOG + 'chroot = "/srv/jail"\n',
    ),
    warning(
        "WG0503",
        "No limit to shutting down",
        "shutdown-timeout 0 is no limit, as 0 is everywhere: a process that has to leave waits for its longest request "
        "and for exit handlers, however long they take, and a stop, a replacement or a reload takes as long. What "
        "deadlock-timeout or request-timeout finds stuck would never end that way; it is given 5 s in place of the 0, "
        "and 1 s for the exit itself, before it is killed: at deadlock-timeout + 5 s + 1 s.",
        "Give it the time of a usual request.",
        _BLOG + "shutdown-timeout = 0\n",
    ),
    warning(
        "WG0504",
        "queue-timeout above socket-timeout",
        "A gateway that waits for an answer gives up after socket-timeout. A request that waits longer than that in "
        "the queue, by queue-timeout − socket-timeout, is run for nobody.",
        "Set queue-timeout below socket-timeout.",
        _BLOG + 'queue-timeout = "90s"\nsocket-timeout = "60s"\n',
    ),
    warning(
        "WG0505",
        "request-timeout comes too late",
        "With several threads request-timeout is compared with the average age over all threads. Even if all of them "
        "are stuck, it comes after a gateway has given up at socket-timeout; if one is stuck, it takes request-timeout "
        "× threads.",
        'Set a shorter request-timeout, or request-timeout-mode = "each". wsgigroups explain request-timeout --threads '
        "N shows the numbers.",
        _BLOG + 'request-timeout = "5m"\n',
    ),
    warning(
        "WG0506",
        "Belongs to request-timeout",
        "interrupt-timeout and request-timeout-mode say what happens at request-timeout, which is not set.",
        "Set request-timeout, or leave the other out.",
        _BLOG + 'interrupt-timeout = "5s"\n',
    ),
    note(
        "WG0507",
        "A window that nothing opens",
        "graceful-timeout applies when maximum-requests, restart-interval, cpu-time-limit, memory-soft-limit or "
        "request-timeout end a process; none of them is set. It still is the default of eviction-timeout.",
        "Set eviction-timeout if that is what is meant.",
        _BLOG + 'graceful-timeout = "15s"\n',
    ),
    warning(
        "WG0508",
        "Restarting all the time",
        "A process may take graceful-timeout + shutdown-timeout to leave, and the next restart is due before that is "
        "over.",
        "Choose a longer restart-interval; hours are usual.",
        _BLOG + 'restart-interval = "10s"\ngraceful-timeout = "15s"\n',
    ),
    warning(
        "WG0509",
        "maximum-requests below threads",
        "A process takes as many requests at once as it has threads; it would be over its maximum at once.",
        "Thousands are usual.",
        _BLOG + "maximum-requests = 10\nthreads = 15\n",
    ),
    warning(
        "WG0512",
        "A variable that comes too late",
        "Python and the C library read these variables when the interpreter starts. The environment of the group is "
        "set after that, because one interpreter starts the processes of several groups.",
        "Use the option, or the call in the application, that the message names. Programs that the application starts "
        "do get the variable.",
        _BLOG + 'environment = { PYTHONPATH = "/srv/blog" }\n',
    ),
    warning(
        "WG0513",
        "The soft limit is not below the hard one",
        "Allocations fail at memory-limit, before memory-soft-limit replaces the process.",
        "Set the soft limit to about three quarters of the hard one.",
        _BLOG + 'memory-limit = "256M"\nmemory-soft-limit = "256M"\n',
    ),
    warning(
        "WG0514",
        "No room for the stacks",
        "Each thread's stack takes address space: 8 MiB where stack-size is not set. All of them together reach the "
        "virtual-memory-limit, so threads cannot start.",
        "Set stack-size, raise the limit, or use fewer threads.",
        _BLOG + 'virtual-memory-limit = "100M"\n',
    ),
    note(
        "WG0516",
        "Accepted without effect",
        "The option exists in mod_wsgi 6 and is read so that configurations can be carried over; here it changes "
        "nothing.",
        "Leave it out.",
        _BLOG + "server-metrics = true\n",
    ),
    warning(
        "WG0517",
        "connect-timeout above queue-timeout",
        "Both times begin when a request is complete. The shorter one ends the wait, so a connect-timeout above "
        "queue-timeout never decides.",
        "Set connect-timeout to queue-timeout or less.",
        _BLOG + 'queue-timeout = "5s"\nconnect-timeout = "15s"\n',
    ),
    error(
        "WG0518",
        "A limit that keeps a process from starting",
        "A process takes threads + 2 of limit-nproc, and of limit-nofile 32 descriptors before it has a connection: "
        "its listeners, logs, libraries that are being loaded. Below that it cannot start.",
        "Raise the limit; limit-nproc counts all processes and threads of the group's user.",
        _BLOG + "limit-nproc = 10\n",
    ),
    error(
        "WG0519",
        "Hidden from the processes that need it",
        "private-tmp or inaccessible-paths hides a directory with the application, its environment or its working "
        "directory, so that the processes cannot start.",
        "Move it, or leave the path out.",
        _BLOG + 'home = "/tmp/blog"\nprivate-tmp = true\n',
    ),
    error(
        "WG0520",
        "A path with two meanings",
        "The same path is in read-only-paths and in read-write-paths.",
        "Take it out of one of them. Below a path of one list, longer paths may be in the other.",
        _BLOG + 'read-only-paths = ["/srv"]\nread-write-paths = ["/srv"]\n',
    ),
    error(
        "WG0521",
        "A filter that keeps processes from serving",
        "A list with ~ refuses system calls, and some of these are what every process makes to serve at all. A list "
        "without ~ always has them.",
        "Take the call, or the set that holds it, out of the list.",
        _BLOG + 'system-call-filter = ["~@network-io"]\n',
    ),
    warning(
        "WG0522",
        "An exception from nothing",
        "read-write-paths says what stays writable; nothing is made read-only here.",
        'Set read-only-paths, or protect-system = "strict".',
        _BLOG + 'read-write-paths = ["/srv/blog/media"]\n',
    ),
    warning(
        "WG0523",
        "No place for temporary files",
        "Everything is read-only, /tmp as well. Bodies of requests that are larger than 64K are kept in a temporary "
        "file while they are collected, and frameworks put uploads into one.",
        "Set private-tmp, or name a directory in read-write-paths and in the variable TMPDIR.",
        _BLOG + 'read-only-paths = ["/"]\n',
    ),
    warning(
        "WG0527",
        "memory-high at or above memory-max",
        "memory-high slows a group down and takes memory back before it comes to memory-max, where the kernel kills.",
        "Set memory-high below memory-max, or leave one of them out.",
        _BLOG + 'memory-high = "1G"\nmemory-max = "1G"\n',
    ),
    warning(
        "WG0528",
        "tasks-max below what the group takes",
        "Each process has threads + 2 threads when all of them are busy, and an old and a new process are there "
        "together while they are replaced. Beyond tasks-max no thread and no process starts.",
        "Raise tasks-max, or take fewer threads or processes.",
        _BLOG + "tasks-max = 10\n",
    ),
    error(
        "WG0529",
        "A rollout that could not begin",
        "max-surge says how many processes more than usual may be there while processes are replaced, max-unavailable "
        "how many fewer. With neither no process can ever be replaced.",
        "Allow one of the two.",
        _BLOG + "[groups.blog.rollout]\nmax-surge = 0\n",
    ),
    warning(
        "WG0530",
        "An option of a rollout that decides nothing",
        "It belongs to another option that is not set, or to a time that another one has used up.",
        "Set the other one, or leave this one out.",
        _BLOG + "[groups.blog.rollout]\nhealth-status = 204\n",
    ),
    error(
        "WG0531",
        "Nowhere to count",
        "With application-metrics, processes count in a directory of the run directory. After chroot there is no such "
        "path for them.",
        "Leave application-metrics out, or confine the group by other options than chroot.",
        _BLOG + 'application-metrics = true\nchroot = "/srv/jail"\n',
    ),
    error(
        "WG0532",
        "No number of processes is possible",
        "The number of processes follows the load between processes-min and processes-max, and begins with processes. "
        "Without processes-max it is never above processes, without processes-min never below.",
        "Put processes between the two, or leave it out.",
        _BLOG + "processes-min = 4\nprocesses-max = 2\n",
    ),
    warning(
        "WG0533",
        "A rule for a number that does not change",
        "target-utilisation, queue-target and scale-down-delay say when processes come and go. They do only where "
        "processes-min or processes-max is set.",
        "Set processes-max, or leave the rule out.",
        _BLOG + "target-utilisation = 0.5\n",
    ),
    error(
        "WG0534",
        "Nothing to preload",
        'preload = "app" has processes forked by one that has loaded the application. With load = "lazy" it is loaded '
        "at the first request of each process.",
        "Leave one of the two out.",
        _BLOG + 'preload = "app"\nload = "lazy"\n',
    ),
)
