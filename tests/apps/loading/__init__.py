"""Modules that cannot be loaded, each in its own way. Tests load them through a daemon, never in pytest's process.

What is expected of each: the start fails with the traceback or the reason in `status`, in the log and in the failing
`apply`; the slot waits in backoff; no other group notices.
"""
