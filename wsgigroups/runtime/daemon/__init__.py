"""A daemon from the first instruction after the fork to its exit: becoming somebody, loading, serving, leaving."""
