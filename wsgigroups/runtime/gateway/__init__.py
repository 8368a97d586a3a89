"""The embedded gateway: sites by routes, on the same front and protocol code as daemons, and without an application."""
