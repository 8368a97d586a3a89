"""Room for signal handlers. Called once by the main thread of a manager and of a daemon, after faulthandler is in use.

faulthandler gives its thread an alternate stack of a few pages, and Python runs every handler on whatever alternate
stack there is (SA_ONSTACK, bpo-43390). A frame there holds all registers of the processor, up to 11 KiB, and handlers
of different signals nest: on such a stack the fifth signal of a burst is a SIGSEGV.
"""

from __future__ import annotations

import ctypes
import mmap

# As many handlers as there are signals fit. Pages that are never touched cost nothing.
STACK_BYTES = 2**20


class _Stack(ctypes.Structure):
    """stack_t of sigaltstack(2)."""

    _fields_ = (("ss_sp", ctypes.c_void_p), ("ss_flags", ctypes.c_int), ("ss_size", ctypes.c_size_t))


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_MAP_FAILED = ctypes.c_void_p(-1).value


def make_room() -> bool:
    """Have handlers of this thread run on a stack that all of them fit on, for as long as the process lives.

    Returns whether it is so. Where there is no memory for it, nothing has changed.
    """
    # not the module's mmap, which the end of the interpreter would unmap while signals still come
    start = _LIBC.mmap(
        None, STACK_BYTES, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    if start == _MAP_FAILED:
        return False
    failed: int = _LIBC.sigaltstack(ctypes.byref(_Stack(start, 0, STACK_BYTES)), None)
    return not failed
