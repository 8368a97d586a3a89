"""WG04: names that refer to each other."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, warning

_BLOG = '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n'
_SITE = _BLOG + '\n[sites."www.example.org"]\nlisten = ["0.0.0.0:80"]\n'
_ACME = _SITE.replace("0:80", "0:443") + 'process-group = "blog"\ncertificate = "acme"\n'
_AGREED = "\n[gateway]\nacme-terms-agreed = true\n"

REFERENCES = (
    error(
        "WG0401",
        "A group has no application",
        "A group runs the callable that app names, the file that script names, or what the mounts of a site name. This "
        "one has none of them.",
        "Set app or script.",
        '[groups.blog]\nlisten = ["127.0.0.1:8000"]\n',
    ),
    error(
        "WG0402",
        "Both app and script",
        "A group, and a mount, has one application.",
        "Keep one of the two. Several applications in one group are mounts of a site.",
        _BLOG + 'script = "/srv/blog/blog.wsgi"\n',
    ),
    error(
        "WG0403",
        "callable-object without script",
        "callable-object names the variable in a script file. With app the name stands behind the colon.",
        "Move the name into app, or use script.",
        _BLOG + 'callable-object = "app"\n',
    ),
    error(
        "WG0404",
        "There is no such process group",
        "A site or mount names a process group that no file defines.",
        "Take the suggestion, or define the group.",
        _SITE + 'process-group = "blogg"\n',
    ),
    error(
        "WG0405",
        "The group belongs to another site",
        "A group that is defined in a site can be used by sites with the same server name only (any port; aliases do "
        "not count), as a WSGIDaemonProcess inside a VirtualHost.",
        "Define the group at the top level, or use one that this site may use.",
        '[sites."a.example.org".groups.private]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n\n'
        '[sites."b.example.org"]\nprocess-group = "private"\n',
    ),
    error(
        "WG0406",
        "A mount without a group",
        "mod_wsgi would run such an application inside Apache's own processes. There is no such embedded mode here.",
        "Set process-group in the mount or in the site.",
        _SITE + '\n[[sites."www.example.org".mounts]]\npath = "/"\n',
    ),
    error(
        "WG0407",
        "Two mounts at one path",
        "A URL prefix leads to one place.",
        "Change or remove one of the two. A longer prefix may lie below a shorter one.",
        _SITE + 'process-group = "blog"\n\n[[sites."www.example.org".mounts]]\npath = "/"\n\n'
        '[[sites."www.example.org".mounts]]\npath = "/"\n',
    ),
    error(
        "WG0408",
        "Two groups with one name",
        "Names of groups are unique over all files and all sites, as WSGIDaemonProcess demands.",
        "Rename one of the two.",
        _BLOG + '\n[sites."www.example.org".groups.blog]\napp = "other.wsgi:application"\n'
        'listen = ["127.0.0.1:8001"]\n',
    ),
    error(
        "WG0409",
        "An address is listened on twice",
        "Two groups cannot listen on one address. 0.0.0.0 and [::] take every address of their port, so they clash "
        "with specific addresses as well.",
        "Use another port or another address.",
        _BLOG + '\n[groups.shop]\napp = "shop.wsgi:application"\nlisten = ["0.0.0.0:8000"]\n',
    ),
    error(
        "WG0410",
        "script-user and script-group together",
        "The documentation of WSGIDaemonProcess allows one of them at a time.",
        "Keep the one that you mean.",
        '[groups.blog]\nscript = "/srv/blog/blog.wsgi"\nlisten = ["127.0.0.1:8000"]\nscript-user = "joe"\n'
        'script-group = "web"\n',
    ),
    error(
        "WG0411",
        "No script file to check",
        "script-user and script-group check the owner of script files. A group that only has dotted callables has "
        "none, and a check that never happens must not look like one.",
        "Name the application with script, or leave the check out.",
        _BLOG + 'script-user = "joe"\n',
    ),
    warning(
        "WG0412",
        "Nothing leads to the group",
        "The group has an application, but neither an address nor a mount: it would run and never get a request.",
        "Set listen, or mount it in a site.",
        '[groups.blog]\napp = "blog.wsgi:application"\n',
    ),
    error(
        "WG0413",
        "Half of a certificate",
        "TLS takes a certificate and its key.",
        "Set both certificate and certificate-key.",
        _SITE + 'process-group = "blog"\ncertificate = "/etc/ssl/example/fullchain.pem"\n',
    ),
    warning(
        "WG0414",
        "Nothing listens for the site",
        "A site is served on its addresses, and this one has none: nobody reaches its mounts and static directories, "
        "unless the groups of all its mounts listen themselves. "
        "Groups that it defines can be used by other sites of its server name.",
        "Set listen.",
        _BLOG + '\n[sites."www.example.org"]\nprocess-group = "blog"\n',
    ),
    warning(
        "WG0415",
        "One host name, two sites",
        "Two sites have the same host name on the same address. The first one answers, the second is never reached.",
        "Use different names or addresses, or put the mounts into one site.",
        _SITE + 'process-group = "blog"\n\n[sites.second]\nserver-name = "www.example.org"\nlisten = ["0.0.0.0:80"]\n',
    ),
    warning(
        "WG0416",
        "One path, two applications",
        "A group answers on an address of its own, and two sites mount different applications of it at one path. On "
        "that address the host of a request means nothing: the application of the first site answers.",
        "Mount one of them for a group of its own, or at another path.",
        _SITE + 'process-group = "blog"\n\n[[sites."www.example.org".mounts]]\npath = "/"\napp = "blog:one"\n\n'
        '[sites."other.example.org"]\nlisten = ["0.0.0.0:80"]\nprocess-group = "blog"\n\n'
        '[[sites."other.example.org".mounts]]\npath = "/"\napp = "blog:two"\n',
    ),
    error(
        "WG0417",
        "One address, with TLS and without",
        "Whether an address speaks TLS is decided before a client says which host it wants: all sites there do, or "
        "none. A site with a certificate has TLS on all of its addresses but those on port 80.",
        "Give both sites certificates, or one of them another address.",
        _SITE.replace("0:80", "0:8443") + 'process-group = "blog"\n\n[sites."other.example.org"]\n'
        'listen = ["0.0.0.0:8443"]\nprocess-group = "blog"\ncertificate = "/etc/ssl/example/fullchain.pem"\n'
        'certificate-key = "/etc/ssl/example/privkey.pem"\n',
    ),
    error(
        "WG0418",
        "Something that the engine of the gateway cannot do",
        "HTTP/2 and compression take nginx as the engine. A certificate of an authority takes, with nginx, the "
        "challenge http-01.",
        'Leave the option out, or choose the other engine: [gateway] engine = "nginx", or "embedded".',
        _SITE + 'process-group = "blog"\n\n[gateway]\nhttp2 = true\n',
    ),
    warning(
        "WG0419",
        "An option of TLS without a certificate",
        "The option has a meaning for sites that speak TLS, and this one has no certificate: nothing would come of it.",
        "Set certificate and certificate-key, or leave the option out.",
        _SITE + 'process-group = "blog"\nhsts = "365d"\n',
    ),
    error(
        "WG0420",
        "A key beside acme",
        "The certificate comes from an authority, and the manager makes the key that belongs to it.",
        "Leave certificate-key out, or name a certificate file.",
        _ACME + 'certificate-key = "/etc/ssl/example/privkey.pem"\n' + _AGREED,
    ),
    error(
        "WG0421",
        "A wildcard that no authority gives",
        "An authority gives a certificate for a wildcard to whom can change the DNS of the name (dns-01), which this "
        "program cannot do.",
        "List the names, or have another program keep a certificate file.",
        _ACME + 'aliases = ["*.example.org"]\n' + _AGREED,
    ),
    error(
        "WG0422",
        "The terms of the authority are not agreed to",
        "An authority gives certificates to those who agree to its terms of service, and only you can do that.",
        "Read them, and set acme-terms-agreed = true in [gateway].",
        _ACME,
    ),
    warning(
        "WG0423",
        "A port where the authority finds nobody",
        "For tls-alpn-01 the authority connects to port 443 of the name, for http-01 to port 80. Nothing of this "
        "configuration is served there; that is right where another machine leads that port here.",
        "Serve a site there, or set acme-challenge in [gateway].",
        _ACME.replace("0:443", "0:8443") + _AGREED,
    ),
    warning(
        "WG0424",
        "Something that nginx does otherwise",
        "nginx cannot heed the option as the embedded gateway does. What it does instead is in the message, "
        "and the whole list in docs/gateway.md.",
        "Leave the option out, or have sites served by the embedded gateway.",
        _SITE + 'process-group = "blog"\nproxy-protocol = ["10.0.0.7/32"]\n\n[gateway]\nengine = "nginx"\n',
    ),
    error(
        "WG0426",
        "Figures of this machine for everybody",
        "health-listen and metrics-listen answer whoever connects, without asking who that is: names of groups, their "
        "state, how much they have to do. So they are for this machine, unless the file says otherwise.",
        "Listen on the loopback interface or on a UNIX socket; or set health-public = true, in a container for "
        "example, where nobody else has the network.",
        _BLOG + '\n[server]\nhealth-listen = "0.0.0.0:9180"\n',
    ),
    error(
        "WG0428",
        "A dashboard for other machines",
        "The dashboard has no TLS, and answers nobody who asks for another name than this machine's own: it would "
        "show everything to whoever can read the network.",
        "Listen on a port of the loopback interface. From another machine it is reached by "
        "`ssh -L 9000:127.0.0.1:9000 HOST`.",
        _BLOG + '\n[server]\ndashboard = "0.0.0.0:9000"\n',
    ),
)
