"""WG03: single values."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error

_BLOG = '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n'

VALUES = (
    error(
        "WG0301",
        "The type of a value",
        "Numbers stand without quotes, text in quotes, true and false without, lists in brackets. Nothing is "
        'converted: threads = "5" could as well be a mistake.',
        "Write the value as the message says. wsgigroups explain KEY has an example.",
        _BLOG + 'threads = "5"\n',
    ),
    error(
        "WG0302",
        "A number out of bounds",
        "The option has a least or a largest value; the message names them.",
        "Choose a value within the bounds. wsgigroups explain KEY says what they are for.",
        _BLOG + "threads = 5000\n",
    ),
    error(
        "WG0303",
        "A duration that cannot be read",
        "Durations are numbers of seconds, or numbers with units from large to small: d, h, m, s, ms, as in 1h30m. "
        "Other programs read 1m as 1 and abc as 0; here both are either right or an error.",
        'Write 90, "90s", "5m", "1h30m" or "250ms".',
        _BLOG + 'request-timeout = "one minute"\n',
    ),
    error(
        "WG0304",
        "A size that cannot be read",
        "Sizes are numbers of bytes, or numbers with K, M, G or T (KiB, MiB, … mean the same): powers of 1024. KB and "
        "MB are refused, because half of the readers takes them for powers of 1000.",
        'Write 536870912, "512M" or "512MiB".',
        _BLOG + 'memory-limit = "512MB"\n',
    ),
    error(
        "WG0305",
        "Not one of the choices",
        "The option takes one of a few words.",
        "Take one of the words that the message lists.",
        _BLOG + 'load = "later"\n',
    ),
    error(
        "WG0306",
        "An address that cannot be read",
        "Addresses are HOST:PORT with an IPv4 address, [IPv6]:PORT, or unix:/path. Names of hosts are refused, because "
        "they may stand for several addresses and change; localhost is taken for 127.0.0.1. Abstract sockets "
        "(unix:@name) are refused, because they have neither owner nor mode.",
        'Write "127.0.0.1:8000", "0.0.0.0:80", "[::1]:8000" or "unix:/run/blog.sock".',
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["8000"]\n',
    ),
    error(
        "WG0307",
        "A path that cannot be used",
        "Paths are absolute, or relative to the file they stand in. ~ is not replaced: the configuration is read by "
        "root as often as by its author. URL paths begin with / and have no empty or dotted parts.",
        "Write the whole path, or use ${HOME}.",
        _BLOG + 'home = "~/blog"\n',
    ),
    error(
        "WG0308",
        "The name of a user or group",
        "Users and groups are names, or numbers with # before them. A number alone could be either.",
        'Write "joe" or "#1000".',
        _BLOG + 'user = "1000"\n',
    ),
    error(
        "WG0309",
        "Applications never run as root",
        "WSGIDaemonProcess refuses to run applications as root, and so does wsgigroups: here, when names are resolved, "
        "and again in the process itself. That holds for the user, the group and supplementary groups.",
        "Name an ordinary user. Ports below 1024 do not need root: the manager opens them.",
        _BLOG + 'user = "root"\n',
    ),
    error(
        "WG0310",
        "The umask",
        "A umask is octal. Written as a number, 0027 is refused by TOML, is 27 to YAML 1.2 and 23 to YAML 1.1.",
        'Write it in quotes: umask = "0027".',
        _BLOG + "umask = 27\n",
    ),
    error(
        "WG0311",
        "A callable that cannot be read",
        "An application is named package.module:callable, a factory package.module:callable(). Files are named with "
        "script.",
        'Write app = "blog.wsgi:application" or script = "/srv/blog/blog.wsgi".',
        '[groups.blog]\napp = "blog/wsgi.py"\nlisten = ["127.0.0.1:8000"]\n',
    ),
    error(
        "WG0312",
        "An environment variable",
        "Names are letters, digits and _, not beginning with a digit. Values are text; a number or boolean would have "
        "to be turned into text in some way, and True, true and 1 are different texts.",
        'Write the value in quotes: DEBUG = "1".',
        _BLOG + "environment = { DEBUG = 1 }\n",
    ),
    error(
        "WG0313",
        "The name of a locale",
        "Locales are named as locale -a lists them.",
        'Write for example "en_US.UTF-8" or "C.UTF-8".',
        _BLOG + 'locale = "English (US)"\n',
    ),
    error(
        "WG0314",
        "A network that cannot be read",
        "trusted-proxies takes networks in CIDR notation with no bits set behind the prefix, or unix.",
        'Write "10.0.0.0/8", "192.0.2.7/32" or "unix".',
        _BLOG + 'trusted-proxies = ["10.0.0.1/8"]\n',
    ),
    error(
        "WG0315",
        "The socket path is too long",
        "The path of a UNIX socket has at most 107 bytes (unix(7)). It is counted after relative paths were joined to "
        "the directory of the file.",
        "Use a shorter path, for example below /run.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["unix:/run/' + "blog" * 26 + '.sock"]\n',
    ),
    error(
        "WG0316",
        "A variable that is not set",
        "${NAME} is replaced by the environment variable of the process that reads the file, and this one is not set.",
        "Set it, write ${NAME:-default}, or $${NAME} for the characters themselves.",
        _BLOG + 'home = "${WSGIGROUPS_EXAMPLE_THAT_IS_NOT_SET}/blog"\n',
    ),
    error(
        "WG0317",
        "A variable where none is replaced",
        "Variables are replaced in environment, in paths and in socket paths, and nowhere else: a limit or a user that "
        "depends on who reads the file cannot be checked.",
        "Use a profile for what differs between environments.",
        _BLOG + 'display-name = "blog of ${DEPLOY_USER}"\n',
    ),
    error(
        "WG0318",
        "An empty or unprintable text",
        "The text is empty, has an empty item, or holds control characters.",
        "Leave the key out to get the default, or correct the text.",
        _BLOG + 'user = ""\n',
    ),
    error(
        "WG0319",
        "An item stands in a list twice",
        "The same address, path, name or network is listed more than once.",
        "Take one of them out.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000", "127.0.0.1:8000"]\n',
    ),
    error(
        "WG0320",
        "A word that the kernel does not know",
        "restrict-address-families, system-call-filter and restrict-namespaces take names of the kernel, and the sets "
        "of system calls that systemd knows. A ~ turns a whole list round, so that it stands before its first item "
        "and nowhere else.",
        "Correct the name; systemd.exec(5) has the sets, syscalls(2) the calls and socket(2) the families.",
        _BLOG + 'system-call-filter = ["@sytem-service"]\n',
    ),
    error(
        "WG0321",
        "A percentage that cannot be read",
        "Percentages are text: whole numbers with a % behind them. A number alone could be a share, too.",
        'Write "50%", or "150%" for one and a half of it.',
        _BLOG + "cpu-quota = 0.5\n",
    ),
    error(
        "WG0322",
        "A number or part of processes that cannot be read",
        "max-surge, max-unavailable and canary take a number of processes, or a percentage of all as text.",
        'Write 1, or "25%".',
        _BLOG + 'rollout.max-surge = "half"\n',
    ),
    error(
        "WG0323",
        "A URL that is none",
        "The directory of a certificate authority is a URL with https: whoever could change what it says could have "
        "certificates made.",
        "Write it from https:// on.",
        _BLOG + '\n[gateway]\nacme-directory = "http://acme.example.org/directory"\n',
    ),
    error(
        "WG0324",
        "An e-mail address that is none",
        "A certificate authority writes to one address, without a name and without mailto.",
        'Write "admin@example.org".',
        _BLOG + '\n[gateway]\nacme-contact = "the admin"\n',
    ),
    error(
        "WG0325",
        "What no cluster would take",
        "Names of objects of a Kubernetes cluster have lower-case letters, digits, hyphens and dots. An image is named "
        "by its repository, with a tag or digest; processors are a number, or thousandths of one with m.",
        "Write it as the message says.",
        _BLOG + '\n[kubernetes]\nnamespace = "My_Space"\n',
    ),
)
