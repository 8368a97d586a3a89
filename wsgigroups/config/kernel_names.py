"""What the kernel's words stand for: system calls and their sets, address families, namespaces. Pure.

Numbers are those of <asm/unistd.h> (x86-64: arch/x86/entry/syscalls/syscall_64.tbl, aarch64: the generic table) and
<sys/socket.h>; the sets are systemd's (systemd.exec(5), SystemCallFilter=), without calls that neither machine has.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A number, and the names from it on.
_CALLS = {
    "x86_64": """
0 read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl
dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg
recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork vfork execve exit
wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate
getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown
umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid getegid setpgid
getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid setfsuid
setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod
uselib personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam sched_getparam sched_setscheduler
sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval mlock munlock mlockall
munlockall vhangup modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit chroot sync acct settimeofday
mount umount2 swapon swapoff reboot sethostname setdomainname iopl ioperm create_module init_module delete_module
get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid readahead
setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
fremovexattr tkill time futex sched_setaffinity sched_getaffinity set_thread_area io_setup io_destroy io_getevents
io_submit io_cancel get_thread_area lookup_dcookie epoll_create epoll_ctl_old epoll_wait_old remap_file_pages
getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime timer_gettime
timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl
tgkill utimes vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set ioprio_get inotify_init inotify_add_watch
inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat
readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list get_robust_list splice tee sync_file_range
vmsplice move_pages utimensat epoll_pwait signalfd timerfd_create eventfd fallocate timerfd_settime timerfd_gettime
accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open
recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns
getcpu process_vm_readv process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom
memfd_create kexec_file_load bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect
pkey_alloc pkey_free statx io_pgetevents rseq uretprobe 424 pidfd_send_signal io_uring_setup io_uring_enter
io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2
pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset
landlock_add_rule landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat
fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr
lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr
""",
    "aarch64": """
