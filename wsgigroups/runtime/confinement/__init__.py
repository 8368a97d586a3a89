"""What the kernel keeps from a process that has no privileges left: files, system calls, views of the file system.

One module per mechanism: `landlock`, `seccomp`, `mounts`. Each does what it is told and raises OSError; what becomes
of that is decided in `daemon.confining`.
"""
