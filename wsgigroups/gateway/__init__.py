"""The neutral model of what serves sites: from a configuration to routes, and what a plan says of them. Pure."""
