"""From the spec's applications to the one callable that the server calls.

Loading runs in the daemon's main thread or, with load = "lazy", in the request thread that comes first; calls run in
request threads, many at once. A single application at "/" with nothing to check is passed through as it is.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from ..log import Log, escaped
from ..originals import Lock, os
from ..wire import spec as wire
from . import script
from .failure import StepError
from .loading import Loading
from .reloading import Freshness, ScriptWatch, Watched
from .script import ForbiddenError, ScriptRules
from .target import Application, Environ, StartResponse, load_callable

NAMED = "WSGIGROUPS_APPLICATION"  # Application.key, of a trusted peer: what others say under this name never comes here


def build(
    spec: wire.Spec,
    rules: ScriptRules,
    log: Log,
    changed: Callable[[str], None],
    loading: Optional[Loading] = None,
    fresh: Optional[Freshness] = None,
) -> Application:
    """Load (eager) or prepare (lazy) every application. Raises StepError("import").

    `changed` is called with a script's path, in a request thread, once for each new version of it; fresh: gets the
    scripts that are looked at before requests come instead (script-reloading = "wait").
    """
    loading = loading or Loading()
    loaded: Dict[Tuple[str, str, str], Application] = {}  # one that is mounted twice is one
    mounted = []
    for item in spec.applications:
        what = (item.kind, item.target, item.callable_object)
        if what not in loaded:
            loaded[what] = _one(spec, item, rules, log, changed, loading, fresh)
        mounted.append((item.mount, loaded[what], of_application(item), item.key))
    if not mounted:
        raise StepError("import", "cannot serve group %s: it has no application" % spec.group)
    if is_alone(spec):
        return mounted[0][1]
    return Mounts(mounted)


def is_alone(spec: wire.Spec) -> bool:
    """Whether all requests are for one application, at the root."""
    return len(spec.applications) == 1 and spec.applications[0].mount in ("", "/")


def of_application(item: wire.Application) -> Environ:
    """Return the keys that an environ has because of the application that it is for."""
    if item.kind != "script":
        return {}
    return {
        "SCRIPT_FILENAME": os.fsencode(item.target).decode("latin-1"),
        "mod_wsgi.callable_object": item.callable_object,
    }


def _one(
    spec: wire.Spec,
    item: wire.Application,
    rules: ScriptRules,
    log: Log,
    changed: Callable[[str], None],
    loading: Loading,
    fresh: Optional[Freshness],
) -> Application:
    if item.kind == "callable":
        if spec.load == "lazy":
            return Lazy(item.target, lambda: load_callable(item.target), log, loading)
        return load_callable(item.target)
    if item.kind != "script":
        raise StepError("import", "cannot load an application of kind %r" % item.kind)
    watch = ScriptWatch(item.target, log)

    def load() -> Application:
        return script.load_script(item.target, item.callable_object, rules)

    application: Application = Lazy(item.target, load, log, loading)
    if spec.load != "lazy":
        try:
            application = load()
        except ForbiddenError as error:  # nothing of the file has run; it is loaded when the test passes
            log("error", "cannot load the script %s: %s" % (item.target, error))
    application = Guarded(item.target, application, rules, log)
    if spec.script_reloading == "wait" and fresh is not None:
        fresh.watches.append(watch)
    elif spec.script_reloading:
        application = Watched(watch, application, changed)
    return application


class Lazy:
    """Loads at the first request, one thread at a time; a failure answers 500 and the next request tries again.

    startup-timeout counts from the first of them.
    """

    def __init__(self, what: str, load: Callable[[], Application], log: Log, loading: Loading) -> None:
        self._what = what
        self._load = load
        self._log = log
        self._loading = loading
        self._lock = Lock()
        self._application: Optional[Application] = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the application, loading it before if need be."""
        application = self._application
        if application is None:
            try:
                with self._lock:
                    if self._application is None:
                        with self._loading.of(self, ForbiddenError):
                            self._application = self._load()
                    application = self._application
            except ForbiddenError as error:
                return _forbidden(self._log, environ, error, start_response)
            except StepError as failure:
                self._log("error", "%s\n%s" % (failure, failure.trace))
                return _answer(start_response, "500 Internal Server Error")
        result: Iterable[bytes] = application(environ, start_response)
        return result


class Guarded:
    """script-user and script-group, tested on the opened file at each request; 403 when the test fails."""

    def __init__(self, path: str, application: Application, rules: ScriptRules, log: Log) -> None:
        self._path = path
        self._application = application
        self._rules = rules
        self._log = log

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the application or 403."""
        if self._rules.exist:
            try:
                script.check(self._path, self._rules)
            except (ForbiddenError, OSError) as error:
                return _forbidden(self._log, environ, error, start_response)
        result: Iterable[bytes] = self._application(environ, start_response)
        return result


class Mounts:
    """Several applications: the one that a gateway names, else by URL prefix, longest first, at segment boundaries.

    A gateway has split the path already; else SCRIPT_NAME and PATH_INFO follow from the prefix.
    """

    def __init__(self, mounted: Sequence[Tuple[str, Application, Environ, str]]) -> None:
        """Each with its prefix, the keys that its environs have beside, and its name; of two at one prefix the first.

        A name that is unknown counts for nothing: it is that of a route that is about to change.
        """
        # as the paths in an environ are: bytes, each a character (PEP 3333, "Unicode Issues")
        found = [(prefix.rstrip("/").encode().decode("latin-1"), item, keys) for prefix, item, keys, _key in mounted]
        self._mounted = sorted(found, key=lambda item: len(item[0]), reverse=True)
        self._named = {key: (item, keys) for _prefix, item, keys, key in mounted if key}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the application that is named, or of the longest matching mount, else 404."""
        named = self._named.get(environ.get(NAMED, ""))
        if named is not None:
            application, keys = named
            environ.update(keys)
            result: Iterable[bytes] = application(environ, start_response)
            return result
        whole = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        for prefix, application, keys in self._mounted:
            if whole.startswith(prefix) and (len(whole) == len(prefix) or whole[len(prefix)] == "/"):
                environ["SCRIPT_NAME"] = prefix
                environ["PATH_INFO"] = whole[len(prefix) :]
                if keys:
                    environ.update(keys)
                mounted: Iterable[bytes] = application(environ, start_response)
                return mounted
        return _answer(start_response, "404 Not Found")


def _forbidden(log: Log, environ: Environ, error: Exception, start_response: StartResponse) -> Iterable[bytes]:
    log("error", "403 for %s: %s" % (escaped(str(environ.get("PATH_INFO", ""))), error))
    return _answer(start_response, "403 Forbidden")


def _answer(start_response: StartResponse, status: str) -> List[bytes]:
    body = (status.partition(" ")[2] + "\n").encode("ascii")
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
