"""Keeping a gateway that is a program of somebody else: it is run, told its configuration, listened to and ended."""
