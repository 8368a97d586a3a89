"""What a virtual host says of itself: names, addresses, logs, certificates, files, redirections. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from wsgigroups.config.show import literal
from wsgigroups.interop.importers.apache.groups import read_value
from wsgigroups.interop.importers.apache.words import NEEDLESS, NEEDLESS_WITH, sentence_for
from wsgigroups.interop.importers.values import SINGLE_FILE, address, host_name, is_on, is_single_file, number, url_path

if TYPE_CHECKING:
    from wsgigroups.interop.importers.apache.reading import ApacheHost, ApacheReader, Placed
    from wsgigroups.interop.importers.apache.syntax import Directive
    from wsgigroups.interop.importers.draft import Draft, Place

NAMELESS = "localhost"
_COMBINED = ('"%r"', "%{Referer}i", "%{User-agent}i")
_PLAIN_MATCH = re.compile(r"\^?(/(?:[\w./-]*[\w.-])?)(?:/\(\.[*+]\)|\(/\.\*\)\??)\$?")
_TO_HTTPS = re.compile(
    r"https://(?:%\{(?:HTTP_HOST|SERVER_NAME)\}|[^/%$]+)(?:/?|%\{REQUEST_URI\}|/?\$[01])?", re.IGNORECASE
)
_MAX_AGE = re.compile(r"max-age=\"?(\d+)")
_OWN_ERRORS = frozenset({"404", "405", "502", "503", "504"})
_WORLD = {"all", "granted", "from", "env=", "any"}


class SiteWriter:
    """Puts the directives of one virtual host into one table of sites."""

    def __init__(self, draft: Draft, reader: ApacheReader, host: ApacheHost, place: Place) -> None:
        self._draft = draft
        self._reader = reader
        self._host = host
        self._place = place
        self._formats = {item.word(1): item.word(0) for item in reader.hosts[0].all("logformat") if item.word(1)}
        self._formats |= {item.word(1): item.word(0) for item in host.all("logformat") if item.word(1)}

    def put_names(self) -> None:
        """Aliases. The server name is the table's."""
        aliases: list[str] = []
        own = str(self._draft.table(self._place).get("server-name", self._place[1]))
        for directive in self._host.all("serveralias"):
            for word in directive.words:
                name = host_name(word)
                if name is None:
                    sentence = f"{word} is no host name, or a pattern that is none of the kind *.example.org"
                    self._draft.drop(directive.setting, sentence)
                elif name != own and name not in aliases:
                    aliases.append(name)
            if aliases:
                self._draft.put(self._place, "aliases", list(aliases), directive.setting)

    def put_logs(self, server: ApacheHost) -> None:
        """ErrorLog, CustomLog, TransferLog; the server's where the host has no access log of its own."""
        error_log = self._host.last("errorlog")
        if error_log is not None:
            put_error_log(self._draft, self._reader, self._place, error_log)
        own, shared = ([*host.all("customlog"), *host.all("transferlog")] for host in (self._host, server))
        for directive in own or shared:
            target = directive.word(0)
            if target.startswith("|"):
                self._draft.drop(
                    directive.setting, "logs go to files: log-rotate-size of [server] renames those of groups"
                )
            elif "access-log" in self._draft.table(self._place):
                self._draft.drop(directive.setting, sentence_for("customlog"))
            else:
                self._access_log(directive, target)

    def _access_log(self, directive: Directive, target: str) -> None:
        value, sentence = read_value("log", self._reader.absolute(target))
        layout = self._formats.get(directive.word(1), directive.word(1))
        if directive.word(1) not in ("combined", "vhost_combined") and not all(part in layout for part in _COMBINED):
            sentence = sentence or "lines have the combined format"
        if directive.word(2).startswith(("env=", "expr=")):
            sentence = "all requests are logged, whatever the condition"
        self._draft.put(self._place, "access-log", value, directive.setting, sentence)

    def put_certificate(self, server: ApacheHost) -> None:
        """SSLCertificateFile and what belongs to it, of this host or of the server."""
        engine = self._host.last("sslengine") or server.last("sslengine")
        if engine is not None and not is_on(engine.word(0)) and engine.word(0).lower() != "optional":
            return
        certificate = self._host.last("sslcertificatefile") or (
            server.last("sslcertificatefile") if engine is not None else None
        )
        if certificate is None:
            return
        key = self._host.last("sslcertificatekeyfile") or server.last("sslcertificatekeyfile") or certificate
        for option, directive in (("certificate", certificate), ("certificate-key", key)):
            value, sentence = read_value("path", self._reader.absolute(directive.word(0)))
            self._draft.put(self._place, option, value, directive.setting, sentence)
        protocol = self._host.last("sslprotocol") or server.last("sslprotocol")
        if protocol is not None:
            words = " ".join(protocol.words).lower().replace("-all", "")
            newest_only = "tlsv1.3" in words and "tlsv1.2" not in words.replace("-tlsv1.2", "") and "all" not in words
            newest_only = newest_only or "-tlsv1.2" in words
            if newest_only:
                self._draft.put(self._place, "tls-minimum", "1.3", protocol.setting)
            else:
                self._draft.note((*self._place, "tls-minimum"), protocol.setting)

    def put_static(self, taken: set[str]) -> None:
        """Alias and AliasMatch; the first one of a path holds. taken: paths, which are added to."""
        for item in self._host.directives:
            directive = item.directive
            if directive.name not in ("alias", "aliasmatch"):
                continue
            words = directive.words if len(directive.words) > 1 else (*(_location(item) or ()), *directive.words)
            if len(words) < 2:
                self._draft.drop(directive.setting, "it does not say for which path")
                continue
            self._static(directive, words[0], words[1], taken)

    def _static(self, directive: Directive, url: str, target: str, taken: set[str]) -> None:
        prefix = url_path(url)
        sentence = ""
        if directive.name == "aliasmatch":
            prefix, target, sentence = _plain_alias(url, target)
        if prefix is None:
            self._draft.drop(directive.setting, "a static directory has one path, and no pattern")
            return
        directory = self._reader.absolute(target)
        if prefix in taken:
            self._draft.drop(directive.setting, f"{prefix} is taken by what stands before it")
        elif is_single_file(prefix, directory) and not target.endswith("/"):
            self._draft.drop(directive.setting, SINGLE_FILE)
        else:
            value, missing = read_value("path", directory)
            taken.add(prefix)
            place = self._draft.append(self._place, "static", directive.setting.what)
            self._draft.table(place).update({"path": prefix, "directory": value})
            self._draft.note(place, directive.setting, missing or sentence)

    def put_document_root(self, server: ApacheHost, taken: set[str], mounted: set[str]) -> None:
        """DocumentRoot, where no application answers for everything; DirectoryIndex."""
        root = self._host.last("documentroot") or server.last("documentroot")
        if root is not None and "/" in mounted | taken:
            self._draft.needless(root.setting)
        elif root is not None:
            value, sentence = read_value("path", self._reader.absolute(root.word(0)))
            place = self._draft.append(self._place, "static", root.setting.what)
            self._draft.table(place).update({"path": "/", "directory": value})
            sentence = sentence or "files below it are served, but for names that begin with a dot"
            self._draft.note(place, root.setting, sentence)
        index = self._host.last("directoryindex") or server.last("directoryindex")
        if index is not None and self._draft.table(self._place).get("static"):
            sentence = "the first name is the one that is looked for" if len(index.words) > 1 else ""
            self._draft.put(self._place, "index", index.word(0), index.setting, sentence)
        elif index is not None:
            self._draft.needless(index.setting)

    def put_rest(self, done: frozenset[str]) -> None:
        """Redirections to https, Strict-Transport-Security, pages for errors; and say what is left."""
        for item in self._host.directives:
            name = item.directive.name
            if name in done:
                continue
            if self._leads_to_https(item):
                self._draft.put(self._place, "redirect-to-https", True, item.directive.setting)
            elif name == "header" and self._is_hsts(item.directive):
                continue
            elif name == "errordocument":
                self._error_page(item.directive)
            elif not self._is_needless(item):
                self._draft.drop(item.directive.setting, sentence_for(name))

    def _leads_to_https(self, item: Placed) -> bool:
        directive = item.directive
        words = [word for word in directive.words if word.lower() not in ("permanent", "temp", "301", "302", "308")]
        if directive.name == "redirect":
            return len(words) == 2 and words[0] == "/" and bool(_TO_HTTPS.fullmatch(words[1]))
        if directive.name == "redirectmatch" or directive.name == "rewriterule":
            everything = bool(words) and words[0] in (
                "^",
                "^(.*)$",
                "(.*)",
                "^.*$",
                ".*",
                "^/(.*)",
                "^/?(.*)",
                "^/?(.*)$",
                "^/(.*)$",
            )
            return everything and len(words) > 1 and bool(_TO_HTTPS.fullmatch(words[1]))
        return False

    def _is_hsts(self, directive: Directive) -> bool:
        words = [word.lower() for word in directive.words]
        if "strict-transport-security" not in words:
            return False
        age = _MAX_AGE.search(directive.text)
        if age is None or "certificate" not in self._draft.table(self._place):
            return False
        sentence = "subdomains and preload lists are not named" if ";" in directive.text else ""
        self._draft.put(self._place, "hsts", f"{age[1]}s", directive.setting, sentence)
        return True

    def _error_page(self, directive: Directive) -> None:
        status, target = directive.word(0), directive.word(1)
        root = self._host.last("documentroot")
        if status not in _OWN_ERRORS or not target.startswith("/"):
            self._draft.drop(
                directive.setting, "pages are files, for errors of the gateway's own: 404, 405, 502, 503 and 504"
            )
            return
        directory = None
        for alias in self._host.all("alias"):
            if target.startswith(alias.word(0).rstrip("/") + "/"):
                directory = posixpath.join(alias.word(1), target[len(alias.word(0).rstrip("/")) + 1 :])
        if directory is None and root is not None:
            directory = posixpath.join(root.word(0), target.lstrip("/"))
        if directory is None:
            self._draft.drop(directive.setting, "it is not known which file that is")
            return
        sentence = "only for errors of the gateway's own; what an application answers is never replaced"
        page = literal(self._reader.absolute(directory))
        self._draft.put(self._place, "error-pages", {status: page}, directive.setting, sentence)

    def _is_needless(self, item: Placed) -> bool:
        name, words = item.directive.name, [word.lower() for word in item.directive.words]
        if name in NEEDLESS or (name in NEEDLESS_WITH and set(words) <= NEEDLESS_WITH[name]):
            self._draft.needless(item.directive.setting)
            return True
        open_to_all = name in ("require", "allow", "order", "satisfy") and (
            words[:2] == ["all", "granted"] or "all" in words
        )
        # nobody gets at files of the whole system here, nor at names that begin with a dot
        of_system = name in ("require", "deny", "order") and any(_is_closed_here(section) for section in item.within)
        harmless = name == "order" or (name == "options" and not {"indexes", "+indexes", "all"} & set(words))
        rewriting = name in ("rewriteengine", "rewritecond") and "redirect-to-https" in self._draft.table(self._place)
        rewriting = rewriting or (name == "rewriteengine") or (name == "rewritecond" and self._only_to_https())
        if (open_to_all and "denied" not in words and name != "deny") or of_system or harmless or rewriting:
            self._draft.needless(item.directive.setting)
            return True
        return False

    def _only_to_https(self) -> bool:
        rules = [item for item in self._host.directives if item.directive.name == "rewriterule"]
        return bool(rules) and all(self._leads_to_https(item) for item in rules)


