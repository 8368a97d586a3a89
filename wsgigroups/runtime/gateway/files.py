"""Static files: what a request below a directory gets, without ever leaving that directory.

Called by the thread that owns the connection; it opens files, and sends nothing. A name is opened below a descriptor
of its directory with openat2(2), so neither `..` nor a link leads out of it, even if names are swapped meanwhile. A
link to something inside is followed; on kernels before Linux 5.6 no link is. Only regular files are served, and none
below a name that begins with a dot.
"""

from __future__ import annotations

import errno
import stat
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote

from .. import kernel
from ..originals import os, time
from ..wire import media_types
from . import codings, http_dates, preconditions

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # a FIFO without a writer must not be waited for
_BENEATH = kernel.RESOLVE_BENEATH | kernel.RESOLVE_NO_MAGICLINKS
_TRIES = 8  # EAGAIN: something in the path was renamed meanwhile, so that the kernel cannot tell
_SAFE = "/-._~!$&'()*+,;=:@"  # of a path (RFC 3986 section 3.3)
_NANOSECONDS = 1_000_000_000
# What an error of opening means to a client. All names that lead nowhere are alike: what is outside is not told of.
_STATUSES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), 403),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG, errno.ENXIO), 404),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN), 503),
}


class FileAnswer(NamedTuple):
    """What to send. With 200, 206 and 304 the fields are complete; with others they belong to a page of the caller's.

    fd: -1 if no body comes from a file; else the caller sends `length` bytes from `offset` of it, and closes it.
    """

    status: int
    fields: List[Tuple[str, str]]
    fd: int = -1
    offset: int = 0
    length: int = 0


class _File(NamedTuple):
    fd: int
    found: os.stat_result


def answer(directory_fd: int, path_info: str, environ: Mapping[str, Any], index: str = "") -> FileAnswer:
    """Return what a request for a path below a directory gets.

    path_info: what follows the prefix of the static route. environ: of the request, with its whole path in SCRIPT_NAME
    and PATH_INFO. index: the name of the file that answers for a directory, "": none does.
    """
    method = environ["REQUEST_METHOD"]
    if method not in ("GET", "HEAD"):
        return FileAnswer(405, [("Allow", "GET, HEAD")])
    name = _name(path_info, index)
    if name is None:
        return FileAnswer(404, [])
    try:
        file = _open(directory_fd, name or b".")
        if file is not None and stat.S_ISDIR(file.found.st_mode):
            os.close(file.fd)
            if index and not path_info.endswith("/"):
                return FileAnswer(301, [("Location", _with_slash(environ))])
            file = None
        if file is None:
            return FileAnswer(404, [])
    except OSError as error:
        return FileAnswer(_STATUSES.get(error.errno or 0, 500), [])
    media_type = media_types.of(name.rpartition(b"/")[2].decode("latin-1"))
    fields = [("Content-Type", media_type)]
    if media_types.may_have_siblings(media_type):
        fields.append(("Vary", "Accept-Encoding"))
        wanted = environ.get("HTTP_ACCEPT_ENCODING")
        if wanted:
            file = _compressed(directory_fd, name, codings.accepted(wanted), file, fields)
    kept = -1
    try:
        result = _answer(file, fields, environ, method)
        kept = result.fd
    finally:
        if kept < 0:
            os.close(file.fd)
    return result


def _name(path_info: str, index: str) -> Optional[bytes]:
    """Return the name below the directory, None for what names nothing there; "": the directory itself."""
    segments = [segment for segment in path_info.split("/") if segment]
    for segment in segments:
        if segment[0] == "." or "\0" in segment:
            return None
    if path_info.endswith("/"):
        if not index:
            return None
        segments.append(index)
    try:
        return "/".join(segments).encode("latin-1")
    except UnicodeEncodeError:
        return None


def _with_slash(environ: Mapping[str, Any]) -> str:
    """Return the path of a directory, as a reference within the same host: `//name` would be another one's."""
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).strip("/")
    query = environ.get("QUERY_STRING", "")
    return "/" + (quote(path.encode("latin-1"), _SAFE) + "/" if path else "") + ("?" + query if query else "")


