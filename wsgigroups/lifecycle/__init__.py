"""What may happen to one process: states, events, deadlines, backoff, stall rules. Pure; runs in the manager."""
