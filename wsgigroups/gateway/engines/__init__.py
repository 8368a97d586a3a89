"""Engines that serve sites and are programs of somebody else: what they are told. Pure."""
