"""All that ever runs inside a group's own interpreter: standard library only, Python 3.8 syntax.

Spawners and daemons load this package by path; nothing above it is importable there.
"""