def _compressed(
    directory_fd: int, name: bytes, kinds: List[Tuple[str, str]], file: _File, fields: List[Tuple[str, str]]
) -> _File:
    """Return the first copy that there is in one of these codings, in the place of the file, else the file."""
    for coding, suffix in kinds:
        try:
            copy = _open(directory_fd, name + suffix.encode("ascii"))
        except OSError:
            continue
        if copy is None:
            continue
        if stat.S_ISREG(copy.found.st_mode):
            os.close(file.fd)
            fields.append(("Content-Encoding", coding))
            return copy
        os.close(copy.fd)
    return file


def _answer(file: _File, fields: List[Tuple[str, str]], environ: Mapping[str, Any], method: str) -> FileAnswer:
    found = file.found
    size = found.st_size
    etag = '"%x-%x-%x"' % (found.st_mtime_ns, size, found.st_ino)
    modified_s = max(0, min(found.st_mtime_ns // _NANOSECONDS, int(time.time())))  # RFC 9110 section 8.8.2.1
    status = preconditions.status(environ, etag, modified_s)
    if status == 412:
        return FileAnswer(412, [])
    if status == 304:
        vary = [field for field in fields if field[0] == "Vary"]
        return FileAnswer(304, [("ETag", etag), *vary])
    fields += (("ETag", etag), ("Last-Modified", http_dates.written(modified_s)), ("Accept-Ranges", "bytes"))
    if method == "HEAD":
        return FileAnswer(200, [*fields, ("Content-Length", str(size))])
    part = preconditions.part(environ, etag, modified_s, size)
    if part == preconditions.UNSATISFIABLE:
        return FileAnswer(416, [("Content-Range", "bytes */%d" % size), ("Accept-Ranges", "bytes")])
    offset, length, status = 0, size, 200
    if part != preconditions.WHOLE:
        offset, length, status = part[0], part[1] - part[0] + 1, 206
        fields.append(("Content-Range", "bytes %d-%d/%d" % (part[0], part[1], size)))
    fields.append(("Content-Length", str(length)))
    return FileAnswer(status, fields, file.fd, offset, length)


def _open(directory_fd: int, name: bytes) -> Optional[_File]:
    """Open a regular file or a directory below this one, None for anything else. Raises OSError."""
    fd = OPENER.open(directory_fd, name)
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            fd, kept = -1, fd
            return _File(kept, found)
        return None
    finally:
        if fd >= 0:
            os.close(fd)


class Opener:
    """Opens names below a directory, with openat2(2) where the kernel has it."""

    __slots__ = ("_beneath",)

    def __init__(self, beneath: Optional[bool] = None) -> None:
        """beneath: whether openat2(2) is used; None: where the first use of it shows that it works."""
        self._beneath = beneath

    def open(self, directory_fd: int, name: bytes) -> int:
        """Return a descriptor. Raises OSError: EXDEV or ELOOP for what leads out of the directory."""
        if self._beneath is None:
            self._beneath = _has_openat2(directory_fd)
        if not self._beneath:
            return _walk(directory_fd, name)
        for _ in range(_TRIES - 1):
            try:
                return kernel.openat2(directory_fd, name, _FLAGS, _BENEATH)
            except BlockingIOError:
                continue
        return kernel.openat2(directory_fd, name, _FLAGS, _BENEATH)


OPENER = Opener()


def _has_openat2(directory_fd: int) -> bool:
    """Whether this kernel has it, and a filter of system calls lets it through."""
    try:
        os.close(kernel.openat2(directory_fd, b".", os.O_PATH | os.O_CLOEXEC, _BENEATH))
    except OSError:
        return False
    return True


def _walk(directory_fd: int, name: bytes) -> int:
    """Open a name by its components, of which none may be a link. Raises OSError."""
    *parents, last = name.split(b"/")
    at = directory_fd
    try:
        for parent in parents:
            below = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            if at != directory_fd:
                os.close(at)
            at = below
        return os.open(last, _FLAGS | os.O_NOFOLLOW, dir_fd=at)
    finally:
        if at != directory_fd:
            os.close(at)
