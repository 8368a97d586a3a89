"""Needs a module that nobody has installed: the commonest mistake of a deployment."""

import not_installed_anywhere

application = not_installed_anywhere.application
