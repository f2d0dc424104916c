"""The declarations against the schemas they were written from, where these are here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from tests.unit.v2g.messages.slips import slips
from tests.unit.v2g.messages.xsd import (
    Declared,
    Schemas,
    Type,
    declared_below,
    declared_shape,
    pairs,
    shape_of,
)

from pilothat.exi.schema import Attr, Grammar, describe, markup
from pilothat.v2g.messages import SCHEMAS

SHARED = Path(__file__).parents[5] / "shared" / "schemas"
SIGNATURE = SHARED / "xmldsig-core-schema.xsd"
TWENTY = SHARED / "iso15118_20"
TYPES = [TWENTY / "V2G_CI_CommonTypes.xsd", SIGNATURE]
FILES = {
    "app": [SHARED / "V2G_CI_AppProtocol.xsd"],
    "din": [*sorted((SHARED / "din_spec").glob("*.xsd")), SIGNATURE],
    "iso2": [*sorted((SHARED / "iso15118_2").glob("*.xsd")), SIGNATURE],
    "iso20-common": [TWENTY / "V2G_CI_CommonMessages.xsd", *TYPES],
    "iso20-dc": [TWENTY / "V2G_CI_DC.xsd", *TYPES],
    "iso20-ac": [TWENTY / "V2G_CI_AC.xsd", *TYPES],
    "iso20-wpt": [TWENTY / "V2G_CI_WPT.xsd", *TYPES],
    "iso20-acdp": [TWENTY / "V2G_CI_ACDP.xsd", *TYPES],
    "xmldsig": [SIGNATURE],
}
COMPARED = {  # how many types of each grammar
    "app": 3,
    "din": 81,
    "iso2": 85,
    "iso20-common": 100,
    "iso20-dc": 39,
    "iso20-ac": 33,
    "iso20-wpt": 51,
    "iso20-acdp": 20,
    "xmldsig": 7,
}
IS_HERE = SHARED.is_dir()
needs_schemas = pytest.mark.skipif(
    not IS_HERE, reason="../shared/schemas is not beside this repository"
)
GRAMMARS: dict[str, Grammar] = {
    name: import_module(f"pilothat.v2g.messages.{module}").GRAMMAR
    for name, module in SCHEMAS.items()
}
SETS = {name: Schemas(files) for name, files in FILES.items() if IS_HERE}


def _compared(name: str) -> list[tuple[Declared, Type]]:
    """Return all classes of a grammar, each with the schema types it declares."""
    schemas, grammar = SETS[name], GRAMMARS[name]
    found = {
        (id(declared), id(kept.node)): (declared, kept)
        for root in (*grammar.roots, *grammar.fragments)
        for schema_type in schemas.complex_types(root.name)
        for declared, kept in pairs(schemas, root.cls, schema_type)
    }
    return list(found.values())


PAIRS = {name: _compared(name) for name in SETS}
CASES = [
    pytest.param(SETS[name], declared, found, id=f"{name}-{told}")
    for name, compared in PAIRS.items()
    for declared, found in compared
    for told in [getattr(declared, "__name__", "in a wrap")]
]
every_grammar = pytest.mark.parametrize("name", SCHEMAS)


@needs_schemas
@pytest.mark.parametrize(("schemas", "declared", "found"), CASES)
def test_class_has_the_content_of_its_schema_type(
    schemas: Schemas, declared: Declared, found: Type
) -> None:
    assert declared_shape(declared) == schemas.shape(found)


@needs_schemas
@pytest.mark.parametrize(
    ("schemas", "cls", "found"),
    [case for case in CASES if isinstance(case.values[1], type)],
)
def test_no_single_slip_in_a_declaration_stays_hidden(
    schemas: Schemas, cls: type, found: Type
) -> None:
    shape = schemas.shape(found)
    hidden = [
        told
        for told, slipped in slips(describe(cls))
        if shape_of(slipped, markup(cls)) == shape
    ]
    assert hidden == []


@needs_schemas
@pytest.mark.parametrize(
    ("schemas", "cls", "found"),
    [case for case in CASES if isinstance(case.values[1], type)],
)
def test_attribute_says_its_namespace_where_its_name_has_several(
    schemas: Schemas, cls: type, found: Type
) -> None:
    marks = [f.mark for f in describe(cls) if isinstance(f.mark, Attr)]
    assert {m.name: m.space for m in marks if m.space} == schemas.spaces(found)


@needs_schemas
@every_grammar
def test_all_types_of_a_grammar_are_compared(name: str) -> None:
    assert len(PAIRS[name]) == COMPARED[name]


@needs_schemas
@pytest.mark.parametrize(("schemas", "declared", "found"), CASES)
def test_only_key_info_and_objects_of_signatures_are_refused(
    schemas: Schemas, declared: Declared, found: Type
) -> None:
    left_out = schemas.below(found).keys() - declared_below(declared).keys()
    assert left_out <= {"KeyInfo", "Object"}


@needs_schemas
@every_grammar
def test_grammar_counts_the_names_of_its_schemas(name: str) -> None:
    grammar, schemas = GRAMMARS[name], SETS[name]
    assert grammar.global_elements == len(schemas.globals)
    assert grammar.element_names == len(schemas.names)


@needs_schemas
@every_grammar
def test_root_has_its_code_among_the_global_elements(name: str) -> None:
    grammar, schemas = GRAMMARS[name], SETS[name]
    codes = [schemas.globals[root.code].local for root in grammar.roots]
    assert codes == [root.name for root in grammar.roots]


@needs_schemas
@every_grammar
def test_fragment_has_its_code_among_all_names(name: str) -> None:
    grammar, schemas = GRAMMARS[name], SETS[name]
    codes = [schemas.names[root.code].local for root in grammar.fragments]
    assert codes == [root.name for root in grammar.fragments]


@needs_schemas
@pytest.mark.parametrize("name", [name for name in SCHEMAS if name[:5] == "iso20"])
def test_every_request_and_response_of_iso_20_is_a_root(name: str) -> None:
    messages = [q.local for q in SETS[name].globals if q.local[-3:] in ("Req", "Res")]
    assert [root.name for root in GRAMMARS[name].roots] == messages


@every_grammar
def test_grammar_bears_the_name_it_is_asked_for_with(name: str) -> None:
    assert GRAMMARS[name].name == name
