"""TLS with a key log: by the installed tshark, and by one that plays its part."""

from __future__ import annotations

import shutil
import ssl
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.service.console import ran
from tests.unit.traffic import wire
from tests.unit.traffic.test_dissect import announced
from tests.unit.traffic.wire import Connection, Shot

from pilothat.v2g import sdp

SAID = 20  # messages of the encrypted conversation
ANONYMOUS = "AECDH-AES128-SHA:@SECLEVEL=0"  # needs no certificate


def exported(shot_at_s: float, data: bytes, *, from_ev: bool) -> Shot:
    """Return decrypted octets in the form in which tshark exports them."""
    ends = (wire.EV_IP, wire.EVSE_IP, wire.EV_PORT, wire.EVSE_PORT)
    source, target, near, far = ends if from_ev else (*ends[1::-1], *ends[:1:-1])
    tags = [(12, b"data"), (22, source), (23, target)]
    tags += [(25, struct.pack(">I", near)), (26, struct.pack(">I", far))]
    head = b"".join(struct.pack(">HH", tag, len(v)) + v for tag, v in tags)
    return Shot(shot_at_s, head + bytes(4) + data)


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a tshark that knows what was said."""
    shots = [
        exported(wire.START_S + 2 + n, data, from_ev=from_ev)
        for n, (from_ev, data) in enumerate(wire.messages()[:SAID])
    ]
    (tmp_path / "clear.pcapng").write_bytes(wire.pcapng(shots, link=252))
    cat = shutil.which("cat")
    tshark = tmp_path / "tshark"
    tshark.write_text(f"#!/bin/sh\nexec {cat} {tmp_path}/clear.pcapng\n")
    tshark.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_tshark_decrypts_is_told_among_the_rest(pretended: Path) -> None:
    talk = Connection()
    shots = [replace(announced(sdp.Security.TLS), at_s=wire.START_S)]
    shots += talk.opened(wire.START_S + 1)
    shots += talk.said(wire.START_S + 1.5, b"\x16\x03\x01hello", from_ev=True)
    shots += talk.closed(wire.START_S + 100)
    path = pretended / "charge.pcap"
    path.write_bytes(wire.pcap(shots))
    done = ran("decode", path, "--keylog", path)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[-1] for line in (lines[0], lines[-1])] == ["TLS", "FIN"]
    assert lines[2].split()[:6] == ["2.000", "s", "#1", "EV", "->", "EVSE"]
    assert len(lines) == 1 + 1 + SAID + 2  # discovery, opening, messages, closing


def test_complaint_of_tshark_is_passed_on(pretended: Path) -> None:
    tshark = pretended / "tshark"
    tshark.write_text("#!/bin/sh\necho 'tshark: no such key' >&2\nexit 2\n")
    path = pretended / "charge.pcap"
    path.write_bytes(wire.pcap([announced(sdp.Security.TLS)]))
    done = ran("decode", path, "--keylog", path)
    assert done.err == "pilothat: tshark: no such key\n"
    assert "SDP response" in done.out


def test_reader_that_ends_early_does_not_hang_on_tshark(pretended: Path) -> None:
    tshark = pretended / "tshark"
    tshark.write_text("#!/bin/sh\nprintf nonsense\nwhile :; do :; done\n")
    path = pretended / "charge.pcap"
    path.write_bytes(wire.pcap([announced(sdp.Security.TLS)]))
    assert "SDP response" in ran("decode", path, "--keylog", path).out


def encrypted(keylog: Path) -> Iterator[Shot]:
    """Return the packets of a conversation over real TLS 1.2, and log its keys."""
    contexts = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    )
    for context in contexts:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ANONYMOUS)
    contexts[0].keylog_filename = str(keylog)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        contexts[0].wrap_bio(down, up),
        contexts[1].wrap_bio(up, down, server_side=True),
    )
    talk = Connection()
    at_s = wire.START_S
    yield replace(announced(sdp.Security.TLS), at_s=at_s)
    yield from talk.opened(at_s + 0.1)
    turns = [*((True, b""), (False, b"")) * 2, *wire.messages()[:SAID]]
    for from_ev, data in turns:
        at_s += 1.0
        end = ends[0 if from_ev else 1]
        if data:
            end.write(data)
        else:
            _handshake(end)
        pipe = up if from_ev else down
        octets = pipe.read()
        yield from talk.said(at_s, octets, from_ev=from_ev, most=500)
        pipe.write(octets)
        if data:
            assert ends[1 if from_ev else 0].read() == data
    yield from talk.closed(at_s + 1)


def _handshake(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_real_tls_is_read_with_the_real_tshark(tmp_path: Path) -> None:
    path, keylog = tmp_path / "charge.pcap", tmp_path / "keys.txt"
    path.write_bytes(wire.pcap(encrypted(keylog)))
    done = ran("decode", path, "--keylog", keylog, "--json")
    assert done.code == 0
    encoded = ran("encode", "--v2gtp", stdin=done.out.encode())
    assert encoded.out.split() == [data.hex() for _, data in wire.messages()[:SAID]]