0 io_setup io_destroy io_submit io_cancel io_getevents setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr
listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr getcwd lookup_dcookie eventfd2 epoll_create1
epoll_ctl epoll_pwait dup dup3 fcntl inotify_init1 inotify_add_watch inotify_rm_watch ioctl ioprio_set ioprio_get
flock mknodat mkdirat unlinkat symlinkat linkat renameat umount2 mount pivot_root nfsservctl statfs fstatfs truncate
ftruncate fallocate faccessat chdir fchdir chroot fchmod fchmodat fchownat fchown openat close vhangup pipe2 quotactl
getdents64 lseek read write readv writev pread64 pwrite64 preadv pwritev sendfile pselect6 ppoll signalfd4 vmsplice
splice tee readlinkat newfstatat fstat sync fsync fdatasync sync_file_range timerfd_create timerfd_settime
timerfd_gettime utimensat acct capget capset personality exit exit_group waitid set_tid_address unshare futex
set_robust_list get_robust_list nanosleep getitimer setitimer kexec_load init_module delete_module timer_create
timer_gettime timer_getoverrun timer_settime timer_delete clock_settime clock_gettime clock_getres clock_nanosleep
syslog ptrace sched_setparam sched_setscheduler sched_getscheduler sched_getparam sched_setaffinity sched_getaffinity
sched_yield sched_get_priority_max sched_get_priority_min sched_rr_get_interval restart_syscall kill tkill tgkill
sigaltstack rt_sigsuspend rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigreturn
setpriority getpriority reboot setregid setgid setreuid setuid setresuid getresuid setresgid getresgid setfsuid
setfsgid times setpgid getpgid getsid setsid getgroups setgroups uname sethostname setdomainname getrlimit setrlimit
getrusage umask prctl getcpu gettimeofday settimeofday adjtimex getpid getppid getuid geteuid getgid getegid gettid
sysinfo mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr msgget msgctl msgrcv msgsnd semget
semctl semtimedop semop shmget shmctl shmat shmdt socket socketpair bind listen accept connect getsockname getpeername
sendto recvfrom setsockopt getsockopt shutdown sendmsg recvmsg readahead brk munmap mremap add_key request_key keyctl
clone execve mmap fadvise64 swapon swapoff mprotect msync mlock munlock mlockall munlockall mincore madvise
remap_file_pages mbind get_mempolicy set_mempolicy migrate_pages move_pages rt_tgsigqueueinfo perf_event_open accept4
recvmmsg 260 wait4 prlimit64 fanotify_init fanotify_mark name_to_handle_at open_by_handle_at clock_adjtime syncfs
setns sendmmsg process_vm_readv process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp
getrandom memfd_create bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect
pkey_alloc pkey_free statx io_pgetevents rseq kexec_file_load 424 pidfd_send_signal io_uring_setup io_uring_enter
io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2
pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset
landlock_add_rule landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat
fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr
lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr
""",
}
_SETS = """
@default: arch_prctl brk clock_getres clock_gettime clock_nanosleep execve exit exit_group futex futex_waitv
get_robust_list get_thread_area getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getrandom getresgid
getresuid getrlimit getsid gettid gettimeofday getuid membarrier mmap mprotect munmap nanosleep pause prlimit64
restart_syscall rseq rt_sigreturn sched_getaffinity sched_yield set_robust_list set_thread_area set_tid_address time
uretprobe
@aio: io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter io_uring_register
io_uring_setup
@basic-io: close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv write
writev
@chown: chown fchown fchownat lchown
@clock: adjtimex clock_adjtime clock_settime settimeofday
@cpu-emulation: modify_ldt
@debug: lookup_dcookie perf_event_open pidfd_getfd ptrace
@file-system: access chdir chmod close creat faccessat faccessat2 fallocate fchdir fchmod fchmodat fchmodat2 fcntl
fgetxattr flistxattr fremovexattr fsetxattr fstat fstatfs ftruncate futimesat getcwd getdents getdents64 getxattr
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lgetxattr link linkat listxattr llistxattr lremovexattr
lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 readlink readlinkat removexattr rename
renameat renameat2 rmdir setxattr stat statfs statx symlink symlinkat truncate unlink unlinkat utime utimensat utimes
@io-event: epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
eventfd eventfd2 poll ppoll pselect6 select
@ipc: memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
pipe pipe2 process_madvise process_vm_readv process_vm_writev semctl semget semop semtimedop shmat shmctl shmdt shmget
@keyring: add_key keyctl request_key
@memlock: mlock mlock2 mlockall munlock munlockall
@module: delete_module finit_module init_module
@mount: chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root umount2
@network-io: accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
sendmsg sendto setsockopt shutdown socket socketpair
@obsolete: _sysctl afs_syscall create_module get_kernel_syms getpmsg putpmsg query_module security sysfs tuxcall
uselib ustat vserver
@pkey: pkey_alloc pkey_free pkey_mprotect
@privileged: @chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init fanotify_mark
nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd setdomainname setfsuid setgroups sethostname setresuid
setreuid setuid vhangup
@process: capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl rt_sigqueueinfo
rt_tgsigqueueinfo setns tgkill times tkill unshare vfork wait4 waitid
@raw-io: ioperm iopl
@reboot: kexec_file_load kexec_load reboot
@resources: ioprio_set mbind migrate_pages move_pages sched_setaffinity sched_setattr sched_setparam
sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority setrlimit
@setuid: setgid setgroups setregid setresgid setresuid setreuid setuid
@signal: rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait sigaltstack signalfd signalfd4
@swap: swapoff swapon
@sync: fdatasync fsync msync sync sync_file_range syncfs
@system-service: @aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io @process
@resources @setuid @signal @sync @timer capget capset copy_file_range fadvise64 flock get_mempolicy getcpu getpriority
ioctl ioprio_get kcmp madvise mremap name_to_handle_at personality readahead remap_file_pages sched_get_priority_max
sched_get_priority_min sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_yield sendfile
setfsgid setfsuid setpgid setsid splice sysinfo tee umask uname userfaultfd vmsplice
@timer: alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime
timerfd_create timerfd_gettime timerfd_settime times
"""
_FAMILIES = """
FILE=1 LOCAL=1 UNIX=1 INET=2 AX25=3 IPX=4 APPLETALK=5 NETROM=6 BRIDGE=7 ATMPVC=8 X25=9 INET6=10 ROSE=11 DECnet=12
NETBEUI=13 SECURITY=14 KEY=15 NETLINK=16 ROUTE=16 PACKET=17 ASH=18 ECONET=19 ATMSVC=20 RDS=21 SNA=22 IRDA=23 PPPOX=24
WANPIPE=25 LLC=26 IB=27 MPLS=28 CAN=29 TIPC=30 BLUETOOTH=31 IUCV=32 RXRPC=33 ISDN=34 PHONET=35 IEEE802154=36 CAIF=37
ALG=38 NFC=39 VSOCK=40 KCM=41 QIPCRTR=42 SMC=43 XDP=44 MCTP=45
"""
NAMESPACES: Mapping[str, int] = MappingProxyType(  # CLONE_NEW… of <linux/sched.h>
    {
        "cgroup": 0x02000000,
        "ipc": 0x08000000,
        "mnt": 0x00020000,
        "net": 0x40000000,
        "pid": 0x20000000,
        "time": 0x00000080,
        "user": 0x10000000,
        "uts": 0x04000000,
    }
)
# What the interpreter and the request path call themselves: part of every list of what is allowed.
SERVING = (
    "@default @basic-io @io-event accept4 access chdir clone clone3 exit faccessat faccessat2 fcntl fstat ftruncate "
    "getcwd getdents64 getpeername getsockname getsockopt ioctl kill lstat madvise memfd_create mremap newfstatat open "
    "openat pipe2 prctl readlink readlinkat recvfrom recvmsg rt_sigaction rt_sigprocmask sendfile sendmsg sendto "
    "setsockopt shutdown sigaltstack socketpair stat statfs fstatfs statx sysinfo tgkill umask uname unlink unlinkat"
)


@cache
def system_calls(machine: str) -> Mapping[str, int]:
    """Names and numbers on "x86_64" or "aarch64"; empty for another machine."""
    found, number = {}, 0
    for word in _CALLS.get(machine, "").split():
        if word.isdigit():
            number = int(word)
        else:
            found[word] = number
            number += 1
    return MappingProxyType(found)


@cache
def system_call_sets() -> Mapping[str, tuple[str, ...]]:
    """Sets by their names, which begin with "@", and the names in each; those of other sets are resolved."""
    written: dict[str, list[str]] = {}
    for word in _SETS.split():
        if word.endswith(":"):
            current = written.setdefault(word[:-1], [])
        else:
            current.append(word)

    def resolved(name: str) -> set[str]:
        found: set[str] = set()
        for word in written[name]:
            found |= resolved(word) if word in written else {word}
        return found

    return MappingProxyType({name: tuple(sorted(resolved(name))) for name in written})


@cache
def known_system_calls() -> frozenset[str]:
    """The calls of both machines."""
    return frozenset(name for machine in _CALLS for name in system_calls(machine))


def expanded(items: Iterable[str]) -> set[str]:
    """The names of system calls that names and sets stand for."""
    sets = system_call_sets()
    return {name for item in items for name in (sets[item] if item.startswith("@") else (item,))}


@cache
def address_families() -> Mapping[str, int]:
    """Names, which begin with "AF_", and numbers."""
    pairs = (word.split("=") for word in _FAMILIES.split())
    return MappingProxyType({f"AF_{name}": int(number) for name, number in pairs})
