"""Coverage-guided fuzzing of the EXI codec: ``python -m tests.fuzz.atheris_exi``.

Needs atheris (Linux, ``pip install atheris``). The first octet chooses the grammar.
What decodes must encode, and decode to itself; both ways through the codec must agree.
Arguments are those of libFuzzer: ``-runs=100000``, ``-max_total_time=60``, a corpus.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["pilothat.exi"]):
    from pilothat.exi.codec import Codec, ExiError
    from pilothat.v2g.messages import SCHEMAS, codec

NAMES = [name for name in SCHEMAS if codec(name).grammar.roots]
PRECISE = {name: Codec(codec(name).grammar, is_precise=True) for name in NAMES}


def outcome(exi: Codec, data: bytes) -> object:
    """Return the message and the notes, or what is wrong."""
    try:
        return exi.decode_with_notes(data)
    except ExiError as error:
        return error.reason, error.path, error.bit


def one_input(data: bytes) -> None:
    """Try one input."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    exi, octets = codec(name), data[1:]
    quick = outcome(exi, octets)
    if quick != outcome(PRECISE[name], octets):
        raise AssertionError(f"{name} {octets.hex()}: the two ways differ")
    message = quick[0] if isinstance(quick, tuple) and len(quick) == 2 else None
    if message is not None and exi.decode(exi.encode(message)) != message:
        raise AssertionError(f"{name} {octets.hex()}: does not come back")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
