"""Our scapy layers against our own parser; what they hide; when they are there."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Padding, Raw, fuzz
from tests.unit.homeplug.samples import EV, EVSE, GROUPS_DB, RUN, SAMPLES, name_of
from tests.unit.service.console import ran
from tests.unit.traffic import wire
from tests.unit.traffic.layered import layer_of, layered, mme_of, names_of, rebuilt

from pilothat import traffic
from pilothat.homeplug import cm, qualcomm
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import MIN_FRAME_BYTES, build, parse
from pilothat.service import layers
from pilothat.service.cli import COMMANDS
from pilothat.traffic.scapylayers import (
    LAYERS,
    HomePlug,
    SdpRequest,
    SdpResponse,
    Unread,
    V2gtp,
    dissected,
)
from pilothat.v2g import sdp

SECRET = b"a secret of 16 b"
KEYED: tuple[Mme, ...] = (
    cm.CmSetKeyReq(nid=b"network", nmk=SECRET),
    cm.CmSlacMatchCnf(
        pev_mac=EV, evse_mac=EVSE, run_id=RUN, nid=b"network", nmk=SECRET
    ),
    cm.CmGetKeyCnf(result=0, nid=b"network", key=SECRET),
    qualcomm.ModuleReadCnf(data_length=34, length=16, offset=0x64, data=SECRET),
    qualcomm.ModuleWriteReq(session=7, length=16, offset=0x64, data=SECRET),
)
every_sample = pytest.mark.parametrize("mme", SAMPLES, ids=name_of)
every_keyed = pytest.mark.parametrize("mme", KEYED, ids=name_of)


def framed(*parts: Packet) -> Packet:
    whole = Ether(dst=EVSE.hex(":"), src=EV.hex(":")) / HomePlug()
    for part in parts:
        whole /= part
    return whole


def shown(packet: Packet) -> str:
    """Return all that scapy tells of a packet unasked."""
    told = (packet.show(dump=True), packet.show2(dump=True), packet.summary())
    return "\n".join((*map(str, told), repr(packet)))


@every_sample
def test_scapy_reads_what_our_parser_reads(mme: Mme) -> None:
    packet = layered(build(EVSE, EV, mme))
    assert (packet.dst, packet.src) == (EVSE.hex(":"), EV.hex(":"))
    assert mme_of(packet) == mme


@every_sample
def test_scapy_rebuilds_the_same_octets_from_the_values(mme: Mme) -> None:
    raw = build(EVSE, EV, mme)
    assert rebuilt(layered(raw)) == raw


@every_sample
def test_our_parser_reads_what_scapy_builds(mme: Mme) -> None:
    raw = bytes(framed(layer_of(mme)))
    assert len(raw) >= MIN_FRAME_BYTES
    frame = parse(raw)
    assert frame is not None
    assert (frame.destination, frame.source, frame.mme) == (EVSE, EV, mme)
    assert raw == build(EVSE, EV, mme)


@every_sample
def test_a_cut_frame_is_a_message_exactly_if_our_parser_takes_it(mme: Mme) -> None:
    raw = build(EVSE, EV, mme)
    for length in range(14, len(raw)):
        frame = parse(raw[:length])
        assert mme_of(layered(raw[:length])) == (frame and frame.mme), length


@every_sample
def test_octets_behind_the_message_come_back_as_they_came(mme: Mme) -> None:
    raw = build(EVSE, EV, mme) + b"\xa5" * 9
    packet = layered(raw)
    assert mme_of(packet) == mme
    assert rebuilt(packet) == raw


def test_a_short_frame_with_an_end_of_its_own_is_not_filled_up() -> None:
    raw = build(EVSE, EV, cm.CmSlacParmReq(run_id=RUN))[:29] + b"rubbish"
    packet = layered(raw)
    assert packet[Padding].load == b"rubbish"
    assert rebuilt(packet) == raw


@every_sample
def test_a_line_tells_name_and_ends(mme: Mme) -> None:
    line = layers.summary(layers.dissector("--live"), build(EVSE, EV, mme))
    assert line.startswith(f"{EV.hex(':')} > {EVSE.hex(':')}")
    assert str(LAYERS[type(mme).__name__]().name) in line
    assert "Padding" not in line


@pytest.mark.parametrize(
    ("mme", "told"),
    [
        (
            cm.CmMnbcSoundInd(cnt=9, run_id=RUN, rnd=bytes(16)),
            "CM_MNBC_SOUND.IND  run 1122334455667788  to come 9",
        ),
        (
            cm.CmSlacParmCnf(num_sounds=10, time_out=6, forwarding_sta=EV, run_id=RUN),
            "CM_SLAC_PARM.CNF  run 1122334455667788  sounds 10  window 600 ms",
        ),
        (
            cm.CmAttenProfileInd(pev_mac=EV, aag_db=GROUPS_DB),
            "CM_ATTEN_PROFILE.IND  EV 02:e0:e0:e0:e0:01  mean 28.5 dB in 58 groups",
        ),
    ],
    ids=["run added", "run once", "no run"],
)
def test_a_line_tells_what_matters(mme: Mme, told: str) -> None:
    line = layers.summary(layers.dissector("--live"), build(EVSE, EV, mme))
    assert line.endswith(f"/ {told}")
    assert framed(layer_of(mme)).summary().endswith(f"/ {told}")


def test_a_message_nobody_knows_is_told_by_its_number() -> None:
    raw = build(EVSE, EV, cm.CmSlacParmReq(run_id=RUN)).replace(
        b"\x64\x60", b"\x66\x60"
    )
    packet = layered(raw)
    assert packet.haslayer(Raw)
    assert "MME 0x6066, version 1" in packet.summary()


def test_counts_follow_from_what_they_count() -> None:
    made = (
        framed(LAYERS["CmAttenProfileInd"](pev_mac=EV, aag_db=list(GROUPS_DB))),
        framed(LAYERS["CmAmpMapReq"](amdata=b"\x21\x43")),
        framed(LAYERS["ModuleReadCnf"](data_length=22, offset=1400, data=b"data")),
        framed(LAYERS["VsSwVerCnf"](device_class=1, version=b"MAC", ident=2)),
    )
    frames = [parse(bytes(packet)) for packet in made]
    assert [frame and frame.mme for frame in frames] == [
        cm.CmAttenProfileInd(pev_mac=EV, aag_db=GROUPS_DB),
        cm.CmAmpMapReq(amlen=4, amdata=b"\x21\x43"),
        qualcomm.ModuleReadCnf(data_length=22, length=4, offset=1400, data=b"data"),
        qualcomm.VsSwVerCnf(device_class=1, version=b"MAC", ident=2),
    ]


def test_octets_are_given_in_hex_too_and_shown_so() -> None:
    made = framed(LAYERS["CmSlacMatchReq"](pev_mac=EV.hex(":"), run_id=RUN.hex()))
    frame = parse(bytes(made))
    assert frame is not None
    assert isinstance(frame.mme, cm.CmSlacMatchReq)
    assert (frame.mme.pev_mac, frame.mme.run_id) == (EV, RUN)
    for text in (f"pev_mac   = {EV.hex(':')}", f"run_id    = {RUN.hex()}"):
        assert text in shown(made)


@every_keyed
def test_a_key_is_not_shown_but_to_who_asks(mme: Mme) -> None:
    packet = layered(build(EVSE, EV, mme))
    for text in (shown(packet), shown(framed(layer_of(mme)))):
        assert "(16 octets)" in text
        assert "secret" not in text
        assert SECRET.hex() not in text
    (asked,) = {"nmk", "key", "data"} & set(names_of(type(mme)))
    assert packet.getfieldval(asked) == SECRET


@every_keyed
def test_no_part_of_a_key_shows_in_a_cut_frame_or_one_of_another_version(
    mme: Mme,
) -> None:
    raw = build(EVSE, EV, mme)
    end = raw.index(SECRET) + len(SECRET)
    cut = [raw[:length] for length in range(end - 12, end)]
    for octets in (*cut, raw[:14] + b"\x02" + raw[15:]):
        text = shown(layered(octets))
        assert SECRET[:4].decode() not in text
        assert SECRET[:4].hex() not in text
    assert layered(cut[0]).haslayer(Unread)


def test_vendor_messages_nobody_knows_show_no_contents() -> None:
    raw = build(EVSE, EV, KEYED[4]).replace(b"\xb0\xa0", b"\x20\xa0")
    assert mme_of(layered(raw)) is None
    assert "secret" not in shown(layered(raw))
    assert SECRET in layered(raw)[Unread].load


@given(st.sampled_from(SAMPLES), st.binary(max_size=200), st.integers(0, 80))
@settings(deadline=None)
def test_any_octets_are_dissected_as_our_parser_reads_them(
    mme: Mme, tail: bytes, keep: int
) -> None:
    raw = build(EVSE, EV, mme)[: 14 + keep] + tail
    packet, frame = layered(raw), parse(raw)
    assert mme_of(packet) == (frame and frame.mme)
    assert bytes(packet) == raw
    shown(packet)


@pytest.mark.parametrize("length", range(15))
def test_what_is_shorter_than_a_header_is_shown_too(length: int) -> None:
    raw = build(EVSE, EV, SAMPLES[0])[:length]
    assert bytes(layered(raw)) == raw


@pytest.mark.parametrize("name", LAYERS)
def test_scapy_makes_random_messages(name: str) -> None:
    raw = bytes(framed(fuzz(LAYERS[name]())))
    assert len(raw) >= MIN_FRAME_BYTES
    assert layered(raw).haslayer(HomePlug)


FROM_CAR = wire.Shot(0.0, build(wire.EVSE_MAC, wire.EV_MAC, SAMPLES[0]))


@pytest.mark.parametrize(
    ("link", "shot"),
    [
        (wire.ETHERNET, wire.tagged(FROM_CAR, 0x8100)),
        (wire.ETHERNET, wire.tagged(FROM_CAR, 0x88A8, 0x8100)),
        (wire.SLL, wire.cooked(FROM_CAR)),
        (wire.SLL2, wire.cooked2(FROM_CAR)),
    ],
    ids=["VLAN", "VLAN in VLAN", "cooked", "cooked 2"],
)
def test_messages_are_found_on_every_link(link: int, shot: wire.Shot) -> None:
    assert mme_of(dissected(link, shot.raw)) == SAMPLES[0]


def test_the_discovery_has_layers() -> None:
    asked = wire.discovery(0.0, sdp.build_request(sdp.Security.NONE), from_ev=True)
    request = layered(asked.raw)
    assert (request[SdpRequest].security, request[SdpRequest].transport) == (0x10, 0)
    datagram = sdp.build_response(wire.EVSE_IP, 61_341, sdp.Security.TLS)
    response = layered(wire.discovery(0.0, datagram, from_ev=False).raw)
    assert response[SdpResponse].port == 61_341
    assert "[fe80::e5:e0ff:fe00:1]:61341  security TLS" in response.summary()
    assert rebuilt(response[V2gtp]) == datagram
    made = IPv6() / UDP() / V2gtp() / SdpRequest()
    assert bytes(made[V2gtp]) == sdp.build_request(sdp.Security.NONE)
    assert (made.sport, made.dport) == (sdp.PORT, sdp.PORT)


READS_OURS = """
import sys
from scapy.layers.l2 import Ether
packet = Ether(bytes.fromhex(sys.argv[1]))
print([layer.__name__ for layer in packet.layers()])
"""
OURS, THEIRS = (
    "import pilothat.traffic.scapylayers",
    "import scapy.contrib.homeplugav, scapy.contrib.homepluggp",
)


def python(*lines: str, give: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), give],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("order", [(OURS, THEIRS), (THEIRS, OURS)])
def test_our_layers_come_before_those_of_scapy(order: tuple[str, str]) -> None:
    raw = build(EVSE, EV, cm.CmAttenCharRsp(source_address=EV, run_id=RUN))
    found = python(*order, READS_OURS, give=raw.hex())
    assert found == "['Ether', 'HomePlug', 'CmAttenCharRsp']"


def test_layers_do_not_load_all_of_scapy() -> None:
    assert python(OURS, "import sys", "print('scapy.all' in sys.modules)") == "False"


def test_scapy_is_imported_by_nothing_that_does_not_ask_for_it() -> None:
    parts = [one.name for one in pkgutil.iter_modules(traffic.__path__)]
    modules = [f"pilothat.traffic.{one}" for one in parts if "scapy" not in one]
    modules += [f"pilothat.service.{module}" for module, _ in COMMANDS.values()]
    modules += ["pilothat.runtime.shell", "pilothat.runtime.plcport"]
    found = "[one for one in sys.modules if 'scapy' in one]"
    assert python(
        "import sys", *(f"import {m}" for m in modules), f"print({found})"
    ) == ("[]")


# --- the command


def hex_lines(*frames: bytes) -> str:
    return "\n".join(raw.hex(":") for raw in frames)


def test_decode_shows_every_frame_of_a_capture(tmp_path: Path) -> None:
    raw = build(EVSE, EV, SAMPLES[0])
    path = tmp_path / "charge.pcapng"
    path.write_bytes(wire.pcapng([wire.Shot(5.0, raw), wire.Shot(5.25, raw)]))
    done = ran("decode", "--layers", path)
    assert (done.code, done.err) == (0, "")
    assert "packet 1  0.000000 s\n###[ Ethernet ]###" in done.out
    assert "packet 2  0.250000 s\n" in done.out
    assert done.out.count("###[ CM_SLAC_PARM.REQ ]###") == 2
    assert "run_id    = 1122334455667788" in done.out


def test_decode_shows_frames_in_hex(tmp_path: Path) -> None:
    frames = [build(EVSE, EV, mme) for mme in KEYED]
    path = tmp_path / "frames.hex"
    path.write_text(hex_lines(*frames) + "\n\n")
    done = ran("decode", "--layers", path)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("packet ") == len(KEYED)
    assert "secret" not in done.out
    assert SECRET.hex() not in done.out
    alone = ran("decode", "--layers", frames[0].hex())
    assert done.out.startswith(alone.out)


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", 1, "nothing there to decode"),
        ("0102\nno hex\n", 1, "neither a capture nor a frame in hex (line 2)"),
    ],
    ids=["empty", "no hex"],
)
def test_decode_says_what_is_no_frame(text: str, code: int, told: str) -> None:
    done = ran("decode", "--layers", "-", stdin=text.encode())
    assert done.code == code
    assert told in done.err
    assert done.err.count("\n") == 1


def test_decode_says_where_a_capture_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(wire.pcap([wire.Shot(5.0, build(EVSE, EV, SAMPLES[0]))])[:-5])
    done = ran("decode", "--layers", path)
    assert done.code == 1
    assert "the file is cut short" in done.err


def test_layers_go_with_no_other_form() -> None:
    done = ran("decode", "--layers", "--stream", "2", "00")
    assert (done.code, done.out) == (2, "")
    assert "does not go with --stream" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("decode", "--layers", "00" * 60),
        ("capture", "--live", "--interface", "lo", "nowhere.pcapng"),
    ],
    ids=["decode", "capture"],
)
def test_without_scapy_one_line_says_what_to_do(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "pilothat.traffic.scapylayers")
    monkeypatch.setitem(sys.modules, "scapy.config", None)
    done = ran(*arguments)
    assert (done.code, done.out) == (1, "")
    assert "Install it: pip install 'scapy" in done.err
    assert done.err.count("\n") == 1
    assert not Path("nowhere.pcapng").exists()
