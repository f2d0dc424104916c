"""The powerline interface as the kernel knows it: MAC, carrier, link-local address."""

from __future__ import annotations

import socket
from pathlib import Path

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass

_SYS = Path("/sys/class/net")
_IF_INET6 = Path("/proc/net/if_inet6")
_IFF_UP = 0x1
_SCOPE_LINK = 0x20
_TENTATIVE = 0x40
_CONF = Path("/proc/sys/net/ipv6/conf")
_MADE_BY_NOBODY = "1"  # addr_gen_mode: left to a program in user space
_DAD_FAILED = 0x08
MAC_BYTES = 6


@dataclass(frozen=True, slots=True)
class Interface:
    """What is known of an interface that exists."""

    name: str
    index: int
    mac: bytes


def find(name: str) -> Interface:
    """Return an interface. Raises PilotHatError naming those there are."""
    try:
        index = socket.if_nametoindex(name)
        mac = bytes.fromhex((_SYS / name / "address").read_text().replace(":", ""))
    except (OSError, ValueError) as error:
        there = ", ".join(sorted(other for _, other in socket.if_nameindex()))
        raise PilotHatError(
            f"no interface '{name}'",
            where="station.interface",
            remedy=f"There are: {there}",
        ) from error
    return Interface(name, index, mac)


def name_of(interface: Interface) -> str | None:
    """Return the name an interface has now; None while there is none of its kind.

    A renamed interface keeps its number. One that was unplugged and came back has its
    name again, and another number.
    """
    try:
        return socket.if_indextoname(interface.index)
    except OSError:
        pass
    try:
        socket.if_nametoindex(interface.name)
    except OSError:
        return None
    return interface.name


def is_up(name: str) -> bool:
    """Tell whether the interface is switched on and has a carrier."""
    try:
        flags = int((_SYS / name / "flags").read_text(), 16)
        state = (_SYS / name / "operstate").read_text().strip()
    except OSError:
        return False
    return bool(flags & _IFF_UP) and state in ("up", "unknown")


def link_local(name: str) -> bytes | None:
    """Return the interface's link-local address once it may be used.

    While duplicate address detection runs the address is tentative and not used.
    """
    for address, _, _, scope, flags, _ in _addresses(name):
        is_usable = not int(flags, 16) & (_TENTATIVE | _DAD_FAILED)
        if int(scope, 16) == _SCOPE_LINK and is_usable:
            return bytes.fromhex(address)
    return None


def _addresses(name: str) -> list[list[str]]:
    """Return the kernel's rows of an interface: address, ..., scope, flags, name."""
    try:
        lines = _IF_INET6.read_text().splitlines()
    except OSError:
        return []
    return [row for row in map(str.split, lines) if row[-1] == name]


def why_no_address(name: str) -> str:
    """Return why an interface that is up has no link-local address, and the remedy."""
    if _setting(name, "disable_ipv6") == "1":
        return (
            "IPv6 is switched off on it. "
            f"sudo sysctl -w net.ipv6.conf.{name}.disable_ipv6=0"
        )
    if any(int(row[4], 16) & _DAD_FAILED for row in _addresses(name)):
        return "Another host here has the same address: two adapters with one MAC?"
    again = f"sudo ip link set {name} down; sudo ip link set {name} up"
    if _setting(name, "addr_gen_mode") == _MADE_BY_NOBODY:
        return (
            "A network manager has taken it over. "
            f"sudo nmcli device set {name} managed no; "
            f"sudo ip link set {name} addrgenmode eui64; {again}"
        )
    return (
        "Somebody removed it, a network manager perhaps. "
        f"sudo nmcli device set {name} managed no; {again}"
    )


def _setting(name: str, key: str) -> str:
    try:
        return (_CONF / name / key).read_text().strip()
    except OSError:
        return ""
