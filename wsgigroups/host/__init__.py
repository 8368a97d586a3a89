"""What checks need to know of a host, behind one interface: the real one, or one that was recorded as facts."""
