"""TLS between our station and our car, over memory, and who is refused."""

from __future__ import annotations

import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilothat.errors import ConfigError
from pilothat.runtime.pkifiles import SECC, read_credential
from pilothat.runtime.tlsfiles import CIPHERS, client_context, server_context

MANY = 20  # turns; a handshake takes two


@dataclass
class Line:
    """Both ends of a connection, without a network."""

    car: ssl.SSLObject
    station: ssl.SSLObject
    to_car: ssl.MemoryBIO
    to_station: ssl.MemoryBIO


def connected(client: ssl.SSLContext, server: ssl.SSLContext) -> Line:
    """Return a line on which both sides have finished; raises what they raise."""
    to_car, to_station = ssl.MemoryBIO(), ssl.MemoryBIO()
    line = Line(
        car=client.wrap_bio(to_car, to_station),
        station=server.wrap_bio(to_station, to_car, server_side=True),
        to_car=to_car,
        to_station=to_station,
    )
    done = [False, False]
    for _ in range(MANY):
        done = [is_done(line.car), is_done(line.station)]
        if all(done):
            return line
    raise AssertionError(f"still not connected: {done}")


def is_done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def plain(protocol: int, **limits: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, version in limits.items():
        setattr(context, name, version)
    return context


def test_car_and_station_agree_on_what_the_standard_says(folder: Path) -> None:
    line = connected(client_context(folder), server_context(folder))
    assert line.car.version() == "TLSv1.2"
    assert line.car.cipher() == (CIPHERS, "TLSv1.2", 128)
    assert line.station.getpeercert(binary_form=True) is None
    leaf = read_credential(folder, SECC).leaf
    assert line.car.getpeercert(binary_form=True) == leaf.der


def test_octets_go_both_ways(folder: Path) -> None:
    line = connected(client_context(folder), server_context(folder))
    line.car.write(b"request")
    assert line.station.read(100) == b"request"
    line.station.write(b"response")
    assert line.car.read(100) == b"response"


def test_station_of_a_foreign_pki_is_refused(
    folder: Path, foreign_folder: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connected(client_context(folder), server_context(foreign_folder))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_car_without_the_suite_of_the_standard_is_refused(
    folder: Path, version: ssl.TLSVersion
) -> None:
    other = plain(
        ssl.PROTOCOL_TLS_CLIENT, minimum_version=version, maximum_version=version
    )
    other.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        connected(other, server_context(folder))


def test_car_without_the_curve_of_the_standard_is_refused(folder: Path) -> None:
    other = plain(ssl.PROTOCOL_TLS_CLIENT)
    other.set_ciphers(CIPHERS)
    other.maximum_version = ssl.TLSVersion.TLSv1_2
    other.set_ecdh_curve("secp384r1")
    with pytest.raises(ssl.SSLError):
        connected(other, server_context(folder))


def test_garbage_ends_in_an_error_and_the_context_serves_the_next(
    folder: Path,
) -> None:
    server = server_context(folder)
    to_station = ssl.MemoryBIO()
    to_station.write(b"\x01\xfe\x80\x01\x00\x00\x00\x04\x80\x00\x00\x00")
    station = server.wrap_bio(to_station, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLError):
        station.do_handshake()
    assert connected(client_context(folder), server).car.version() == "TLSv1.2"


@pytest.mark.parametrize("has_tickets", [False, True])
def test_ticket_is_given_only_where_it_is_wanted(
    folder: Path, has_tickets: bool
) -> None:
    server = server_context(folder, has_tickets=has_tickets)
    line = connected(client_context(folder), server)
    assert line.car.session
    assert line.car.session.has_ticket is has_tickets


def test_key_log_is_written_on_request_for_its_owner_alone(
    folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    server = server_context(folder, keylog=log)
    assert log.stat().st_mode & 0o777 == 0o600
    connected(client_context(folder), server)
    assert log.read_text().splitlines()[-1].startswith("CLIENT_RANDOM ")


def test_key_log_that_cannot_be_written_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Choose another file"):
        client_context(folder, keylog=folder / "no such folder" / "keys.log")


def test_server_without_certificate_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pilothat pki make"):
        server_context(tmp_path)
    with pytest.raises(ConfigError, match="pilothat pki make"):
        client_context(tmp_path)


def test_key_of_another_certificate_is_told(
    folder: Path, foreign_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secc").mkdir()
    shutil.copy(SECC.chain_path(folder), SECC.chain_path(tmp_path))
    shutil.copy(SECC.key_path(foreign_folder), SECC.key_path(tmp_path))
    with pytest.raises(ConfigError, match="does not belong to DE"):
        server_context(tmp_path)
