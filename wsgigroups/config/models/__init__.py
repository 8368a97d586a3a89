"""The option models: one field per option, with type, default, unit, effect and documentation."""
