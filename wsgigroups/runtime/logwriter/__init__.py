"""The log writer: a process of its own between the pipes of daemons and the files of their logs."""
