"""A made-up machine: the files of a Pi below a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pilothat.board.detect import TREE
from pilothat.board.revision import revision

REV = revision()
RIGHT = {
    "vendor": REV.board.vendor,
    "product": REV.board.product,
    "uuid": REV.board.uuid,
    "product_id": "0x0001",
    "product_ver": "0x0001",
}
MODELS = {  # as their device trees say
    "Raspberry Pi Zero W Rev 1.1": "raspberrypi,model-zero-w\0brcm,bcm2835",
    "Raspberry Pi 2 Model B Rev 1.1": "raspberrypi,2-model-b\0brcm,bcm2836",
    "Raspberry Pi Zero 2 W Rev 1.0": "raspberrypi,model-zero-2-w\0brcm,bcm2837",
    "Raspberry Pi 3 Model B Plus Rev 1.3": "raspberrypi,3-model-b-plus\0brcm,bcm2837",
    "Raspberry Pi 4 Model B Rev 1.4": "raspberrypi,4-model-b\0brcm,bcm2711",
    "Raspberry Pi 5 Model B Rev 1.0": "raspberrypi,5-model-b\0brcm,bcm2712",
    "Raspberry Pi 500 Rev 1.0": "raspberrypi,500\0brcm,bcm2712",
}
PI_4, PI_5 = "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"
BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\n'


@dataclass
class MadeUp:
    """A root folder that is filled."""

    root: Path

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def pi(self, model: str) -> None:
        """Be this Pi."""
        self.put(f"{TREE}/model", f"{model}\0")
        self.put(f"{TREE}/compatible", f"{MODELS[model]}\0")
        self.put("etc/os-release", BOOKWORM)
        self.put("etc/group", "root:x:0:\ngpio:x:997:evse\nspi:x:999:evse\n")

    def hat(self, **other: str) -> None:
        """Wear a HAT: ours, or one that says something else."""
        for name, text in {**RIGHT, **other}.items():
            self.put(f"{TREE}/hat/{name}", f"{text}\0")

    def overlay(self) -> None:
        """Have the overlay loaded."""
        node = f"{TREE}/soc/spi@7e204000/ethernet@0"
        self.put(f"{node}/compatible", "qca,qca7000\0")
