"""WG01: reading and syntax."""

from __future__ import annotations

from wsgigroups.config.codes.entry import error, note, warning

READING = (
    error(
        "WG0101",
        "A file cannot be opened or read",
        "The file is not there, or its permissions keep the user who runs the command from reading it; or standard "
        "input is closed, or the working directory, at which a relative name starts, was removed. The message has the "
        "system's reason.",
        "Check the name and the permissions. Names in include are relative to the file they stand in; names on the "
        "command line to the working directory.",
        'version = 1\ninclude = ["missing.toml"]\n',
    ),
    error(
        "WG0102",
        "Not a regular file",
        "Configurations are read from regular files. A FIFO, socket or device could block for ever or have no end, so "
        "it is not opened for reading.",
        "Write the configuration into a file, or pass it on standard input with -.",
    ),
    error(
        "WG0103",
        "The file is too large",
        "A file may have 2 MiB, 18000 values and 6000 tables and lists, all files of a configuration 8 MiB. That is "
        "room for well over a thousand groups in each file. YAML that would take very long to read is too large as "
        "well.",
        "Spread a large configuration over several files with include. A file of that size is often not a "
        "configuration at all.",
    ),
    error(
        "WG0104",
        "The file is not UTF-8",
        "TOML is UTF-8 by definition, and YAML is read as UTF-8 here. The caret stands at the first byte that is not.",
        "Save the file as UTF-8 in the editor, or convert it: iconv -f latin1 -t utf-8.",
    ),
    error(
        "WG0105",
        "The file begins with a byte order mark",
        "Some editors put an invisible mark before the first character. Not every reader skips it.",
        "Save the file as UTF-8 without BOM.",
    ),
    error(
        "WG0106",
        "This is not TOML",
        "The text breaks the grammar of TOML 1.0 at the caret. Only the first such place of a file is reported: what "
        "follows cannot be read reliably.",
        "Most often a quote or bracket is missing at the caret or on the line above.",
        "[groups.blog\n",
    ),
    error(
        "WG0107",
        "This is not YAML",
        "The text breaks the grammar of YAML 1.2 at the caret. Only the first such place of a file is reported.",
        "Check the indentation (spaces, never tabs) and quotes on that line and on the line above.",
    ),
    error(
        "WG0108",
        "A key is set twice",
        "One key, two values: which one was meant cannot be told. Tables count too, and a key written once with - and "
        "once with _.",
        "Keep one of the two. The second place is shown as well.",
        '[groups.blog]\napp = "blog:application"\nlisten = ["127.0.0.1:8000"]\nthreads = 5\nthreads = 6\n',
    ),
    error(
        "WG0109",
        "Nested too deeply",
        "Tables and lists lie inside each other more than 32 levels deep. A configuration has six.",
        "Something generated this file, or a bracket is missing.",
        "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1\n",
    ),
    error(
        "WG0110",
        "Aliases stand for too much",
        "YAML aliases of aliases can stand for billions of values in a few lines. Up to 20000 values are read through "
        "aliases, a file may have 1000 anchors, and an alias cannot stand for a table that it is part of.",
        "Put what groups share into [defaults]: it works in TOML as well, and config show names the origin.",
    ),
    error(
        "WG0111",
        "A part of YAML that is not read",
        "Tags (!!python/…), several documents in one file, keys that are not text and merge keys (<<) that stand for "
        "no table have no counterpart in TOML and no meaning here.",
        "Leave the tag out, split the file, write the key as text, or put what groups share into [defaults].",
    ),
    error(
        "WG0112",
        "The file is empty",
        "A configuration has at least a version. An empty file is more often a failed template than a wish to stop all "
        "groups.",
        "Write version = 1, and at least one group. To stop everything, use wsgigroups shutdown.",
    ),
    error(
        "WG0113",
        "The format cannot be told",
        "The suffix of the name decides: .toml is TOML, .yaml and .yml are YAML.",
        "Rename the file.",
    ),
    error(
        "WG0114",
        "Another user could change the file",
        "wsgigroups runs as root and would do what this file says; but the file, or a directory on the way to it, "
        "belongs to another user or can be written by one. Whoever can change it becomes root.",
        "Give the file and its directories to root and let nobody else write there. With sudo, files of the calling "
        "user are accepted. validate only warns.",
    ),
    warning(
        "WG0115",
        "An include matches nothing",
        "The pattern of an include matches no file that ends in .toml, .yaml or .yml.",
        "Check the pattern; it is relative to the file that it stands in.",
        'version = 1\ninclude = ["conf.d/*.toml"]\n',
    ),
    error(
        "WG0116",
        "A file is read twice",
        "The same file is named twice, or includes itself, directly or through others.",
        "Take one of the two out.",
    ),
    error(
        "WG0117",
        "A directory without configuration",
        "A directory on the command line stands for all .toml, .yaml and .yml files in it, not below it. This one has "
        "none.",
        "Check the name of the directory.",
    ),
    error(
        "WG0118",
        "A key is set in two files",
        "Files are equals: none of them wins over another, and so one key in two files is a mistake, unless it is "
        "version with the same value.",
        "Keep one of the two. What shall differ between environments goes into a profile.",
    ),
    error("WG0119", "Too many files", "More than 1000 files are named or included.", "Check the patterns of include."),
    error(
        "WG0120",
        "The file changed while it was read",
        "Somebody wrote the file at that moment; half an old and half a new configuration must never be used.",
        "Write a new file beside it and rename it over the old one.",
    ),
    note(
        "WG0121",
        "More than is shown",
        "Of one file a hundred diagnostics are shown, errors first; this one counts the others, and is as severe as "
        "the worst of them. Of a file with a hundred errors the rest is not looked at.",
        "Begin with the first: one mistake in a template makes many.",
    ),
)
