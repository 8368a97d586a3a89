"""What holds a life together: a cgroup of its own, or else its session and what can be found of it in /proc."""
