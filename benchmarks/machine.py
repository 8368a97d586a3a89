"""What the machine is, as far as figures depend on it: no names, no paths.

Runs in the benchmark's process, reads /proc.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path


def facts(environment: Path) -> dict[str, object]:
    """Return processor, cores, memory, kernel and Python."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    python = subprocess.run(
        [str(environment / "bin" / "python"), "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return {
        "processor": processor.group(1) if processor else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 1048576) if memory else None,
        "kernel": platform.release().partition("-")[0],
        "python": python,
    }
