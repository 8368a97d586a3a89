"""A file that no parser accepts: the error has a line and a column."""


def application(environ, start_response)
    return []
