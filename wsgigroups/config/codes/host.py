"""WG06: the host. Not checked with --offline; with --facts against a recorded host."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, note, warning

HOST = (
    error(
        "WG0601",
        "There is no such user",
        "The user database of the host does not have that name.",
        "Create the user, take the suggestion, or use #number, which needs no entry.",
    ),
    error(
        "WG0602",
        "There is no such group",
        "The group database of the host does not have that name.",
        "Create the group, take the suggestion, or use #number.",
    ),
    error(
        "WG0603",
        "Root under another name",
        "The name stands for user or group 0 on this host. Applications never run as root, whatever it is called.",
        "Name an ordinary user and group.",
    ),
    error(
        "WG0604",
        "python-home cannot be used",
        "The directory is missing, is no environment, or the Python that it was made with is gone.",
        "Make the environment anew: python3 -m venv DIRECTORY.",
    ),
    error(
        "WG0605",
        "Python is too old",
        "Daemons need CPython 3.8 or newer.",
        "Make the environment with a newer Python.",
    ),
    error(
        "WG0606",
        "The user cannot use the interpreter",
        "The processes of the group run as its user, who cannot enter a directory on the way to the interpreter or its "
        "environment, or cannot execute it. Home directories are often closed like that.",
        "Make the environment below /srv or /opt, with an interpreter of the system.",
    ),
    note(
        "WG0607",
        "The interpreter is started as the group's user",
        "The manager runs as root, and another user could change what this interpreter executes: its file, standard "
        "library, a library that it loads, or a directory on the way to one of them. So root does not start it: the "
        "group has a spawner of its own, which runs as the group's user from its first instruction.",
        "Nothing has to be done. A venv made with an interpreter of the system is started by root, and shares memory "
        "with the processes of other groups. chroot needs such an interpreter.",
    ),
    error("WG0608", "The script is missing", "There is no such file on this host.", "Check the path."),
    error(
        "WG0609",
        "The user cannot read the script",
        "The processes of the group run as its user, who cannot enter a directory on the way to the script, or cannot "
        "read it.",
        "Open the directories for that user (chmod o+x), or use another user.",
    ),
    error(
        "WG0610",
        "The script does not compile",
        "The interpreter of the group was asked to compile the file, as the group's user. Nothing of it was executed.",
        "Correct the syntax error; a script written for a newer Python does not compile on an older one.",
    ),
    warning(
        "WG0611",
        "The application was not found",
        "The module, or the callable in it, was not found in python-path, home and the environment of the group. "
        "Modules are looked for and read, not imported, so an unusual one may be there all the same.",
        "Check the spelling and python-path.",
    ),
    error(
        "WG0612",
        "A directory of python-path is missing",
        "A missing directory would be passed over silently by Python, and the import would fail later.",
        "Check the path, or create the directory.",
    ),
    error("WG0613", "A directory is missing", "The option names a directory that is not there.", "Check the path."),
    warning(
        "WG0614",
        "listen-backlog above the system's limit",
        "The system cuts the queue of a listening socket to net.core.somaxconn without a word.",
        "Raise the limit (sysctl net.core.somaxconn), or lower listen-backlog.",
    ),
    warning(
        "WG0615",
        "More threads than the user may have",
        "RLIMIT_NPROC limits the threads of all processes of a user together. This configuration needs more of them.",
        "Raise the limit (LimitNPROC of the systemd unit), or use fewer threads.",
    ),
    warning(
        "WG0616",
        "More memory than the host has",
        "All memory limits together are larger than the memory of the host: they do not keep it from running out.",
        "Lower memory-limit or the number of processes.",
    ),
    warning(
        "WG0617",
        "The locale is not known",
        "The host has no such locale, and programs fall back to C, where file names are ASCII or UTF-8 depending on "
        "the Python version.",
        "Generate it (locale-gen), or use C.UTF-8.",
    ),
    error(
        "WG0618",
        "An environment file cannot be read",
        "environment-files are read when the configuration is applied; this one is missing or closed, "
        "or has a line that no environment can have: one with a NUL character, or one that goes on behind a backslash.",
        "Check the path and its permissions, or the line that the message names.",
    ),
    warning(
        "WG0619",
        "The address is not on this host",
        "No interface of the host has the address, so listening on it fails.",
        "Use an address of the host, 0.0.0.0 or 127.0.0.1.",
    ),
    warning(
        "WG0620",
        "A port that needs root",
        "Ports below net.ipv4.ip_unprivileged_port_start are opened by root only, and this is not root.",
        "Run the manager as root, or use a higher port.",
    ),
    note(
        "WG0621",
        "Without effect for an ordinary user",
        "user, group, supplementary-groups and socket-user need a manager that runs as root; otherwise all "
        "processes run as the manager's user, as WSGIDaemonProcess documents.",
        "Nothing has to be done if that is what is meant.",
    ),
    error(
        "WG0622",
        "Too many groups",
        "The system limits how many groups a process can have (NGROUPS_MAX).",
        "List fewer supplementary-groups.",
    ),
    warning(
        "WG0623",
        "A directory that the user cannot use",
        "The user of the group cannot enter the directory, or cannot write to it where that is what it is for.",
        "Open it for that user, or use another directory.",
    ),
    error(
        "WG0624",
        "Something needs root",
        "A negative cpu-priority can only be set by a manager that runs as root.",
        "Use 0 or more, or run the manager as root.",
    ),
    note(
        "WG0625",
        "Not checked",
        "A check against the host could not be made; the message says why.",
        "Run validate where it can be: on the host itself, or with facts recorded there.",
    ),
    warning(
        "WG0626",
        "An address in use",
        "Another program listens on this address, or on all addresses with this port, so that nobody else can. What "
        "the manager itself listens on does not count.",
        "Stop that program, or use another port.",
    ),
    error(
        "WG0631",
        "Another user could change a path that root uses",
        "The manager runs as root and opens, creates or enters this path: a log, the directory of a UNIX socket, a "
        "chroot. A component of it belongs to another user or can be written by one, who could have root write to "
        "any file by a link. A directory such as /tmp, sticky and root's, protects what root has in it.",
        "Use a path whose directories belong to root and can be written by root alone, such as /var/log/NAME or "
        "/run/NAME; the processes of the group need not be able to enter it.",
    ),
    error(
        "WG0632",
        "Groups of different users share a log by several names",
        "Processes get a log that is theirs alone as a descriptor that they write to, and could overwrite or empty the "
        "lines of others in it. Where groups of different users name the same path, the log writer writes it instead.",
        "Write the path of the log in the same way for all of them, or give each user a log of its own.",
    ),
    warning(
        "WG0633",
        "Groups run as one user",
        "Processes of one user can signal, trace and limit each other, and read each other's environment: between "
        "these groups there is no border.",
        "Give each group that must not trust the others a user of its own.",
    ),
    warning(
        "WG0634",
        "Other users can read secrets",
        "The file sets environment variables that look like secrets, by their names or as URLs with a password, and "
        "every user of the host can read it.",
        "Close the file (chmod o-r), or move the secrets to a file named in environment-files.",
    ),
    warning(
        "WG0635",
        "Every local user is a trusted proxy",
        "trusted-proxies names the loopback address, and the manager runs as root, for several users. Every one of "
        "them can connect from there, and its X-Forwarded-* headers are believed: it can be any client.",
        'Let the proxy connect to a UNIX socket: listen = ["unix:/run/NAME/NAME.sock"], socket-user = "www-data", '
        'trusted-proxies = ["unix"].',
    ),
    warning(
        "WG0636",
        "A path of the confinement that is not there",
        "What is not there when a process starts is not protected when it comes later. The status says that the option "
        'is in force partly; with confinement = "required" the process does not start.',
        "Make the file or directory, or leave it out.",
    ),
    warning(
        "WG0637",
        "Confinement that takes root",
        "protect-proc mounts a /proc, which the kernel does not let an ordinary user do. The status says that the "
        'option is missing; with confinement = "required" the process does not start.',
        "Leave it out, or run the manager as root.",
    ),
    error(
        "WG0641",
        "chroot needs an interpreter that root starts",
        "Another user could change the interpreter of the group, so that it is started as the group's user (WG0607), "
        "and only root can change the root directory of a process.",
        "Make the environment with an interpreter of the system, or leave chroot out.",
    ),
    error(
        "WG0642",
        "chroot needs a manager that runs as root",
        "Only root can change the root directory of a process (chroot(2)), and processes that were to be shut in are "
        "not started outside.",
        "Run the manager as root, or leave chroot out: an ordinary user has the options of confinement.",
    ),
    error(
        "WG0651",
        "A certificate that cannot be used",
        "The files of a site's certificate are not there, cannot be read, hold something else, or the key is that of "
        "another certificate. A file that is not root's alone is read as the gateway's user.",
        "Name the chain that the authority gave, and the key that was made for it, both in PEM.",
    ),
    error(
        "WG0652",
        "A certificate that has ended",
        "No client accepts a certificate after its end. An apply goes on with it all the same: it keeps nothing else "
        "from being changed.",
        "Have a new one made. The gateway takes it over from its file without an apply.",
    ),
    warning(
        "WG0653",
        "A certificate that ends soon",
        "The certificate of a site ends within 14 days. Whoever renews it usually does so a month before.",
        "Have it renewed, and see why that has not happened by itself.",
    ),
    error(
        "WG0654",
        "A page that cannot be read",
        "A page for errors is read by the manager, and as the gateway's user where it is not root's alone; it is at "
        "most 64 KiB of UTF-8.",
        "Name a file that this user can read.",
    ),
    warning(
        "WG0655",
        "An application has the gateway's user",
        "The gateway's processes may read the keys of certificates, and connect to the sockets of all groups, which "
        "believe what they say of clients. A group whose processes have the same user, or group, may do so as well.",
        "Give the gateway a user of its own ([gateway] user), or the groups users of theirs.",
    ),
    error(
        "WG0656",
        "The library that orders certificates is not installed",
        'Sites with certificate = "acme" take an extra of this program, the library acme, which the interpreter of the '
        "manager has to find.",
        "Install it with that interpreter: python -m pip install 'wsgigroups[acme]'.",
    ),
    error(
        "WG0657",
        "nginx is not installed",
        'engine = "nginx" has the manager run the nginx of the distribution as the gateway. There is none in '
        "/usr/sbin, /usr/local/sbin, /usr/bin or /usr/local/bin.",
        "Install it (Debian: apt install nginx-light), and leave the service that comes with it disabled, which would "
        "have the ports. Or leave engine out.",
    ),
)