def put_error_log(draft: Draft, reader: ApacheReader, place: Place, directive: Directive) -> None:
    """Put an ErrorLog."""
    target = directive.word(0)
    if target.startswith("|"):
        draft.drop(directive.setting, "logs go to files: log-rotate-size of [server] renames them")
    elif target.split(":")[0] == "syslog":
        draft.put(place, "error-log", "/dev/log", directive.setting, "facility and tag are those of wsgigroups")
    else:
        value, sentence = read_value("log", target if target.startswith("/dev/") else reader.absolute(target))
        draft.put(place, "error-log", value, directive.setting, sentence)


def addresses_of(draft: Draft, host: ApacheHost, server: ApacheHost) -> list[str]:
    """Where a virtual host is listened for; for the main server, and * alone, what Listen says."""
    listened = [found for item in server.all("listen") if (found := address(item.word(0), 80))]
    if host.section is None:
        return list(dict.fromkeys(listened)) or ["0.0.0.0:80"]
    addresses: list[str] = []
    for word in host.section.words or ("*",):
        if word in ("*", "_default_"):
            addresses += listened or ["0.0.0.0:80"]
            continue
        port = number(word.rpartition(":")[2]) if ":" in word else None
        known = address(word.replace(":*", ""), port or 80)
        if known is None:
            known = f"0.0.0.0:{port or 80}"
            draft.note(
                ("sites",), host.section.setting, f"{word} is not looked up: it listens on every address of the host"
            )
        addresses.append(known)
    return list(dict.fromkeys(addresses))


def _location(item: Placed) -> tuple[str] | None:
    return next(((section.word(0),) for section in reversed(item.within) if section.name == "location"), None)


def _plain_alias(pattern: str, target: str) -> tuple[str | None, str, str]:
    """An AliasMatch that is an Alias in other words: path, directory and a sentence; None for the path otherwise."""
    found = _PLAIN_MATCH.fullmatch(pattern)
    rest = re.fullmatch(r"(/.*?)/?\$1/?", target)
    if found is None or rest is None:
        return None, target, ""
    return url_path(found[1]), rest[1], "the pattern is written as a path"


def _is_closed_here(section: Directive) -> bool:
    named = section.word(1) if section.word(0) == "~" else section.word(0)
    if section.name == "directory":
        return named.rstrip("/") in ("", "/usr/share")
    return section.name in ("files", "filesmatch", "directorymatch") and bool(
        re.match(r"[\^(/\\]*\.(?:\(|ht|git|svn)|.*\\?\.(?:git|ht|svn)", named)
    )
