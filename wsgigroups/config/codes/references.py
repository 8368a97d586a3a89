"""WG04: names that refer to each other."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, note, warning

_BLOG = '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n'
_SITE = _BLOG + '\n[sites."www.example.org"]\nlisten = ["0.0.0.0:80"]\n'

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
    note(
        "WG0414",
        "Sites are not served yet",
        "Sites, mounts and static directories are read and checked in full, but this version has no gateway: nothing "
        "listens on the addresses of sites. A group with an address of its own is served there, with the mounts that "
        "lead to it: the longest path that ends at a / of the request's path wins, whatever the host.",
        "Give the groups addresses, and put the web server that you have in front of them.",
        _SITE + 'process-group = "blog"\n',
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
)
