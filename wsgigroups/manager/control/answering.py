"""What becomes of a request whatever happens: each answer is a document, a refusal too.

Runs in the manager's only thread.
"""

from __future__ import annotations

import errno
import os
import traceback
from typing import TYPE_CHECKING

from aiohttp import web

from wsgigroups.errors import BusyError, ExitCode, MovedError, WsgigroupsError
from wsgigroups.manager.control.documents import ErrorDocument, HolderDocument
from wsgigroups.manager.control.routes import HTTP_STATUS, OTHERWISE
from wsgigroups.runtime.wire import room

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

    from wsgigroups.manager.control.document import Document


def answer(document: Document, status: int = 200) -> web.Response:
    """Return the document as a response."""
    return web.json_response(document.model_dump(mode="json"), status=status)


def refuse(error: WsgigroupsError) -> web.Response:
    """Return an error as a response."""
    holder = HolderDocument.model_validate(error.holder) if isinstance(error, BusyError) else None
    document = ErrorDocument(error=error.message, hint=error.hint, exit_code=int(error.exit_code), holder=holder)
    if isinstance(error, MovedError):
        document = document.model_copy(update={"moved": list(error.moved)})
    return answer(document, HTTP_STATUS.get(error.exit_code, OTHERWISE))


def always_a_document(log: Callable[[str, str], None]) -> Middleware:
    """Return the middleware that turns whatever a handler raises into a document. log(level, text)."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except WsgigroupsError as error:
            return refuse(error)
        except ConnectionError:
            return web.Response()  # the caller has left, or does not read: nobody is there to be told
        except web.HTTPException as error:  # no such path, another method, a body that is too long
            sentence = f"cannot {request.method} {request.path}: {error.reason}"
            return answer(ErrorDocument(error=sentence, hint=None, exit_code=int(ExitCode.USAGE)), error.status)
        except OSError as error:
            lacking = _lacking(error)
            if not lacking:
                return _mistake(request)
            sentence = f"cannot {request.method} {request.path}: {lacking}"
            log("error", sentence)
            return answer(ErrorDocument(error=sentence, hint=None, exit_code=int(ExitCode.FAILED)), OTHERWISE)
        except Exception:  # noqa: BLE001 - our own mistake in one call is not the caller's, nor the end of the manager
            return _mistake(request)

    def _mistake(request: web.Request) -> web.Response:
        log("error", f"[BUG] {request.method} {request.path}:\n{traceback.format_exc()}")
        sentence = f"cannot {request.method} {request.path}: a mistake of the manager, its log has the traceback"
        return answer(ErrorDocument(error=sentence, hint=None, exit_code=int(ExitCode.FAILED)), 500)

    return middleware


def _lacking(error: OSError) -> str:
    """What the machine has not enough of, where that is why a call failed; "" where it is not."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"the manager has no descriptors left: {room.full()}"
    if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return (error.strerror or os.strerror(error.errno)).lower()
    return ""
