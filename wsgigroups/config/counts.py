"""Numbers that whoever commands has to keep to; without imports, since light commands ask for them. Pure."""

MAXIMUM_PROCESSES = 1024  # that a group is scaled to by hand
