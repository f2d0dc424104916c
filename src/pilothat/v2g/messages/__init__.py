"""Message declarations, one module a schema, and the codec of each.

A schema is imported when its codec is first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from pilothat.exi.codec import Codec

SCHEMAS: Mapping[str, str] = MappingProxyType(
    {
        "app": "sap",
        "din": "din",
        "iso2": "iso2",
        "iso20-common": "iso20_common",
        "iso20-dc": "iso20_dc",
        "iso20-ac": "iso20_ac",
        "iso20-wpt": "iso20_wpt",
        "iso20-acdp": "iso20_acdp",
        "xmldsig": "xmldsig",
    }
)


@cache
def codec(protocol: str) -> Codec:
    """Return the codec of a protocol, a key of ``SCHEMAS``; KeyError for another."""
    module = import_module(f"{__name__}.{SCHEMAS[protocol]}")
    return Codec(module.GRAMMAR)
