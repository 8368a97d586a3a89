"""What the manager decides. Pure: no clock, no process, no socket."""
