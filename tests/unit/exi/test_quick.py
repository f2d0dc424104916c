"""The quick way and the precise way through every grammar agree, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench_exi import long_list
from tests.values import Chance, Data, root_of, value_of

from pilothat.exi.codec import Codec, ExiError
from pilothat.v2g.messages import SCHEMAS, codec

PRECISE = {name: Codec(codec(name).grammar, is_precise=True) for name in SCHEMAS}
DOCUMENTS = [name for name in SCHEMAS if codec(name).grammar.roots]


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_value_comes_back_and_has_one_form(name: str, data: st.DataObject) -> None:
    exi, precise = codec(name), PRECISE[name]
    message = root_of(exi.grammar, Data(data))
    octets = exi.encode(message)
    assert octets == precise.encode(message)
    assert exi.decode_with_notes(octets) == (message, ())
    assert precise.decode_with_notes(octets) == (message, ())
    assert exi.from_json(exi.to_json(message)) == message


@pytest.mark.parametrize("name", DOCUMENTS)
def test_plain_messages_take_the_quick_way(name: str) -> None:
    exi = codec(name)
    assert exi.quick is not None
    plain = 0
    for seed in range(100):
        message = root_of(exi.grammar, Chance(seed))
        octets = exi.encode(message)
        is_plain = exi.quick.decode(octets) is not None
        assert is_plain is (exi.quick.encode(message) is not None)
        plain += is_plain
    assert plain > 20


@pytest.mark.parametrize("name", [n for n in SCHEMAS if codec(n).grammar.fragments])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_fragment_comes_back(name: str, data: st.DataObject) -> None:
    exi = codec(name)
    root = Data(data).one_of(exi.grammar.fragments)
    value = value_of(root.cls, Data(data))
    octets = exi.encode_fragment(value, root.name)
    assert exi.decode_fragment_with_notes(octets) == (value, ())
    assert exi.from_json(exi.to_json(value, root.name)) == value


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_octets_mean_the_same_to_both(name: str, data: st.DataObject) -> None:
    exi, precise = codec(name), PRECISE[name]
    octets = bytearray(exi.encode(root_of(exi.grammar, Chance(data.draw(SEEDS)))))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(BITS)
    damaged = bytes(octets[: len(octets) - data.draw(st.integers(0, 3))])
    assert outcome(exi, damaged) == outcome(precise, damaged)


LONG_LIST = long_list(300)[1]
SEEDS = st.integers(0, 500)
BITS = st.integers(0, 7)


def outcome(exi: Codec, octets: bytes) -> object:
    """Return the message and the notes, or what is wrong and where."""
    try:
        return exi.decode_with_notes(octets)
    except ExiError as error:
        return error.reason, error.path, error.bit


def test_long_list_is_written_quickly_and_read_precisely() -> None:
    exi, (message, octets) = codec("din"), long_list()
    assert exi.quick is not None
    assert exi.quick.encode(message) == octets == PRECISE["din"].encode(message)
    assert exi.quick.decode(octets) is None
    assert exi.decode(octets) == message


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_long_list_means_the_same_to_both(data: st.DataObject) -> None:
    octets = bytearray(LONG_LIST)
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(BITS)
    damaged = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    assert outcome(codec("din"), damaged) == outcome(PRECISE["din"], damaged)


def test_messages_stay_frozen() -> None:
    exi = codec("app")
    message = exi.decode(exi.encode(root_of(exi.grammar, Chance(1))))
    name = next(iter(type(message).__dataclass_fields__))  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        setattr(message, name, None)
