"""A manager becomes the version that was installed meanwhile: it rehearses that, and executes it in its own process."""
