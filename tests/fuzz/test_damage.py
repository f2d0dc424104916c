"""Damaged and random input gives a message or the codec's one error, in bounded time.

``make fuzz`` sets ``PILOTHAT_FUZZ`` to a million inputs; here it is a short run.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from tests.values import Chance, root_of

from pilothat.exi.codec import Codec, ExiError
from pilothat.v2g.messages import SCHEMAS, codec

INPUTS = int(os.environ.get("PILOTHAT_FUZZ", "8000"))
SLOW_S = 0.5  # CPU time of one input; a hundred times what any has taken
SEEDS = 200
DOCUMENTS = [name for name in SCHEMAS if codec(name).grammar.roots]


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """Return octets with bits turned, parts cut, doubled, swapped or replaced."""
    data = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
            case 4:
                data[at:at] = b"\xff" * chance.randint(1, 12)
            case 5:
                data += data[at : at + 40]
    return bytes(data)


def decoded(exi: Codec, data: bytes) -> object | None:
    """Return the message; None where the codec says with its own error why not."""
    try:
        return exi.decode(data)
    except ExiError:
        return None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_only_the_one_error_escapes(name: str) -> None:
    exi, chance = codec(name), random.Random(name)
    seeds = [exi.encode(root_of(exi.grammar, Chance(seed))) for seed in range(SEEDS)]
    read = 0
    for number in range(INPUTS // len(DOCUMENTS)):
        is_random = number % 10 == 0
        data = b"\x80" + chance.randbytes(chance.randint(0, 60))
        data = data if is_random else damaged(chance.choice(seeds), chance)
        began = time.process_time()
        message = decoded(exi, data)
        if message is not None:
            read += 1
            assert exi.decode(exi.encode(message)) == message
        assert time.process_time() - began < SLOW_S, data.hex()
    assert read > 0
