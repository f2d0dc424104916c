"""TLS as the settings want it; all mistakes in its files before the start."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pilothat.errors import ConfigError
from pilothat.runtime.v2gport import TlsOffer
from pilothat.service.config import Settings
from pilothat.service.making import quirks_of
from pilothat.station.settings import ContractSettings
from pilothat.v2g.quirks import Quirk

if TYPE_CHECKING:
    from pilothat.runtime.tlsfiles import Choice

log = logging.getLogger("pilothat")

OFF, REQUIRED = "off", "required"


def tls_of(settings: Settings) -> TlsOffer | None:
    """Return what the station speaks TLS with; None where it does not.

    Raises ConfigError that names the setting and the file.
    """
    choice = choice_of(settings)
    if choice is None:
        return None
    choice.tell()
    if keylog := settings.text("v2g.keylog"):
        log.warning(
            "v2g.keylog=%s: whoever has this file can read all TLS sessions", keylog
        )
    return TlsOffer(choice.tls(), is_required=settings.text("v2g.tls") == REQUIRED)


def choice_of(settings: Settings) -> Choice | None:
    """Return the station's chains; None without TLS. Raises ConfigError."""
    wish = settings.text("v2g.tls")
    if wish == OFF:
        return None
    given = settings.text("v2g.pki")
    wished = f'v2g.tls = "{wish}"'
    folder = folder_of(Path(given) if given else None, "v2g.pki", wished)
    from pilothat.runtime.tlsfiles import Choice  # noqa: PLC0415 (needs an extra)

    keylog = settings.text("v2g.keylog")
    try:
        return Choice(folder, keylog=Path(keylog) if keylog else None)
    except ConfigError as error:
        raise _with_key(error, folder) from None


def contracts_of(settings: Settings) -> ContractSettings | None:
    """Return whose contracts are accepted; None without TLS. Raises ConfigError."""
    if settings.text("v2g.tls") == OFF or not settings.flag("v2g.contracts"):
        return None
    if settings.flag("v2g.receipts") and not settings.text("station.meter_id"):
        raise ConfigError(
            "is needed for v2g.receipts",
            where="station.meter_id",
            remedy="Name the meter",
        )
    folder = Path(settings.text("v2g.pki"))
    from pilothat.service.trusting import issuer, trusted  # noqa: PLC0415 (an extra)

    try:
        found = trusted(folder)
        issuing = issuer(folder) if settings.flag("v2g.issue_contracts") else None
    except ConfigError as error:
        raise _with_key(error, folder) from None
    is_strict = Quirk.LAX_CERTIFICATES not in quirks_of(settings)
    return replace(found, issuer=issuing, is_strict=is_strict)


def folder_of(folder: Path | None, name: str, wish: str) -> Path:
    """Return the folder of certificates, which somebody wishes for.

    name: what it is given with. Raises ConfigError.
    """
    if folder is None:
        raise ConfigError(
            f"is missing, and {wish} needs it",
            where=name,
            remedy="Make a test PKI: pilothat pki make FOLDER",
        )
    from pilothat.runtime.library import need_library  # noqa: PLC0415 (slow)

    need_library(name, wish)
    return folder


def _with_key(error: ConfigError, folder: Path) -> ConfigError:
    key = "v2g.pki" if error.where.startswith(str(folder)) else "v2g.keylog"
    return ConfigError(f"{key}: {error.what}", where=error.where, remedy=error.remedy)
