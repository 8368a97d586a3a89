"""health-path: a request that the application answers inside its process before the process joins the others.

Runs in the daemon's main thread, with a thread for the call, before a listener is used. The environ is that of PEP 3333
for a GET without a body; the application is called as a request thread calls it, and its answer is read to the end.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple
from urllib.parse import unquote_to_bytes

from ..originals import os
from ..threads import ServerThread
from ..wire.exits import STEPS
from ..wire.spec import Health, Serving
from .failure import StepError, described, traceback_of

_PORT = "80"
_UNBOUNDED_S = 1e6  # the manager has its own limit for a start


class Checked:
    """One call of the application, and what came of it."""

    def __init__(self, application: Callable[..., Any], environ: Dict[str, Any]) -> None:
        self.status = ""
        self.error: Optional[BaseException] = None
        self._application = application
        self._environ = environ

    def call(self) -> None:
        """Call it; whatever it raises is kept."""
        pid = os.getpid()
        try:
            result: Iterable[bytes] = self._application(self._environ, self._start_response)
            try:
                for _block in result:
                    pass
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except BaseException as error:  # noqa: BLE001 - also SystemExit: it did not answer
            self.error = error
        if os.getpid() != pid:
            os._exit(STEPS["health"])  # the application forked and came back: one process of the two is enough

    def _start_response(
        self, status: str, _headers: List[Tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self.status = status
        return lambda _block: None


def check(health: Health, serving: Serving, application: Callable[..., Any]) -> None:
    """Have the application answer. Raises StepError("health") when it does not, not in time, or with another status."""
    what = "GET %s" % health.path
    checked = Checked(application, _environ(health, serving))
    thread = ServerThread("health-path", checked.call)
    thread.start()
    if not thread.join(health.timeout_s or _UNBOUNDED_S):
        raise StepError("health", "cannot join: %s was not answered within %g s" % (what, health.timeout_s))
    if checked.error is not None:
        message = "cannot join: %s raised %s" % (what, described(checked.error))
        raise StepError("health", message, traceback_of(checked.error)) from checked.error
    code = checked.status[:3]
    if not code.isdigit():
        raise StepError("health", "cannot join: %s was answered without a status" % what)
    passes = int(code) == health.status if health.status else 200 <= int(code) <= 399
    if not passes:
        raise StepError("health", "cannot join: %s was answered with %s" % (what, checked.status))


def _environ(health: Health, serving: Serving) -> Dict[str, Any]:
    path, _question, query = health.path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": health.path,
        "SERVER_NAME": health.host,
        "SERVER_PORT": _PORT,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": health.host,
        "HTTP_USER_AGENT": "wsgigroups health-path",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": serving.threads != 1,
        "wsgi.multiprocess": serving.multiprocess,
        "wsgi.run_once": serving.run_once,
        "wsgi.input_terminated": True,
    }
