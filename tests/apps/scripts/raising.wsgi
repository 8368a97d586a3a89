"""A script file that raises while it is loaded."""

raise RuntimeError("the script of the fixture failed on purpose")
