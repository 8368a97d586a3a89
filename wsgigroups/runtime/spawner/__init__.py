"""The process that forks daemons: one per interpreter, lang and locale; one thread; outlives the manager."""
