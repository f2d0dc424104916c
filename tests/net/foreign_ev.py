"""The EVCC of the package iso15118 as a car: run by a Python that has it, not by ours.

    python foreign_ev.py INTERFACE CONFIG

It says ``ready`` and waits for a line before it looks for a station. What its simulated
controller leaves to hardware is told on standard output, for the test that holds the
cable, a line each: ``CP C``, ``CP B``, ``contactor closed``, ``contactor open``, and
what TLS it speaks. Its certificates: the folder PKI_PATH, see foreign_pki.py.
"""

import asyncio
import sys

from iso15118.evcc import EVCCHandler, comm_session_handler
from iso15118.evcc.controller.simulator import SimEVController
from iso15118.evcc.evcc_config import load_from_file
from iso15118.evcc.transport.tcp_client import TCPClient
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.settings import load_shared_settings

TARGET_V, NEAR_V, POLL_S = 500.0, 20.0, 0.2
REACTION_S = 0.1  # of a car, between message and pilot


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Controller(SimEVController):
    """The package's simulated car, with a pilot and a contactor."""

    async def enable_charging(self, enabled: bool) -> None:
        await super().enable_charging(enabled)
        if not enabled:
            tell("contactor open")
        await asyncio.sleep(REACTION_S)
        tell("CP C" if enabled else "CP B")

    async def is_precharged(self, present_voltage_evse) -> bool:
        await asyncio.sleep(POLL_S)
        missing_v = TARGET_V - float(present_voltage_evse.get_decimal_value())
        if abs(missing_v) > NEAR_V:
            return False
        tell("contactor closed")
        await asyncio.sleep(REACTION_S)
        return True


class Client(TCPClient):
    """The package's connection, which says what TLS it is under."""

    @staticmethod
    async def create(*where):
        client = await TCPClient.create(*where)
        if tls := client.writer.get_extra_info("ssl_object"):
            tell(f"TLS {tls.version()} {tls.cipher()[0]}")
        return client


async def main() -> None:
    comm_session_handler.TCPClient = Client
    interface, path = sys.argv[1:]
    load_shared_settings()
    config = await load_from_file(path)
    codec = ExificientEXICodec()  # starts a Java machine, which takes its time
    tell("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    controller = Controller(config)
    await EVCCHandler(config, interface, codec, controller).start()


if __name__ == "__main__":
    asyncio.run(main())
