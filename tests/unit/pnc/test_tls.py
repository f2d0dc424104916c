"""TLS between station and car over memory, by each library, and who is refused."""

from __future__ import annotations

import shutil
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.pnc.tlsline import (
    LIBRARIES,
    Library,
    Line,
    client_context,
    connected,
    foreign,
    our_car,
)

from pilothat.errors import ConfigError
from pilothat.runtime import opensslengine
from pilothat.runtime.pipe import TlsError
from pilothat.runtime.pkifiles import SECC, read_credential
from pilothat.runtime.sslengine import context_of
from pilothat.runtime.tlsfiles import car_side, station_side
from pilothat.runtime.tlsside import CIPHERS

RECORD_OCTETS = 16 * 1024
SECP256R1_POINT = b"\x03\x00\x17\x41\x04"  # in ServerKeyExchange: curve, length, form
BAD_CERTIFICATE = b"\x15\x03\x03\x00\x02\x02\x2a"  # a fatal alert


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    """Return what the side that is looked at speaks TLS with."""
    found: Library = request.param
    return found


@pytest.fixture(params=LIBRARIES)
def other(request: pytest.FixtureRequest) -> Library:
    """Return what the other side speaks TLS with."""
    found: Library = request.param
    return found


def line_of(folder: Path, car: Library, station: Library) -> Line:
    return connected(car(car_side(folder))(), station(station_side(folder))())


def plain(**limits: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a car that believes anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, version in limits.items():
        setattr(context, name, version)
    return context


def client_of_any_curve() -> ssl.SSLContext:
    """Return a car that likes another curve best, as OpenSSL's defaults do."""
    context = plain(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(CIPHERS)
    return context


def asked(context: ssl.SSLContext, folder: Path, library: Library) -> ssl.SSLObject:
    """Return the session of a car by `ssl` with our station, to ask it."""
    car = foreign(context)
    connected(car, library(station_side(folder))())
    session: ssl.SSLObject = vars(car)["_session"]
    return session


def test_car_and_station_agree_on_what_the_standard_says(
    folder: Path, library: Library
) -> None:
    car = asked(client_context(folder), folder, library)
    assert car.version() == "TLSv1.2"
    assert car.cipher() == (CIPHERS, "TLSv1.2", 128)
    leaf = read_credential(folder, SECC).leaf
    assert car.getpeercert(binary_form=True) == leaf.der


def test_octets_go_both_ways(folder: Path, library: Library, other: Library) -> None:
    line = line_of(folder, library, other)
    line.car.write(b"request")
    line.carry()
    assert line.station.read(100) == b"request"
    assert line.station.read(100) is None
    line.station.write(b"response")
    line.carry()
    assert line.car.read(5) == b"respo"
    assert line.car.read(100) == b"nse"
    assert line.car.read(100) is None


def test_more_than_a_record_goes_at_once(
    folder: Path, library: Library, other: Library
) -> None:
    line = line_of(folder, library, other)
    told = bytes(range(256)) * 256
    assert len(told) > 3 * RECORD_OCTETS
    line.car.write(told)
    line.carry()
    heard = b""
    while piece := line.station.read(RECORD_OCTETS):
        heard += piece
    assert heard == told


def test_goodbye_is_heard_once_everything_is_read(
    folder: Path, library: Library, other: Library
) -> None:
    line = line_of(folder, library, other)
    line.car.write(b"last words")
    line.car.part()
    line.carry()
    assert line.station.read(100) == b"last words"
    assert line.station.read(100) == b""
    line.station.part()
    line.carry()
    assert line.car.read(100) == b""


def test_record_that_was_changed_under_way_is_an_error(
    folder: Path, library: Library, other: Library
) -> None:
    line = line_of(folder, library, other)
    line.car.write(b"request")
    sent = line.car.outgoing()
    line.station.take(sent[:-1] + bytes([sent[-1] ^ 1]))
    with pytest.raises(TlsError, match="decryption failed or bad record mac"):
        line.station.read(100)


def test_station_of_a_foreign_pki_is_refused_and_hears_why(
    folder: Path, foreign_folder: Path, library: Library, other: Library
) -> None:
    line = Line(library(car_side(folder))(), other(station_side(foreign_folder))())
    with pytest.raises(TlsError, match="certificate verify failed"):
        connected(line.car, line.station)
    line.carry()
    with pytest.raises(TlsError, match="tlsv1 alert unknown ca"):
        line.station.shake()


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (ssl.TLSVersion.TLSv1_3, "unsupported protocol"),
        (ssl.TLSVersion.TLSv1_2, "no shared cipher"),
    ],
)
def test_car_without_the_suite_of_the_standard_is_refused(
    folder: Path, library: Library, version: ssl.TLSVersion, told: str
) -> None:
    car = plain(minimum_version=version, maximum_version=version)
    car.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with pytest.raises(TlsError, match=told):
        connected(foreign(car), library(station_side(folder))())


