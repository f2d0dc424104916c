"""Frames: bytes to messages and back, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.homeplug.samples import EV, EVSE, GROUPS_DB, RUN, SAMPLES, name_of

from pilothat.homeplug import cm, lumissil, qualcomm
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import (
    BROADCAST_MAC,
    ETHERTYPE,
    MIN_FRAME_BYTES,
    build,
    mac_text,
    parse,
)

PARM_REQ = bytes.fromhex(
    "ffffffffffff 02e0e0e0e001 88e1 01 6460 0000 00 00 1122334455667788"
)
every_sample = pytest.mark.parametrize("mme", SAMPLES, ids=name_of)


def test_there_is_a_sample_of_every_message() -> None:
    assert {type(mme) for mme in SAMPLES} == {
        *cm.MESSAGES,
        *qualcomm.MESSAGES,
        *lumissil.MESSAGES,
    }


def test_a_request_on_the_wire_has_the_fields_of_the_data_sheet() -> None:
    frame = parse(PARM_REQ)
    assert frame is not None
    assert frame.destination == BROADCAST_MAC
    assert frame.source == EV
    assert frame.mme == cm.CmSlacParmReq(run_id=RUN)


def test_a_report_stands_on_the_wire_byte_for_byte() -> None:
    ind = cm.CmAttenCharInd(
        source_address=EV, run_id=RUN, num_sounds=10, aag_db=GROUPS_DB
    )
    zeros = "00" * 34
    expected = (
        "02e0e0e0e001 025e5e5e5e01 88e1 01 6e60 0000 00 00"
        f"02e0e0e0e001 1122334455667788 {zeros} 0a 3a {bytes(range(58)).hex()}"
    )
    assert build(EV, EVSE, ind) == bytes.fromhex(expected)


@every_sample
def test_what_is_built_is_parsed_again(mme: Mme) -> None:
    frame = parse(build(EVSE, EV, mme))
    assert frame is not None
    assert (frame.destination, frame.source, frame.mme) == (EVSE, EV, mme)


@every_sample
def test_every_built_frame_is_long_enough_for_the_wire(mme: Mme) -> None:
    assert len(build(EVSE, EV, mme)) >= MIN_FRAME_BYTES


@every_sample
def test_trailing_bytes_are_ignored(mme: Mme) -> None:
    frame = parse(build(EVSE, EV, mme) + b"\xa5" * 9000)
    assert frame is not None
    assert frame.mme == mme


@every_sample
def test_a_truncated_frame_is_dropped_or_reads_the_same(mme: Mme) -> None:
    raw = build(EVSE, EV, mme)
    whole = parse(raw)
    readings = [parse(raw[:length]) for length in range(len(raw))]
    shortest = next((n for n, frame in enumerate(readings) if frame), len(raw))
    assert shortest >= 19
    assert all(frame == whole for frame in readings[shortest:])


@pytest.mark.parametrize("length", [0, 13, 14, 15, 17, 18, 19, 28])
def test_a_frame_shorter_than_its_table_is_dropped(length: int) -> None:
    assert parse(PARM_REQ[:length]) is None


@pytest.mark.parametrize(
    ("offset", "value", "why"),
    [
        (12, 0x08, "another EtherType"),
        (14, 0x00, "SLAC with a vendor's header"),
        (14, 0x02, "SLAC with an AV 2.0 header"),
        (15, 0x66, "an unknown message"),
        (16, 0xA1, "an unknown vendor message"),
    ],
)
def test_a_foreign_frame_is_dropped(offset: int, value: int, why: str) -> None:
    raw = bytearray(PARM_REQ)
    raw[offset] = value
    assert parse(bytes(raw)) is None, why


def test_a_tagged_frame_is_dropped() -> None:
    assert parse(PARM_REQ[:12] + bytes.fromhex("81000001") + PARM_REQ[12:]) is None


def test_a_vendor_message_of_another_maker_is_dropped() -> None:
    raw = build(EVSE, EV, qualcomm.VsSwVerReq())
    assert parse(raw.replace(qualcomm.OUI, bytes.fromhex("0016e8"))) is None


def test_an_amplitude_map_is_taken_with_both_header_versions() -> None:
    raw = bytearray(build(EVSE, EV, cm.CmAmpMapReq(amlen=2, amdata=b"\x22")))
    assert raw[14] == 1
    raw[14] = 2
    frame = parse(bytes(raw))
    assert frame is not None
    assert frame.mme == cm.CmAmpMapReq(amlen=2, amdata=b"\x22")


def test_an_empty_profile_has_no_groups() -> None:
    frame = parse(build(EVSE, EV, cm.CmAttenProfileInd(pev_mac=EV, aag_db=())))
    assert frame is not None
    assert frame.mme == cm.CmAttenProfileInd(pev_mac=EV, aag_db=())


@pytest.mark.parametrize(
    "raw",
    [
        build(EVSE, EV, cm.CmAttenProfileInd(pev_mac=EV, aag_db=GROUPS_DB))[:84],
        build(EVSE, EV, cm.CmAmpMapReq(amlen=917, amdata=bytes(100))),
        build(EVSE, EV, cm.CmNwStatsReq())[:14] + b"\x01\x49\x60\0\0\xff" + bytes(40),
    ],
    ids=["profile", "amplitude map", "stations"],
)
def test_an_announced_length_beyond_the_frame_drops_it(raw: bytes) -> None:
    assert parse(raw) is None


VERSION = next(m for m in SAMPLES if isinstance(m, qualcomm.VsSwVerCnf))


def test_a_version_text_is_cut_at_its_length_byte() -> None:
    raw = bytearray(build(EVSE, EV, VERSION))
    assert raw[22] == len(b"MAC-QCA7000-1")
    raw[22] = 3
    frame = parse(bytes(raw))
    assert frame is not None
    assert isinstance(frame.mme, qualcomm.VsSwVerCnf)
    assert frame.mme.version == b"MAC"


@pytest.mark.parametrize(
    ("version", "firmware"),
    [(b"MAC-QCA7005-1\0", "MAC-QCA7005-1"), (b"\xff\0", "\ufffd"), (b"", "")],
)
def test_firmware_is_readable_whatever_the_modem_says(
    version: bytes, firmware: str
) -> None:
    cnf = qualcomm.VsSwVerCnf(device_class=0x22, version=version, ident=0)
    assert cnf.firmware == firmware


@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_dropped(raw: bytes) -> None:
    frame = parse(raw)
    assert frame is None or raw[12:14] == ETHERTYPE.to_bytes(2)


@given(st.sampled_from(SAMPLES), st.binary(max_size=400), st.integers(0, 80))
def test_any_bytes_behind_a_valid_header_are_parsed_or_dropped(
    mme: Mme, tail: bytes, keep: int
) -> None:
    frame = parse(build(EVSE, EV, mme)[: 20 + keep] + tail)
    assert frame is None or type(frame.mme) is type(mme)


@pytest.mark.parametrize(
    "mme",
    [
        cm.CmSetKeyReq(nid=b"network", nmk=b"a secret of 16 b"),
        cm.CmSlacMatchCnf(
            pev_mac=EV,
            evse_mac=EVSE,
            run_id=RUN,
            nid=b"network",
            nmk=b"a secret of 16 b",
        ),
    ],
    ids=name_of,
)
def test_a_key_shows_in_no_text(mme: Mme) -> None:
    assert "secret" not in repr(mme)
    assert b"a secret of 16 b" in build(EV, EVSE, mme)


def test_a_mac_is_written_with_colons() -> None:
    assert mac_text(EV) == "02:e0:e0:e0:e0:01"
