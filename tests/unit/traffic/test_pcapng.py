"""Captures that we write, read by our reader."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothat.service.capture import PilotEvents
from pilothat.traffic import pcapng
from pilothat.traffic.capture import CaptureReader

HEAD = (
    pcapng.section("test")
    + pcapng.interface(pcapng.ETHERNET, "eth1")
    + pcapng.interface(pcapng.USER0, "control pilot")
)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 60, 1514])
@pytest.mark.parametrize("comment", ["", "CP C2 6.0 V", "\u20ac"])
def test_packets_come_back(length: int, comment: str) -> None:
    data = bytes(range(256))[: length % 256] * 1 + bytes(max(length - 255, 0))
    written = HEAD + pcapng.packet(0, 1_700_000_000.25, data, comment)
    reader = CaptureReader(io.BytesIO(written))
    (packet,) = reader
    assert (packet.data, packet.link) == (data, pcapng.ETHERNET)
    assert packet.at_s == pytest.approx(1_700_000_000.25, abs=1e-6)
    assert reader.broken == ""


def test_words_stand_on_the_second_interface() -> None:
    written = HEAD + pcapng.packet(1, 5.0, b"CP B2 9.0 V", "CP B2 9.0 V")
    (packet,) = CaptureReader(io.BytesIO(written))
    assert (packet.link, packet.data) == (pcapng.USER0, b"CP B2 9.0 V")


def entries(*states: str) -> Iterator[str]:
    for number, state in enumerate(states):
        fact = f'"type":"PilotFact","state":"{state}","high_v":6.04,"low_v":-12.0'
        yield f'{{"at":{number}.5,"event":{{{fact},"duty_pct":5.0}},"actions":[]}}\n'


def test_changes_of_the_pilot_are_told_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "1.journal.jsonl"
    path.write_text('{"journal":1}\n' + "".join(entries("A1")))
    pilot = PilotEvents(tmp_path, lambda: 100.0)
    assert list(pilot.news()) == []
    with path.open("a") as journal:
        one, two = entries("B2", "C2")
        journal.write(one + two[:20])
        journal.flush()
        assert list(pilot.news()) == [(100.5, "CP B2 6.0 V, 5 % PWM")]
        journal.write(two[20:])
        journal.flush()
        assert list(pilot.news()) == [(101.5, "CP C2 6.0 V, 5 % PWM")]
    (tmp_path / "2.journal.jsonl").write_text("".join(entries("E")))
    assert list(pilot.news()) == [(100.5, "CP E 6.0 V, 5 % PWM")]


def test_folder_without_a_journal_has_no_news(tmp_path: Path) -> None:
    assert list(PilotEvents(tmp_path).news()) == []
