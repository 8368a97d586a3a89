"""A script file that no parser accepts."""

def application(environ, start_response:
    return []
