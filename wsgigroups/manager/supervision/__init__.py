"""From decisions to system calls: spawners, processes, listeners, boards, cgroups. In the manager's only thread."""
