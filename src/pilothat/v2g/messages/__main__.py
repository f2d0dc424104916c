"""Print the source that is generated for a type.

``python -m pilothat.v2g.messages din Notification``
"""

from __future__ import annotations

import sys
from importlib import import_module

from pilothat.exi.schema import is_declared
from pilothat.v2g.messages import SCHEMAS, codec


def main(args: list[str]) -> int:
    """Print the source that reads and the source that writes a type."""
    if len(args) != 2 or args[0] not in SCHEMAS:
        usage = "usage: python -m pilothat.v2g.messages GRAMMAR TYPE"
        sys.stderr.write(f"{usage}; grammars: {', '.join(SCHEMAS)}\n")
        return 2
    protocol, name = args
    module = import_module(f"pilothat.v2g.messages.{SCHEMAS[protocol]}")
    cls, quick = getattr(module, name, None), codec(protocol).quick
    if not is_declared(cls) or quick is None:
        sys.stderr.write(f"{name}: no type of {protocol}\n")
        return 1
    sys.stdout.write(f"{quick.reads.source(cls)}\n{quick.writes.source(cls)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
