"""A station's journal is read like any other recording."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import cast

import pytest
from tests.sim.short import PLUG_AT_S, QUICK, quick_car

from pilothat.service.cli import main
from pilothat.service.forms import MOST_COMPLAINTS
from pilothat.traffic.ear import Ear, Told
from pilothat.traffic.piece import Layer, Side
from pilothat.traffic.recorded import Left, recorded
from pilothat.twin.car import Car, Phase, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.stage import EV_MAC, fitting
from pilothat.twin.world import World


@cache
def journal() -> tuple[str, int]:
    """Return the journal of a whole charge, and how many requests the car made."""
    kind = quick_car()
    world = World(replace(fitting(kind, QUICK), keeps_lines=True), 1)
    car = Car(kind, EV_MAC, Chance(1, "car"))
    world.park(car)
    world.after(PLUG_AT_S, lambda: world.drive(Plug()))
    world.run(lambda: car.phase is Phase.AWAY and world.now > PLUG_AT_S, 90.0)
    return "\n".join(world.lines) + "\n", car.summary.requests


def told(text: str) -> list[Told]:
    raw = cast("RawIOBase", BytesIO(text.encode()))
    source = BufferedReader(raw)
    ear = Ear(None, hears_fragments=False)
    return [ear.hear(piece) for piece in recorded(source, Left()).pieces]


def test_every_message_of_the_car_and_its_answer_are_found() -> None:
    text, requests = journal()
    heard = told(text)
    assert [one.error for one in heard if one.error] == []
    for side in Side:
        said = [
            one for one in heard
            if one.piece.layer is Layer.V2GTP and one.piece.sender is side
        ]  # fmt: skip
        assert len(said) == requests


def test_frames_datagrams_and_the_connection_are_there() -> None:
    layers = [one.piece.layer for one in told(journal()[0])]
    assert layers.count(Layer.SLAC) > 20
    assert layers.count(Layer.SDP) == 2
    assert layers.count(Layer.TCP) >= 2


def test_message_in_portions_is_put_together() -> None:
    lines = journal()[0].splitlines()
    number, entry = next(
        (number, json.loads(line))
        for number, line in enumerate(lines)
        if '"TcpData"' in line
    )
    first, rest = (dict(entry["event"]) for _ in range(2))
    first["data"], rest["data"] = first["data"][:10], rest["data"][10:]
    parts = [entry | {"event": first, "actions": []}, entry | {"event": rest}]
    lines[number : number + 1] = [json.dumps(part) for part in parts]
    kinds = [(one.piece.layer, one.error) for one in told("\n".join(lines))]
    assert kinds == [(one.piece.layer, "") for one in told(journal()[0])]


@pytest.mark.parametrize(
    "line",
    [
        '{"at":1,"event":{"type":"FrameIn"},"actions":[]}',
        '{"at":"x","event":null,"actions":[]}',
        '{"at":1,"event":7,"actions":[]}',
        '{"at":1,"event":null,"actions":[{"type":"TcpSend","connection":1,"data":"z"}]}',
    ],
)
def test_damaged_entry_is_a_flaw_and_what_follows_is_read(line: str) -> None:
    text, _ = journal()
    head, *rest = text.splitlines()
    flaws = [one.error for one in told("\n".join([head, line, *rest])) if one.error]
    assert len(flaws) == 1
    assert flaws[0].startswith("no entry of a journal")


def test_wrong_file_does_not_complain_without_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"something": "else"}\n' * 1000)
    assert main(["decode", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_COMPLAINTS + 1
    assert lines[-1] == f"pilothat: and {1000 - MOST_COMPLAINTS} more like these"
