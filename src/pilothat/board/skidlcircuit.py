"""The circuit of a board in SKiDL: a second opinion on its rules and its netlist.

SKiDL is a tool of who makes a board (extra ``hat``); the station never imports it. All
parts are defined here, from the circuit's table, so no symbol libraries are needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from skidl import NETLIST, SKIDL, Net, Part, Pin
from skidl import Circuit as SkidlCircuit
from skidl.logger import erc_logger
from skidl.pin import pin_types

from pilothat.board.circuit import Circuit
from pilothat.frozen import dataclass

FUNCTIONS: Mapping[str, pin_types] = {
    "i": pin_types.INPUT,
    "o": pin_types.OUTPUT,
    "b": pin_types.BIDIR,
    "t": pin_types.TRISTATE,
    "c": pin_types.OPENCOLL,
    "p": pin_types.PASSIVE,
    "P": pin_types.PWRIN,
    "S": pin_types.PWROUT,
    "n": pin_types.NOCONNECT,
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What SKiDL says of a circuit.

    flaws:   errors and warnings of its electrical rules
    netlist: in KiCad's format
    """

    flaws: int
    netlist: str


def opinion(circuit: Circuit) -> Opinion:
    """Return what SKiDL says; it leaves its logs in the current folder."""
    made = _build(circuit)
    made.ERC()
    flaws = erc_logger.error.count + erc_logger.warning.count
    return Opinion(flaws, str(made.generate_netlist(do_backup=False)))


def _build(circuit: Circuit) -> SkidlCircuit:
    made = SkidlCircuit()
    parts = {ref: _part(circuit, ref, made) for ref in circuit.parts}
    for name, ends in circuit.nets.items():
        net = Net(name, circuit=made)
        for ref, pin in ends:
            net += parts[ref][str(circuit.pin(ref, pin).number)]
    return made


def _part(circuit: Circuit, ref: str, made: SkidlCircuit) -> Part:
    part = circuit.parts[ref]
    pins = [
        Pin(num=str(pin.number), name=pin.name, func=FUNCTIONS[pin.function])
        for pin in part.pins
    ]
    return Part(
        name=part.mpn,
        ref=ref,
        value=part.value,
        tag=ref,  # so that one netlist is like the next
        footprint="none",
        tool=SKIDL,
        dest=NETLIST,
        circuit=made,
        pins=pins,
    )
