"""Logs that are no files: the manager's standard streams and syslog, as configurations name them. Constants."""

SYSLOG = "/dev/log"
STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2, SYSLOG: -1}  # the manager's descriptor of each
