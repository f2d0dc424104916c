"""The declarations against the schemas they were written from, where these are here."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.unit.exi.xsd import Row, Schemas, declared_rows, in_order, is_open, pairs

from pilothat.exi.schema import Grammar, describe, markup
from pilothat.v2g.messages import din, sap

SHARED = Path(__file__).parents[4] / "shared" / "schemas"
FILES = {
    "app": [SHARED / "V2G_CI_AppProtocol.xsd"],
    "din": [
        *sorted((SHARED / "din_spec").glob("*.xsd")),
        SHARED / "xmldsig-core-schema.xsd",
    ],
}
GRAMMARS = (sap.GRAMMAR, din.GRAMMAR)
IS_HERE = SHARED.is_dir()
SETS = {name: Schemas(files) for name, files in FILES.items() if IS_HERE}
PAIRS = [
    pytest.param(SETS[grammar.name], cls, found, id=f"{grammar.name}-{cls.__name__}")
    for grammar in GRAMMARS
    for root in grammar.roots
    for cls, found in (
        pairs(SETS[grammar.name], root.cls, SETS[grammar.name].root(root.name))
        if IS_HERE
        else ()
    )
]
needs_schemas = pytest.mark.skipif(
    not IS_HERE, reason="../shared/schemas is not beside this repository"
)


@needs_schemas
@pytest.mark.parametrize(("schemas", "cls", "found"), PAIRS)
def test_class_has_the_content_of_its_schema_type(
    schemas: Schemas, cls: type, found: ET.Element
) -> None:
    assert in_order(declared_rows(cls)) == in_order(schemas.rows(found))


@needs_schemas
@pytest.mark.parametrize(("schemas", "cls", "found"), PAIRS)
def test_class_is_as_open_as_its_schema_type(
    schemas: Schemas, cls: type, found: ET.Element
) -> None:
    assert (markup(cls).mixed, markup(cls).wildcard) == is_open(found)


@needs_schemas
def test_all_types_of_din_are_compared() -> None:
    assert len(PAIRS) == 83


@needs_schemas
@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.name)
def test_roots_have_their_codes_among_all_global_elements(grammar: Grammar) -> None:
    codes = SETS[grammar.name].codes()
    assert len(codes) == grammar.global_elements
    assert {r.name: codes[r.name] for r in grammar.roots} == {
        r.name: r.code for r in grammar.roots
    }


@needs_schemas
def test_body_holds_one_optional_member_of_its_group() -> None:
    body = SETS["din"].types["BodyType"]
    members = tuple(sorted(din.BODY_ELEMENT.members))
    assert list(SETS["din"].rows(body)) == [Row("BodyElement", 0, 1, kind=members)]


def test_all_34_messages_are_in_the_body() -> None:
    assert len(din.BODY_ELEMENT.members) == 34


@pytest.mark.parametrize("name", din.BODY_ELEMENT.members)
def test_message_class_bears_its_wire_name_and_its_side(name: str) -> None:
    cls = din.BODY_ELEMENT.members[name]
    assert cls.__name__ == name
    assert issubclass(cls, din.Request if name.endswith("Req") else din.Response)


VALUES = {
    "tenth": (398.5, din.UnitSymbol.V, -1, 3985),
    "thousandth": (1.2345, din.UnitSymbol.A, -3, 1234),
    "zero": (0.0, din.UnitSymbol.A, -3, 0),
    "negative": (-32.768, din.UnitSymbol.A, -3, -32768),
    "just-too-fine": (32.768, din.UnitSymbol.A, -2, 3277),
    "rounds-out-of-range": (32.7676, din.UnitSymbol.A, -2, 3277),
    "kilowatts": (150_000.0, din.UnitSymbol.W, 1, 15000),
    "greatest": (32_767_499.0, din.UnitSymbol.W, 3, 32767),
    "no-unit": (5, None, -3, 5000),
}


@pytest.mark.parametrize("name", VALUES)
def test_physical_value_takes_the_finest_multiplier_that_fits(name: str) -> None:
    number, unit, multiplier, value = VALUES[name]
    made = din.PhysicalValue.of(number, unit)
    assert made == din.PhysicalValue(multiplier=multiplier, unit=unit, value=value)


@pytest.mark.parametrize(
    ("number", "multiplier"),
    [
        (32_767_500.0, None),
        (-32_768_501.0, None),
        (1e307, None),
        (float("nan"), None),
        (float("inf"), None),
        (400.0, -3),
        (400.0, 4),
    ],
)
def test_number_that_does_not_fit_is_no_physical_value(
    number: float, multiplier: int | None
) -> None:
    with pytest.raises(ValueError, match=r"physical value|multiplier"):
        din.PhysicalValue.of(number, din.UnitSymbol.V, multiplier)


def test_physical_value_keeps_a_wanted_multiplier() -> None:
    assert din.PhysicalValue.of(400.4, din.UnitSymbol.V, 0).value == 400


@pytest.mark.parametrize(
    ("multiplier", "value", "si"),
    [(-1, 3985, 398.5), (-3, 1, 0.001), (0, -5, -5.0), (3, 60, 60000.0)],
)
def test_physical_value_is_told_in_its_unit(
    multiplier: int, value: int, si: float
) -> None:
    assert din.PhysicalValue(multiplier=multiplier, value=value).si == si


def test_enumeration_tells_its_literal_and_its_code() -> None:
    assert din.UnitSymbol.W_PER_S.literal == "W/s"
    assert din.EvseNotification.NONE.literal == "None"
    assert din.ResponseCode.FAILED_SequenceError.literal == "FAILED_SequenceError"
    assert int(din.UnitSymbol.V) == 5


def test_class_that_is_not_declared_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a declared"):
        describe(int)
