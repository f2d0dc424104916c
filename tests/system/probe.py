"""Try what a sandbox must forbid and what it must not; one line of JSON.

Copied to a machine and run there by its own Python, with the settings of the service
and once without: an attempt that fails either way proves nothing.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
STATE = Path("/var/lib/pilothat")
NEW_USER, NEW_NET = 0x1000_0000, 0x4000_0000  # CLONE_*
TRACE_ME = 0
MODULE = {"x86_64": 175, "aarch64": 105}  # init_module
LOCK_ALL = 3


def call(name: str, *arguments: object) -> None:
    """Make a call of the C library. Raises OSError."""
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write(path: str | Path) -> None:
    Path(path).write_text("x")
    Path(path).unlink()


def load_module() -> None:
    """Load nothing: what is allowed to is told that this is no module."""
    try:
        call("syscall", MODULE[os.uname().machine], b"", 0, b"")
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def block_device() -> None:
    path = STATE / "disk"
    os.mknod(path, 0o060600, os.makedev(1, 0))
    path.unlink()


def set_the_clock() -> None:
    """Set it to what it is."""
    call("settimeofday", struct.pack("ll", int(time.time()), 0), None)


def set_user_id() -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o4755)


def in_child(deed: Callable[[], None]) -> Callable[[], None]:
    """Do it in a process of its own: it would change this one."""

    def tried() -> None:
        child = os.fork()
        if not child:
            try:
                deed()
            except OSError as error:
                os._exit(error.errno or 1)
            os._exit(0)
        if number := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise OSError(number, os.strerror(number))

    return tried


FORBIDDEN: Mapping[str, Callable[[], object]] = {
    "write /etc": lambda: write("/etc/x"),
    "write /usr": lambda: write("/usr/x"),
    "write /var/log": lambda: write("/var/log/x"),
    "write the kernel's settings": lambda: write("/proc/sys/kernel/printk"),
    "write /sys": lambda: Path("/sys/class/net/lo/ifalias").write_text("x"),
    "read another user's file": lambda: Path("/etc/shadow").read_bytes(),
    "look into /root": lambda: list(Path("/root").iterdir()),
    "see another user's process": lambda: Path("/proc/1/comm").read_text(),
    "make a block device": block_device,
    "load a module": load_module,
    "new user namespace": in_child(lambda: call("unshare", NEW_USER)),
    "new network namespace": in_child(lambda: call("unshare", NEW_NET)),
    "mount": in_child(lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None)),
    "trace": in_child(lambda: call("ptrace", TRACE_ME, 0, 0, 0)),
    "set the clock": set_the_clock,
    "set the host's name": lambda: call("sethostname", b"x", 1),
    "be another user": in_child(lambda: os.setuid(1)),
    "give a file to others' rights": set_user_id,
    "write memory that is run": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "another kind of socket": lambda: socket.socket(socket.AF_VSOCK).close(),
}
NEEDED: Mapping[str, Callable[[], object]] = {
    "write the state": lambda: write(STATE / "x"),
    "write a temporary file": lambda: write("/tmp/x"),
    "send raw frames": lambda: socket.socket(
        socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88E1)
    ).close(),
    "ask netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "see addresses": lambda: Path("/proc/net/if_inet6").read_text(),
    "see interfaces": lambda: list(Path("/sys/class/net").iterdir()),
    "ask the clock": lambda: call("adjtimex", ctypes.create_string_buffer(256)),
    "take real time": in_child(
        lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(60))
    ),
    "lock memory": in_child(lambda: call("mlockall", LOCK_ALL)),
}


def outcome(deed: Callable[[], object]) -> str:
    """Return the error's name; empty when it could be done."""
    try:
        deed()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return ""


if __name__ == "__main__":
    told = {name: outcome(deed) for name, deed in {**FORBIDDEN, **NEEDED}.items()}
    sys.stdout.write(json.dumps(told) + "\n")
