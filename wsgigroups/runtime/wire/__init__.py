"""What manager, spawner and daemon say to each other, and the page a daemon publishes.

Imported by all three kinds of process; knows none of them.
"""
