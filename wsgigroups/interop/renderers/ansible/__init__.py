"""`render ansible`: a role and a playbook that bring a release to machines, a few at a time. Pure."""

from wsgigroups.interop.renderers.ansible.configured import covered
from wsgigroups.interop.renderers.ansible.role import ansible_role

__all__ = ["ansible_role", "covered"]
