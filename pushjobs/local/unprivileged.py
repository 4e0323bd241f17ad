"""Become somebody else than root, then become PostgreSQL: it refuses to run as root, and root is all a container has.

    python unprivileged.py DATA_DIRECTORY -- argv …

First choice: a user namespace of this one process, in which root is called by an ordinary account's number. Files stay
root's, no mode changes. Where namespaces are forbidden: the account `nobody`, which owns the data directory from then
on and keeps one capability, passing through directories that only root may enter. A data directory stays with the way
it was begun. Run by its path in an isolated interpreter, so it imports nothing of ours.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(data: str, command: list[str]) -> None:
    """Give up root in one of the two ways and execute the command; exit 78 (EX_CONFIG) if neither is allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    # initdb wants the number to belong to a named account.
    account = pwd.getpwnam("nobody")
    owner = Path(data).stat().st_uid
    try:
        if owner != os.geteuid() or not _enter_namespace(libc, account):
            _become(libc, account, data)
    except OSError as error:
        sys.exit(f"cannot give up root: {error}")
    os.execv(command[0], command)  # noqa: S606 (no shell, that is the point)


def _enter_namespace(libc: ctypes.CDLL, account: pwd.struct_passwd) -> bool:
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
        return False
    # user_namespaces(7): without CAP_SETGID outside, setgroups must be given up before groups are mapped.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} {gid} 1")
    return True


def _become(libc: ctypes.CDLL, account: pwd.struct_passwd, data: str) -> None:
    for path in (Path(data), *Path(data).rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    _succeed(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    # capabilities(7): inheritable and permitted first, only then ambient, which alone survives execve without root.
    kept = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _succeed(libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)))
    _succeed(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _succeed(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3:])
