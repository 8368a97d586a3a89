"""WG07: a Kubernetes cluster. Said by `wsgigroups render kubernetes` alone: on a machine nothing of it matters."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, warning

CLUSTER = (
    error(
        "WG0701",
        "The cluster has to be told more",
        "An image, a Gateway for the routes of sites, a largest number of pods, the address of Prometheus: nothing in "
        "the rest of the file says them, and nothing is guessed.",
        "Add what the message names to [kubernetes] or to the table kubernetes of the group.",
    ),
    error(
        "WG0702",
        "Not possible in a pod",
        "A pod runs without privileges, as a user with a number, from an image that is its root directory. It is "
        "reached by TCP, chooses applications by the path alone, and is killed after its grace period.",
        "Change it as the message says, or keep this group on a machine.",
    ),
    warning(
        "WG0703",
        "Without effect in a cluster",
        "What belongs to a machine or to its gateway is left out of what is rendered: users and cgroups, sockets, logs "
        "in files, TLS, static files. The message says who does it in a cluster, if anybody does.",
        "Nothing, where the same file is for a machine, too; otherwise leave it out.",
    ),
    warning(
        "WG0704",
        "No limit to the memory of a pod",
        "The limit of a pod is computed from memory-limit and the number of processes: at memory-limit one process "
        "gets MemoryError, while a pod above its own limit is killed as a whole (since Kubernetes 1.28).",
        "Set memory-limit.",
    ),
    warning(
        "WG0705",
        "Requests may outlast a stop",
        "When a pod leaves, its requests have shutdown-timeout and no more: the windows of graceful-timeout and "
        "eviction-timeout do not open at a stop. Pods leave whenever a node is drained or an image changes.",
        "Set shutdown-timeout to request-timeout or more; the grace period of the pod follows.",
    ),
    warning(
        "WG0706",
        "Nobody to believe",
        "Requests come through the cluster's gateway. An application that shall know clients and https needs its "
        "X-Forwarded headers, which are believed from trusted-proxies alone.",
        "Set trusted-proxies of the group to the network of the pods, or of the gateway's.",
    ),
)
