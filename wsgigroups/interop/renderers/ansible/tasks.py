"""The tasks of the role. Texts of YAML.

What belongs together on a machine is one script, so that a controller which is killed leaves all of it or nothing.
"""

from __future__ import annotations

MAIN = """\
---
- name: Refuse a name that is no directory's
  ansible.builtin.assert:
    that: groups_release is match('^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$')
    quiet: true

- name: Bring the machine to the release, or return
  block:
    - name: Ship the release
      ansible.builtin.import_tasks: ship.yml

    - name: Put the release into service
      ansible.builtin.import_tasks: serve.yml
  rescue:
    - name: Return to the configuration before
      ansible.builtin.include_tasks:
        file: return.yml
        apply:
          delegate_to: "{{ groups_host }}"
      # this machine first; of the others those that have one to return to
      loop: "{{ [inventory_hostname] + (ansible_play_hosts_all | difference([inventory_hostname])) }}"
      loop_control:
        loop_var: groups_host
      when:
        - groups_auto_revert | bool
        - not ansible_check_mode

    - name: Stop the rollout
      ansible.builtin.fail:
        msg: "release {{ groups_release }} failed on {{ inventory_hostname }}: no other machine gets it"
"""

SHIP = """\
---
- name: Look for the release
  ansible.builtin.stat:
    path: "{{ groups_directory }}/releases/{{ groups_release }}"
    get_checksum: false
  register: groups_shipped

# With --check, too, since the plan needs it, and nothing leads there yet; serve.yml removes it again.
- name: Ship what is not there
  when: not groups_shipped.stat.exists
  check_mode: false
  vars:
    groups_place: "{{ groups_directory }}/releases/{{ groups_release }}"
    groups_partial: "{{ groups_directory }}/releases/.{{ groups_release }}.partial"
  block:
    - name: Make the directory of the releases
      ansible.builtin.file:
        path: "{{ groups_directory }}/releases"
        state: directory
        mode: "0755"

    - name: Copy the archive
      ansible.builtin.copy:
        src: "{{ groups_archive }}"
        dest: "{{ groups_partial }}.tar"
        mode: "0600"

    - name: Unpack it, and give it its name when it is complete
      ansible.builtin.shell: |
        set -eu
        umask 022
        rm -rf {{ groups_partial | quote }}
        mkdir {{ groups_partial | quote }}
        tar --extract --no-same-owner --no-same-permissions \\
            --file {{ groups_partial | quote }}.tar --directory {{ groups_partial | quote }}
        mv --no-target-directory {{ groups_partial | quote }} {{ groups_place | quote }}
        rm {{ groups_partial | quote }}.tar
      args:
        creates: "{{ groups_place }}"
"""

SERVE = """\
---
- name: Look at the next configuration, and use it
  block:
    # not shown with --diff: values of environment are in it
    - name: Write the next configuration
      ansible.builtin.template:
        src: groups.toml.j2
        dest: "{{ groups_file_next }}"
        mode: "0600"
      check_mode: false
      changed_when: false
      diff: false

    - name: Validate and plan it
      ansible.builtin.shell: |
        {{ groups_program | quote }} --quiet validate {{ groups_file_next | quote }} || {
            rm {{ groups_file_next | quote }}
            exit 1
        }
        {{ groups_program | quote }} plan --detailed-exitcode {{ groups_file_next | quote }}
      check_mode: false
      register: groups_plan
      changed_when: groups_plan.rc == 2
      failed_when: groups_plan.rc not in [0, 2]

    - name: Show the plan
      ansible.builtin.debug:
        msg: "{{ groups_plan.stdout_lines }}"

    - name: Use it
      when: not ansible_check_mode
      block:
        # What an interrupted rollout has kept stays: it is the last one that all machines had.
        - name: Keep the present configuration, put the next one into its place, and apply it
          ansible.builtin.shell: |
            set -eu
            if ! cmp -s {{ groups_file_next | quote }} {{ groups_file | quote }}; then
                if [ -e {{ groups_file | quote }} ] && ! [ -e {{ groups_file_before | quote }} ]; then
                    cp --preserve {{ groups_file | quote }} {{ groups_file_before | quote }}.partial
                    mv {{ groups_file_before | quote }}.partial {{ groups_file_before | quote }}
                fi
                mv {{ groups_file_next | quote }} {{ groups_file | quote }}
            fi
            rm -f {{ groups_file_next | quote }}
            {{ groups_program | quote }} apply --yes \\
                --timeout {{ groups_healthy_deadline | quote }} {{ groups_file | quote }}
          changed_when: groups_plan.rc == 2

        - name: See that it stays ready
          ansible.builtin.command:
            argv: >-
              {{ [groups_program, 'status', '--check']
              + (['--for', groups_min_healthy_time] if groups_plan.rc == 2 else []) }}
          changed_when: false
  always:
    - name: Remove what was only looked at
      ansible.builtin.file:
        path: "{{ groups_looked_at }}"
        state: absent
      loop: "{{ [groups_file_next] + ([] if groups_shipped.stat.exists else [groups_shipped_here]) }}"
      loop_control:
        loop_var: groups_looked_at
      vars:
        groups_shipped_here: "{{ groups_directory }}/releases/{{ groups_release }}"
      when: ansible_check_mode
      check_mode: false
      changed_when: false
"""

RETURN = """\
---
- name: "Return on {{ groups_host }}"
  ignore_unreachable: true
  block:
    # in the place of an apply that is under way
    - name: Apply the configuration before, where there is one
      ansible.builtin.shell: |
        set -eu
        [ -e {{ groups_file_before | quote }} ] || exit 0
        cp --preserve {{ groups_file_before | quote }} {{ groups_file_next | quote }}
        mv {{ groups_file_next | quote }} {{ groups_file | quote }}
        {{ groups_program | quote }} apply --yes --overtake \\
            --timeout {{ groups_healthy_deadline | quote }} {{ groups_file | quote }}
        rm {{ groups_file_before | quote }}
      register: groups_returned
      changed_when: groups_returned.stdout | length > 0
  rescue:
    - name: Say that it did not return
      ansible.builtin.debug:
        msg: "{{ groups_host }} has not returned: look there for {{ groups_file_before }}, and apply it by hand"
"""

FINISH = """\
---
- name: Forget the configuration before
  ansible.builtin.file:
    path: "{{ groups_file_before }}"
    state: absent
"""
