"""Names, sides and enumerations of the declared messages."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from pilothat.exi.codec import Codec
from pilothat.exi.schema import Root, describe
from pilothat.v2g.messages import (
    SCHEMAS,
    codec,
    din,
    iso2,
    iso2_types,
    iso20_ac,
    iso20_acdp,
    iso20_common,
    iso20_dc,
    iso20_types,
    iso20_wpt,
)

TWENTY = (iso20_common, iso20_dc, iso20_ac, iso20_wpt, iso20_acdp)
BODIES = [
    pytest.param(module, name, id=f"{module.GRAMMAR.name}-{name}")
    for module in (din, iso2)
    for name in module.BODY_ELEMENT.members
]
ROOTS = [root for module in TWENTY for root in module.GRAMMAR.roots]


@pytest.mark.parametrize("module", [din, iso2], ids=lambda m: m.GRAMMAR.name)
def test_all_34_messages_are_in_the_body(module: ModuleType) -> None:
    assert len(module.BODY_ELEMENT.members) == 34


@pytest.mark.parametrize(("module", "name"), BODIES)
def test_message_class_bears_its_wire_name_and_its_side(
    module: ModuleType, name: str
) -> None:
    cls = module.BODY_ELEMENT.members[name]
    assert cls.__name__ == name
    assert issubclass(cls, module.Request if name.endswith("Req") else module.Response)


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_root_class_of_iso_20_bears_its_wire_name_and_its_side(root: Root) -> None:
    is_request = root.name.endswith("Req")
    side = iso20_types.Request if is_request else iso20_types.Response
    assert root.cls.__name__.lower() == root.name.replace("_", "").lower()
    assert issubclass(root.cls, side)


def test_iso_2_offers_all_its_types_in_one_place() -> None:
    own = {
        name
        for name, found in vars(iso2_types).items()
        if isinstance(found, type) and found.__module__ == iso2_types.__name__
    }
    assert own <= set(iso2.__all__)


def test_iso_2_exports_nothing_that_is_not_there() -> None:
    assert [name for name in iso2.__all__ if not hasattr(iso2, name)] == []


def test_enumeration_tells_its_literal_and_its_code() -> None:
    assert din.UnitSymbol.W_PER_S.literal == "W/s"
    assert din.EvseNotification.NONE.literal == "None"
    assert din.ResponseCode.FAILED_SequenceError.literal == "FAILED_SequenceError"
    assert int(din.UnitSymbol.V) == 5
    assert iso20_wpt.WptPairingMethod.EXTERNAL_CONFIRMATION.literal == (
        "External confirmation"
    )
    assert iso20_wpt.WptPowerClass.MF_WPT4.literal == "MF-WPT4"


def test_class_that_is_not_declared_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a declared"):
        describe(int)


@pytest.mark.parametrize("protocol", SCHEMAS)
def test_codec_of_a_protocol_is_made_once(protocol: str) -> None:
    assert isinstance(codec(protocol), Codec)
    assert codec(protocol) is codec(protocol)


def test_no_schema_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, pilothat.v2g.messages; print(*sys.modules)"
    run = (sys.executable, "-c", code)
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    loaded = [name for name in told.split() if name.startswith("pilothat.v2g.messages")]
    assert loaded == ["pilothat.v2g.messages"]
