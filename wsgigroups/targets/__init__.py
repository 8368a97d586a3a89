"""From a configuration and a host to one frozen target per group: names to numbers, interpreters, environments."""
