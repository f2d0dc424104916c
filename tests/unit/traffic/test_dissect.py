"""Charges in capture files: each message comes out once, whatever the packets."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace

import pytest
from tests.unit.traffic import wire
from tests.unit.traffic.wire import Connection, Shot

from pilothat.traffic.dissect import MOST_TALKS
from pilothat.traffic.piece import Layer, Side
from pilothat.traffic.recorded import Left
from pilothat.v2g import sdp, tp

FEW = 12  # messages of a short conversation


def data_shots(shots: list[Shot]) -> list[int]:
    """Return the places of the packets that carry V2G messages."""
    return [n for n, shot in enumerate(shots) if b"\x01\xfe\x80\x01" in shot.raw]


def few(connection: Connection, at_s: float = wire.START_S) -> list[Shot]:
    """Return the beginning of the charge as a conversation of its own."""
    shots = connection.opened(at_s)
    for n, (from_ev, data) in enumerate(wire.messages()[:FEW], 1):
        shots += connection.said(at_s + n, data, from_ev=from_ev)
    return shots + connection.closed(at_s + FEW + 1)


WRAPPINGS = {
    "pcap": wire.pcap(wire.charge()),
    "pcap, big endian, nanoseconds": wire.pcap(wire.charge(), ">", is_nano=True),
    "pcapng": wire.pcapng(wire.charge()),
    "pcapng, big endian": wire.pcapng(wire.charge(), ">"),
    "VLAN": wire.pcap([wire.tagged(shot, 0x8100) for shot in wire.charge()]),
    "VLAN in VLAN": wire.pcap(
        [wire.tagged(shot, 0x88A8, 0x8100) for shot in wire.charge()]
    ),
    "Linux cooked": wire.pcap(map(wire.cooked, wire.charge()), link=wire.SLL),
    "Linux cooked 2": wire.pcapng(map(wire.cooked2, wire.charge()), link=wire.SLL2),
    "small segments": wire.pcap(wire.charge(most=7)),
    "octet by octet": wire.pcap(wire.charge(most=1)),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_charge_is_read_alike_in_every_wrapping(wrapping: str) -> None:
    assert wire.spoken(WRAPPINGS[wrapping]) == wire.messages()
    assert wire.flaws(WRAPPINGS[wrapping]) == []


@pytest.mark.parametrize("wrapping", ["pcap", "VLAN", "Linux cooked", "Linux cooked 2"])
def test_slac_and_discovery_are_read_in_every_wrapping(wrapping: str) -> None:
    kinds = [piece.layer for piece in wire.pieces_of(WRAPPINGS[wrapping])]
    rows = [row["type"] for row in wire.journal()]
    assert kinds.count(Layer.SLAC) == rows.count("FrameIn") + rows.count("SendFrame")
    assert kinds.count(Layer.SDP) == 2


def test_bare_ip_is_read() -> None:
    shots = [wire.bare(shot) for shot in few(Connection())]
    assert wire.spoken(wire.pcap(shots, link=wire.RAW)) == wire.messages()[:FEW]


def test_ipv4_is_read() -> None:
    four = Connection(ev_ip=b"\x0a\0\0\1", evse_ip=b"\x0a\0\0\2")
    assert wire.spoken(wire.pcap(few(four))) == wire.messages()[:FEW]


def test_several_messages_in_one_segment_are_told_apart() -> None:
    talk = Connection()
    both = b"".join(data for from_ev, data in wire.messages()[:FEW] if from_ev)
    shots = talk.opened(1.0) + talk.said(2.0, both, from_ev=True, most=len(both))
    assert len(wire.spoken(wire.pcap(shots))) == FEW // 2


def test_first_and_last_piece_of_a_conversation_tell_of_its_connection() -> None:
    pieces = wire.pieces_of(wire.pcap(few(Connection())))
    tcp = [(piece.sender, piece.text) for piece in pieces if piece.layer is Layer.TCP]
    assert tcp == [
        (Side.EV, "[fe80::ca:ff:fe00:1]:50000 -> [fe80::e5:e0ff:fe00:1]:61341"),
        (Side.EV, "FIN"),
        (Side.EVSE, "FIN"),
    ]


# --- what goes wrong in the network


@pytest.mark.parametrize("seed", range(8))
def test_packets_out_of_order_are_sorted(seed: int) -> None:
    chance = random.Random(seed)
    talk = Connection()
    data = b"".join(data for from_ev, data in wire.messages() if from_ev)[:4000]
    opening, said = talk.opened(1.0), talk.said(2.0, data, from_ev=True, most=50)
    parts = said[:-1]
    for at in range(0, len(parts) - 4, 4):
        parts[at : at + 4] = chance.sample(parts[at : at + 4], 4)
    mixed = wire.pcap([*opening, *parts, said[-1]])
    whole = wire.pcap([*opening, *said])
    assert wire.spoken(mixed) == wire.spoken(whole)
    assert len(wire.spoken(mixed)) > 40
    assert wire.flaws(mixed) == wire.flaws(whole)


def test_retransmissions_are_told_once() -> None:
    shots = wire.charge()
    twice = [one for shot in shots for one in (shot, shot)]
    assert wire.spoken(wire.pcap(twice))[: len(wire.messages())] == wire.messages()
    assert [one for one in wire.flaws(wire.pcap(twice)) if "gap" in one] == []


def test_retransmission_in_other_segments_is_told_once() -> None:
    talk, again = Connection(), Connection()
    from_ev, data = wire.messages()[0]
    opening = talk.opened(1.0)
    again.opened(1.0)
    first = talk.said(2.0, data, from_ev=from_ev, most=10)
    second = again.said(2.5, data, from_ev=from_ev, most=7)
    shots = [*opening, *first[:2], *second[3:-1], *first[1:4], *second]
    assert wire.spoken(wire.pcap(shots)) == wire.messages()[:1]
    assert wire.flaws(wire.pcap(shots)) == []


@pytest.mark.parametrize("lost", [0, 1, 5, 40])
def test_lost_packet_costs_its_message_only(lost: int) -> None:
    shots = wire.charge()
    del shots[data_shots(shots)[lost]]
    expected = list(wire.messages())
    _, gone = expected.pop(lost)
    data = wire.pcap(shots)
    assert wire.spoken(data) == expected
    assert wire.flaws(data) == [f"gap of {len(gone)} octets"]


def test_lost_part_of_a_message_costs_that_message_only() -> None:
    shots = wire.charge(most=20)
    del shots[data_shots(shots)[4] + 1]
    expected = list(wire.messages())
    del expected[4]
    data = wire.pcap(shots)
    assert wire.spoken(data) == expected
    assert wire.flaws(data)[0] == "gap of 2 octets after 20 of a message"


def test_packets_that_were_not_recorded_whole_cost_their_messages_only() -> None:
    shots = wire.charge()
    places = data_shots(shots)[4:6]
    for place in places:
        shots[place] = wire.snapped(shots[place], len(shots[place].raw) - 5)
    expected = list(wire.messages())
    del expected[4:6]
    left = Left()
    wire.pieces_of(wire.pcap(shots), left)
    assert wire.spoken(wire.pcap(shots)) == expected
    assert wire.flaws(wire.pcap(shots))[0].startswith("gap of 5 octets after ")
    assert left.cut == 2


def test_recording_that_begins_in_the_middle_finds_the_messages_and_who_speaks() -> (
    None
):
    shots = wire.charge()
    start = data_shots(shots)[20]
    assert wire.spoken(wire.pcap(shots[start:])) == wire.messages()[20:]


def test_recording_that_begins_within_a_message_finds_the_next() -> None:
    shots = [shot for shot in wire.charge(most=9) if len(shot.raw) > 74]
    start = data_shots(shots)[20] + 1
    found = wire.spoken(wire.pcap(shots[start:]))
    assert found == wire.messages()[21:]


def test_half_a_file_gives_what_is_there() -> None:
    data = wire.pcap(wire.charge())
    half = data[: len(data) // 2]
    found = wire.spoken(half)
    assert found == wire.messages()[: len(found)]
    assert len(found) > 100
    assert wire.flaws(half)[-1].startswith("the file is cut short (packet ")


@pytest.mark.parametrize("seed", range(25))
def test_garbage_in_packets_is_survived(seed: int) -> None:
    chance = random.Random(seed)
    shots = wire.charge(most=60)[:400]
    for place in chance.sample(range(len(shots)), 60):
        raw = bytearray(shots[place].raw)
        for _ in range(4):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        shots[place] = replace(
            shots[place], raw=bytes(raw[: chance.randrange(len(raw))])
        )
    for told in wire.told_of(wire.pcap(shots)):
        assert told.error or told.name


# --- several connections


def test_two_sessions_are_numbered() -> None:
    one, two = Connection(ev_port=50_001), Connection(ev_port=50_002)
    shots = few(one) + few(two, wire.START_S + 100)
    pieces = wire.pieces_of(wire.pcap(shots))
    streams = [piece.stream for piece in pieces if piece.layer is Layer.V2GTP]
    assert streams == [1] * FEW + [2] * FEW
    assert wire.spoken(wire.pcap(shots)) == [*wire.messages()[:FEW]] * 2


def test_two_sessions_at_the_same_time_are_kept_apart() -> None:
    one, two = few(Connection(ev_port=50_001)), few(Connection(ev_port=50_002))
    shots = [shot for pair in zip(one, two, strict=True) for shot in pair]
    pieces = wire.pieces_of(wire.pcap(shots))
    for stream in (1, 2):
        own = [(p.sender == Side.EV, tp.pack(p.payload_type, p.data)) for p in pieces
               if p.stream == stream and p.layer is Layer.V2GTP]  # fmt: skip
        assert own == wire.messages()[:FEW]


@pytest.mark.parametrize("is_closed", [True, False])
def test_same_ports_used_again_are_another_connection(is_closed: bool) -> None:
    first, second = (
        few(Connection()),
        few(Connection(seqs={True: 777_000_000, False: 5}), wire.START_S + 100),
    )
    shots = (first if is_closed else first[:-3]) + second
    assert wire.spoken(wire.pcap(shots)) == [*wire.messages()[:FEW]] * 2
    assert wire.flaws(wire.pcap(shots)) == []


def test_repeated_syn_is_no_other_connection() -> None:
    shots = few(Connection())
    shots.insert(1, shots[0])
    assert wire.spoken(wire.pcap(shots)) == wire.messages()[:FEW]
    assert max(piece.stream for piece in wire.pieces_of(wire.pcap(shots))) == 1


def test_reset_is_told() -> None:
    talk = Connection()
    shots = talk.opened(1.0) + talk.said(2.0, wire.messages()[0][1], from_ev=True)
    shots.append(talk.shot(3.0, from_ev=False, flags=wire.RST | wire.ACK))
    last = wire.pieces_of(wire.pcap(shots))[-1]
    assert (last.layer, last.sender, last.text) == (Layer.TCP, Side.EVSE, "RST")


def test_other_tcp_is_left_out_and_counted() -> None:
    web = Connection(ev_port=50_003, evse_port=80)
    shots = web.opened(1.0)
    shots += web.said(2.0, b"GET / HTTP/1.1\r\n\r\n", from_ev=True)
    left = Left()
    assert wire.pieces_of(wire.pcap(shots), left) == []
    assert left.others == 1


def test_many_refused_connections_are_not_kept() -> None:
    shots: list[Shot] = []
    for port in range(1024, 1024 + 2 * MOST_TALKS):
        one = Connection(ev_port=port, evse_port=60918)
        shots.append(one.shot(1.0, from_ev=True, flags=wire.SYN))
        shots.append(one.shot(1.0, from_ev=False, flags=wire.RST | wire.ACK))
    assert wire.pieces_of(wire.pcap(shots)) == []


# --- TLS


HELLO = bytes.fromhex("1603010005") + b"hello"


def announced(security: sdp.Security) -> Shot:
    answer = sdp.build_response(wire.EVSE_IP, wire.EVSE_PORT, security)
    return wire.discovery(0.5, answer, from_ev=False)


def tls(connection: Connection) -> list[Shot]:
    shots = connection.opened(1.0) + connection.said(2.0, HELLO, from_ev=True)
    return (
        shots + connection.said(2.1, HELLO * 2, from_ev=False) + connection.closed(3.0)
    )


def test_tls_is_one_line_with_its_size() -> None:
    pieces = wire.pieces_of(
        wire.pcap([announced(sdp.Security.TLS), *tls(Connection())])
    )
    found = [piece.text for piece in pieces if piece.layer is Layer.TLS]
    assert found == ["TLS, 30 octets"]
    assert [piece.layer for piece in pieces] == [Layer.SDP, Layer.TLS]


def test_tls_between_link_local_ends_is_told_without_discovery() -> None:
    pieces = wire.pieces_of(wire.pcap(tls(Connection())[:-3]))
    assert [piece.text for piece in pieces] == ["TLS, 30 octets"]


def test_tls_elsewhere_is_something_else() -> None:
    far = Connection(ev_ip=bytes((0x20, 1, *range(14))), evse_port=443)
    left = Left()
    assert wire.pieces_of(wire.pcap(tls(far)), left) == []
    assert left.others == 1


# --- discovery


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x01\xfe", "2 octets are no SDP message"),
        (b"\x01\xff\x90\0\0\0\0\2\x10\0", "version 01 ff instead of 01 fe"),
        (b"\x01\xfe\x80\1\0\0\0\2\x10\0", "payload type 0x8001 is not of SDP"),
        (b"\x01\xfe\x90\0\0\0\0\3\x10\0", "3 octets announced, 2 there"),
    ],
)
def test_broken_discovery_is_told(data: bytes, told: str) -> None:
    shot = wire.discovery(1.0, data, from_ev=True)
    assert wire.flaws(wire.pcap([shot])) == [told]


def test_announced_port_is_v2g_even_if_nothing_of_it_can_be_read() -> None:
    talk = Connection()
    shots = [announced(sdp.Security.NONE), *talk.opened(1.0)]
    shots += talk.said(2.0, b"hello, anybody there?", from_ev=True)
    assert wire.flaws(wire.pcap(shots)) == ["version 68 65 instead of 01 fe"]


def test_packed_file_is_no_capture_to_the_reader_itself() -> None:
    packed = gzip.compress(wire.pcap([]), mtime=0)
    assert [piece.layer for piece in wire.pieces_of(packed)] == [Layer.V2GTP]
