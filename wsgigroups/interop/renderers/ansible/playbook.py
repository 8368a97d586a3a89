"""The playbook, and what the role says of itself. Texts of YAML; capital words are replaced.

The words of the playbook are those of the block `update` of Nomad's jobs.
"""

from __future__ import annotations

ROLLOUT = """\
---
# ansible-playbook -i hosts.yml rollout.yml -e release=RELEASE
# With --check nothing is changed, and the plan of each machine is shown.
- name: Roll out a release
  hosts: "{{ machines | default('all') }}"
  gather_facts: false
  become: true
  serial:
    - "{{ canary | int or max_parallel | int or 1 }}"
    - "{{ max_parallel | int or 1 }}"
  max_fail_percentage: 0
  vars:
    release: "RELEASE"
    # Machines that get the release first. When it fails there, no other machine gets it.
    canary: 1
    # Machines at a time after that.
    max_parallel: 1
    # How long a machine may take until all its groups are ready.
    healthy_deadline: 5m
    # How long they have to stay ready.
    min_healthy_time: 10s
    # When a machine fails, it and those before it return to the configuration that they had.
    auto_revert: true
    # Seconds between machines.
    stagger: 30
  tasks:
    - name: Bring the machines to the release
      ansible.builtin.import_role:
        name: groups
      vars:
        groups_release: "{{ release }}"
        groups_healthy_deadline: "{{ healthy_deadline }}"
        groups_min_healthy_time: "{{ min_healthy_time }}"
        groups_auto_revert: "{{ auto_revert }}"

    - name: Wait before the next machines
      ansible.builtin.pause:
        seconds: "{{ stagger }}"
      when:
        - not ansible_check_mode
        - stagger | int > 0
        - ansible_play_hosts_all[-1] not in ansible_play_batch
        - ansible_play_batch | map('extract', hostvars, 'groups_plan') | selectattr('rc', 'eq', 2) | length > 0

- name: End the rollout
  hosts: "{{ machines | default('all') }}"
  gather_facts: false
  become: true
  tasks:
    - name: Forget what the machines could have returned to
      ansible.builtin.import_role:
        name: groups
        tasks_from: finish
"""

DEFAULTS = """\
---
# Where the releases are: DIRECTORY/releases/ID is the code of release ID, and is never changed.
groups_directory: "DIRECTORY"
# On the machine that Ansible runs on: the files of the release, as tar.
groups_archive: "{{ playbook_dir }}/releases/{{ groups_release }}.tar.gz"
# The configuration, and beside it the one to return to while a rollout goes on.
groups_file: /etc/wsgigroups/groups.toml
groups_file_before: "{{ groups_file }}.before.toml"
groups_file_next: "{{ groups_file }}.next.toml"
groups_program: /opt/wsgigroups/bin/wsgigroups
groups_healthy_deadline: 5m
groups_min_healthy_time: 10s
groups_auto_revert: true
"""

ARGUMENTS = """\
---
argument_specs:
  main:
    short_description: Bring a machine to a release
    description:
      - Ships a release, and applies the configuration that names it.
      - What fails is undone, here and on the machines before.
    options:
      groups_release:
        description: The name of the release.
        type: str
        required: true
      groups_directory:
        description: Where the releases are on the machine, in C(releases).
        type: path
      groups_archive:
        description: The files of the release, as tar, on the machine that Ansible runs on.
        type: path
      groups_file:
        description: The configuration on the machine.
        type: path
      groups_file_before:
        description: The configuration to return to while a rollout goes on.
        type: path
      groups_file_next:
        description: The configuration that is looked at before it is used.
        type: path
      groups_program:
        description: The command on the machine.
        type: path
      groups_healthy_deadline:
        description: How long it may take until all groups are ready.
        type: str
      groups_min_healthy_time:
        description: How long they have to stay ready.
        type: str
      groups_auto_revert:
        description: Whether machines return to the configuration they had when one fails.
        type: bool
  finish:
    short_description: End a rollout
    description: Removes the configuration that the machine could have returned to.
    options:
      groups_file_before:
        description: The configuration to return to while a rollout goes on.
        type: path
"""

META = """\
---
galaxy_info:
  author: wsgigroups render ansible
  description: Releases of WSGI applications in groups of processes
  license: MIT
  min_ansible_version: "2.15"
  platforms:
    - name: GenericLinux
      versions:
        - all
dependencies: []
"""
