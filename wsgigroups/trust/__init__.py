"""Who could change a path: judged from facts, walked component by component, opened only where the answer is good.

The manager, the client and the checks against a host use it; it knows nothing of configurations.
"""
