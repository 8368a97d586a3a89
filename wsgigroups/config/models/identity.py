"""Options of a group that say as whom and where its processes run. Pure."""

from __future__ import annotations

from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import AnyPath, GroupNames, OrdinaryUser, Umask, User
from wsgigroups.config.models.base import OptionModel, option
from wsgigroups.config.principal_kinds import Operators

_IDENTITY = "a process takes its identity when it starts"


class IdentityOptions(OptionModel):
    """User, group and the like. Names are resolved to numbers when the configuration is applied."""

    user: OrdinaryUser | None = option(
        None,
        "The user whose processes these are: a name, or #uid. Never root. Without effect when the manager does not run "
        "as root; plan says so.",
        default_text="user of [server]; as root without that www-data, else nobody",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="joe",
        related=("group", "supplementary-groups", "home"),
    )
    group: OrdinaryUser | None = option(
        None,
        "The primary group of the processes: a name, or #gid. Never group 0. Without effect when the manager does not "
        "run as root.",
        default_text="group of [server]; where that is not set either, the primary group of user",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example="joe",
        related=("user", "supplementary-groups"),
    )
    supplementary_groups: GroupNames = option(
        (),
        "Further groups of the processes, as a list or as text with commas. The list is complete: nothing is inherited "
        "and the user's entries in the group database do not count.",
        default_text="none: exactly the primary group",
        effect=Effect.REPLACE,
        reason=_IDENTITY,
        example=["media"],
        related=("user", "group"),
    )
    home: AnyPath | None = option(
        None,
        "The working directory, entered as the group's user; a process that cannot enter it does not start. Written, "
        "it also comes first on sys.path.",
        default_text="the home directory of user where user is set, else the manager's working directory at its "
        "start; / where the user cannot enter that or it is not there, as the home of nobody, which plan says",
        effect=Effect.REPLACE,
        reason="a process enters it when it starts",
        example="/srv/blog",
        related=("user", "python-path"),
    )
    umask: Umask | None = option(
        None,
        "File mode creation mask, as octal digits in quotes. A number is refused: 0027 is 23 or 27, depending on the "
        "format.",
        default_text="inherited from the manager",
        effect=Effect.REPLACE,
        reason="set when a process starts",
        example="0027",
    )
    chroot: AnyPath | None = option(
        None,
        "Directory that becomes the root directory of the processes; a manager that does not run as root refuses it. "
        "The script, home, python-path and python-eggs are looked for in it. The documentation of WSGIDaemonProcess "
        "calls it deprecated and names containers instead.",
        default_text="none",
        effect=Effect.REPLACE,
        reason="entered when a process starts",
        example="/srv/jail",
        related=("home",),
    )
    script_user: User | None = option(
        None,
        "The user who must own the script file and its directory, neither of them writable by group or others. Checked "
        "on the opened file at each request; if it does not hold, the answer is 403.",
        default_text="none: not checked",
        effect=Effect.LIVE,
        reason="checked at each request",
        example="joe",
        related=("script-group", "script"),
    )
    script_group: User | None = option(
        None,
        "The group that must own the script file and its directory, neither of them writable by others. Checked like "
        "script-user; only one of the two can be set.",
        default_text="none: not checked",
        effect=Effect.LIVE,
        reason="checked at each request",
        example="web",
        related=("script-user", "script"),
    )
    socket_user: User | None = option(
        None,
        "The owner of the group's UNIX socket files, which have mode 0600: who connects to them, for example the user "
        "of a web server in front. Without effect when the manager does not run as root.",
        default_text="user of [gateway], else user of [server]",
        effect=Effect.REBIND,
        reason="the owner of the socket's file",
        example="www-data",
        related=("listen",),
    )
    operators: Operators = option(
        (),
        "Who may see this group, start, restart and reload it, and deploy new code to it, without being root: users by "
        "name or #uid, members of groups as @name or @#gid. They see nothing of other groups, and may not stop or "
        "scale this one, nor change the configuration.",
        default_text="none: root and the manager's user alone",
        effect=Effect.LIVE,
        reason="the manager asks it at each call",
        example=["joe", "@web"],
        related=("user",),
        extension=True,
    )
