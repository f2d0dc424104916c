from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.net.lab import Lab, unique_name


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    assert os.geteuid() == 0, "the network proof needs root: sudo make test-net"
    made = Lab(tmp_path, unique_name())
    try:
        made.build()
        yield made
    finally:
        made.tear_down()