def test_car_without_the_curve_of_the_standard_is_refused(
    folder: Path, library: Library
) -> None:
    car = plain(maximum_version=ssl.TLSVersion.TLSv1_2)
    car.set_ciphers(CIPHERS)
    car.set_ecdh_curve("secp384r1")
    with pytest.raises(TlsError, match="no shared cipher"):
        connected(foreign(car), library(station_side(folder))())


def test_keys_are_agreed_on_the_curve_of_the_standard(
    folder: Path, library: Library
) -> None:
    car, station = foreign(client_of_any_curve()), library(station_side(folder))()
    car.shake()
    station.take(car.outgoing())
    station.shake()
    assert SECP256R1_POINT in station.outgoing()


def test_alert_of_the_peer_has_one_name(folder: Path, library: Library) -> None:
    car = library(car_side(folder))()
    car.shake()
    car.take(BAD_CERTIFICATE)
    with pytest.raises(TlsError, match=r"^sslv3 alert bad certificate$"):
        car.shake()


def test_garbage_ends_in_an_error_and_the_next_is_served(
    folder: Path, library: Library
) -> None:
    start = library(station_side(folder))
    station = start()
    station.take(b"\x01\xfe\x80\x01\x00\x00\x00\x04\x80\x00\x00\x00")
    with pytest.raises(TlsError):
        station.shake()
    connected(our_car(folder), start())


def test_damaged_hello_ends_in_an_error_or_in_an_answer(
    folder: Path, library: Library
) -> None:
    start = library(station_side(folder))
    car = our_car(folder)
    car.shake()
    hello = car.outgoing()
    for at in range(len(hello)):
        station = start()
        station.take(hello[:at] + bytes([hello[at] ^ 0x11]) + hello[at + 1 :])
        with suppress(TlsError):
            assert not station.shake()
    connected(our_car(folder), start())


@pytest.mark.parametrize("has_tickets", [False, True])
def test_ticket_is_given_only_where_it_is_wanted(
    folder: Path, library: Library, has_tickets: bool
) -> None:
    car = foreign(client_context(folder))
    connected(car, library(station_side(folder, has_tickets=has_tickets))())
    session = vars(car)["_session"].session
    assert session.has_ticket is has_tickets


@pytest.mark.parametrize("has_tickets", [False, True])
def test_session_is_resumed_with_a_ticket_or_by_its_number(
    folder: Path, library: Library, has_tickets: bool
) -> None:
    start = library(station_side(folder, has_tickets=has_tickets))
    context = client_context(folder)
    first, again = foreign(context), foreign(context)
    connected(first, start()).station.part()  # else it is not kept
    session = vars(again)["_session"]
    session.session = vars(first)["_session"].session
    connected(again, start())
    assert session.session_reused


def test_no_side_takes_part_in_a_renegotiation(folder: Path) -> None:
    for side in (car_side(folder), station_side(folder)):
        by_ssl, by_pyopenssl = context_of(side), opensslengine.context_of(side)
        wanted = [getattr(ssl, name) for name in side.options]
        assert ssl.OP_NO_RENEGOTIATION in wanted
        assert ssl.OP_NO_COMPRESSION in wanted
        held = by_ssl.options, by_pyopenssl.set_options(0)
        assert all(one & option for one in held for option in wanted)


def test_key_log_is_written_on_request_for_its_owner_alone(
    folder: Path, library: Library, tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    start = library(station_side(folder, keylog=log))
    assert log.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        connected(our_car(folder), start())
    lines = log.read_text().splitlines()
    wanted = [line for line in lines if line.startswith("CLIENT_RANDOM ")]
    assert len(wanted) == 2


def test_key_log_that_cannot_be_written_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Choose another file"):
        car_side(folder, keylog=folder / "no such folder" / "keys.log")


def test_server_without_certificate_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pilothat pki make"):
        station_side(tmp_path)
    with pytest.raises(ConfigError, match="pilothat pki make"):
        car_side(tmp_path)


def test_key_of_another_certificate_is_told(
    folder: Path, foreign_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secc").mkdir()
    shutil.copy(SECC.chain_path(folder), SECC.chain_path(tmp_path))
    shutil.copy(SECC.key_path(foreign_folder), SECC.key_path(tmp_path))
    with pytest.raises(ConfigError, match="does not belong to DE"):
        station_side(tmp_path)
