"""The control socket: answers, and callers that mean no good."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pilothat.runtime.control import CALLERS_MAX, LINE_MAX, ControlServer, RefusedError

Talk = Callable[[Path], Awaitable[None]]
LIMIT_S = 10.0


def refuse(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
    raise RefusedError("not today")


DEEDS = {"echo": lambda asked: {"heard": asked["word"]}, "refuse": refuse}


def serve(folder: Path, talk: Talk) -> None:
    async def both() -> None:
        path = folder / "control.sock"
        server = ControlServer(path, DEEDS)
        await server.open()
        try:
            await asyncio.wait_for(talk(path), LIMIT_S)
        finally:
            server.close()
        assert not path.exists()

    asyncio.run(both())


async def ask(path: Path, line: bytes) -> bytes:
    """Return the answer; nothing when it hangs up."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    try:
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_deed_is_done_and_refusal_is_told(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        said = await ask(path, b'{"do": "echo", "word": 7}\n')
        assert json.loads(said) == {"heard": 7}
        said = await ask(path, b'{"do": "refuse"}\n')
        assert json.loads(said) == {"error": "not today"}
        mode = (await asyncio.to_thread(path.stat)).st_mode
        assert stat.S_IMODE(mode) == 0o660

    serve(tmp_path, talk)


def test_nonsense_is_answered_with_what_can_be_asked(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        deep = b"[" * 900 + b"]" * 100
        for line in (b"hello", b"[]", b'{"do": 1}', b'{"do": []}', b"\xff", deep):
            said = json.loads(await ask(path, line + b"\n"))
            assert "echo, refuse" in said["error"]

    serve(tmp_path, talk)


def test_caller_that_never_ends_its_line_is_cut_off(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        assert await ask(path, b"x" * (LINE_MAX + 1)) == b""

    serve(tmp_path, talk)


def test_caller_that_takes_no_answer_is_cut_off(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        _, writer = await asyncio.open_unix_connection(path)
        line = b'{"do": "echo", "word": "%s"}\n' % (b"w" * 900)
        try:
            for _ in range(10_000):
                writer.write(line)
                await writer.drain()
        except ConnectionError:
            return
        raise AssertionError("it was never cut off")

    serve(tmp_path, talk)


def test_too_many_callers_are_turned_away_and_the_first_are_served(
    tmp_path: Path,
) -> None:
    async def talk(path: Path) -> None:
        made = [await asyncio.open_unix_connection(path) for _ in range(CALLERS_MAX)]
        assert await ask(path, b'{"do": "refuse"}\n') == b""
        reader, writer = made[0]
        writer.write(b'{"do": "refuse"}\n')
        assert await reader.readline()
        for _, other in made:
            other.close()

    serve(tmp_path, talk)


def test_socket_of_an_earlier_life_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "control.sock").touch()

    async def talk(path: Path) -> None:
        assert await ask(path, b'{"do": "refuse"}\n')

    serve(tmp_path, talk)


def test_place_that_is_not_there_is_lived_without(tmp_path: Path) -> None:
    async def talk() -> None:
        server = ControlServer(tmp_path / "none" / "control.sock", DEEDS)
        await server.open()
        server.close()

    asyncio.run(talk())
