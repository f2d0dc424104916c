"""The libraries for certificates and TLS: there, and new enough, or told plainly."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Library:
    """A package that is needed for some wishes only.

    module: what is imported of it
    least: the oldest version that will do, as in setup.cfg
    extra: of ours, which brings it
    """

    name: str
    module: str
    least: str
    extra: str


CERTIFICATES = Library("cryptography", "cryptography", "43", "pnc")  # Debian 12 has 38
STAPLES = Library("pyOpenSSL", "OpenSSL.SSL", "24.3", "ocsp")  # Debian 12 has 23


def need_library(where: str, wish: str, library: Library = CERTIFICATES) -> None:
    """Raise ConfigError where the library is missing or will not do for a wish."""
    try:
        found = version(library.name)
    except PackageNotFoundError:
        found = ""
    if not found or _numbers(found) < _numbers(library.least):
        told = f"{found} is installed" if found else "none is installed"
        raise _refusal(where, f"{library.least} or newer, {told}", wish, library)
    try:
        import_module(library.module)
    except (ImportError, AttributeError) as error:  # two packages that do not fit
        told = f"and {found} cannot be loaded: {error}"
        raise _refusal(where, told, wish, library) from None


def _refusal(where: str, told: str, wish: str, library: Library) -> ConfigError:
    remedy = f"Install it: pip install 'pilothat[{library.extra}]'"
    return ConfigError(
        f"{wish} needs {library.name} {told}", where=where, remedy=remedy
    )


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".")[:2] if part.isdigit())
