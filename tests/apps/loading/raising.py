"""Raises while it is imported, two calls deep, so that a traceback has something to show."""


def connect():
    """Fail the way a missing database does."""
    raise ConnectionRefusedError("the database of the fixture is not there")


def prepare():
    """Call what fails."""
    connect()


prepare()
