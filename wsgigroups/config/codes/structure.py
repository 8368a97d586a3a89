"""WG02: keys and tables."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, warning

STRUCTURE = (
    error(
        "WG0201",
        "Unknown key",
        "Nothing in this place has that name. A misspelt option that is silently ignored is how limits turn out not to "
        "exist when they are needed.",
        "Take the suggestion, or look at wsgigroups explain for all options.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\nprocceses = 2\n',
    ),
    error(
        "WG0202",
        "The version is missing",
        "version says which format the file has, so that a later format can never be mistaken for this one. One file "
        "of several is enough.",
        "Write version = 1 at the top of the file, above the first table.",
        '# no version here\n[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n',
    ),
    error(
        "WG0203",
        "The version is not known",
        "This wsgigroups reads version = 1, a number without quotes.",
        "Write version = 1; if the file is newer than this program, install a newer program.",
        "version = 2\n",
    ),
    error(
        "WG0204",
        "A table is expected",
        "Here stands a value where a table of options belongs, or the other way round.",
        "In TOML a table begins with its name in brackets: [groups.blog]. In YAML its keys are indented below it.",
        "groups = 3\n",
    ),
    warning(
        "WG0205",
        "Written with underscores",
        "Options are written with hyphens, as in WSGIDaemonProcess. With underscores they are understood as well, and "
        "reported with --strict only.",
        "Replace _ by -.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\nrequest_timeout = "60s"\n',
        strict_only=True,
    ),
    error(
        "WG0206",
        "The name of a group",
        "Names of groups stand in log files, process titles and URLs of the control API. They consist of letters, "
        "digits, '.', '_' and '-', have at most 64 characters and begin with a letter or digit; manager and gateway "
        "are taken.",
        "Choose another name.",
        '[groups."../blog"]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n',
    ),
    error(
        "WG0208",
        "A host name",
        "The name of a site is its server name, and aliases are host names, with * for the first label at most.",
        "Write the name without scheme, port and path: www.example.org.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n\n[sites."http://example.org"]\n',
    ),
    error(
        "WG0209",
        "There is no such profile",
        "--profile names a table below profiles, and no file has it.",
        "Take the suggestion, or define [profiles.NAME].",
    ),
    error(
        "WG0210",
        "A profile changes what is not there",
        "A profile changes groups and sites that the files define. One it names is not among them, which is most often "
        "a misspelt name.",
        "Correct the name, or define the group outside of the profile.",
    ),
    error(
        "WG0211",
        "A key is missing",
        "A mount needs its path, a static directory its path and directory.",
        "Add the key.",
        '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n\n'
        '[[sites."www.example.org".mounts]]\nprocess-group = "blog"\n',
    ),
)
