"""Which roots a car names in its ClientHello, and the chain it gets for that."""

from __future__ import annotations

import ssl
from hashlib import sha1
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pnc.tlsline import connected, foreign
from tests.unit.pnc.world import pki

from pilothat.errors import ConfigError
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.hello import (
    NamedRoot,
    Naming,
    asks_status,
    chosen,
    named_roots,
    offered_suites,
    wanted_octets,
)
from pilothat.runtime.pipe import TlsError
from pilothat.runtime.pkifiles import SECC, Place, pem, read_certificates
from pilothat.runtime.tlsfiles import Choice

ONE, TWO = pki()["v2g_root"].certificate, pki(2)["v2g_root"].certificate


def plain_hello() -> bytes:
    """Return the ClientHello of OpenSSL, which names no root."""
    sent = ssl.MemoryBIO()
    context = ssl.create_default_context()
    car = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="station")
    with pytest.raises(ssl.SSLWantReadError):
        car.do_handshake()
    return sent.read()


PLAIN = plain_hello()


def hello(content: bytes, like: bytes = PLAIN, kind: int = 3) -> bytes:
    """Return a ClientHello with this content of an extension at its end.

    kind: of the extension; else trusted_ca_keys
    """
    extension = kind.to_bytes(2) + len(content).to_bytes(2) + content
    body = like[9:]
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2])
    at += 1 + body[at]
    extensions = body[at + 2 :] + extension
    body = body[:at] + len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(body).to_bytes(3) + body
    return like[:3] + len(message).to_bytes(2) + message


def entry(naming: int, octets: bytes, *, is_counted: bool = False) -> bytes:
    count = len(octets).to_bytes(2) if is_counted else b""
    return bytes([naming]) + count + octets


def listed(*entries: bytes) -> bytes:
    whole = b"".join(entries)
    return len(whole).to_bytes(2) + whole


def point(root: Certificate) -> bytes:
    form = PublicFormat.UncompressedPoint
    return root.public_key.public_bytes(Encoding.X962, form)


def by_key(root: Certificate) -> bytes:
    return entry(1, sha1(point(root)).digest())


def by_name(root: Certificate) -> bytes:
    return entry(2, root.parsed.subject.public_bytes(), is_counted=True)


def by_certificate(root: Certificate) -> bytes:
    return entry(3, sha1(root.der).digest())


def test_openssl_names_no_root() -> None:
    assert named_roots(PLAIN) == ()
    assert wanted_octets(PLAIN) == len(PLAIN)


@pytest.mark.parametrize("name", [by_key, by_certificate])
def test_named_root_is_recognised_by_its_hash(name: object) -> None:
    assert callable(name)
    (found,) = named_roots(hello(listed(name(TWO))))
    assert (found.is_of(ONE), found.is_of(TWO)) == (False, True)


def test_named_root_is_recognised_by_its_subject() -> None:
    (found,) = named_roots(hello(listed(by_name(ONE))))
    assert found.is_of(ONE)
    assert not found.is_of(pki()["mo_root"].certificate)


def test_root_that_was_agreed_on_beforehand_is_none_of_ours() -> None:
    (found, other) = named_roots(hello(listed(entry(0, b""), by_key(ONE))))
    assert found == NamedRoot(Naming.PRE_AGREED, b"")
    assert not found.is_of(ONE)
    assert other.is_of(ONE)


def test_our_order_decides_among_several() -> None:
    named = named_roots(hello(listed(by_key(TWO), by_key(ONE))))
    assert chosen(named, (ONE, TWO)) == 0
    assert chosen(named, (TWO, ONE)) == 0
    assert chosen(named[:1], (ONE, TWO)) == 1


def test_first_chain_is_taken_where_none_is_known() -> None:
    foreign = named_roots(hello(listed(by_key(pki(3)["v2g_root"].certificate))))
    assert chosen(foreign, (ONE, TWO)) == 0
    assert chosen((), (ONE, TWO)) == 0


def test_more_than_ten_roots_are_not_read() -> None:
    assert len(named_roots(hello(listed(*[by_key(ONE)] * 11)))) == 10


@pytest.mark.parametrize("content", [b"\x00\x05\x01", listed(b"\x09"), listed(b"\x01")])
def test_damaged_list_names_nothing(content: bytes) -> None:
    assert named_roots(hello(content)) == ()


@pytest.mark.parametrize("end", range(0, len(PLAIN), 11))
def test_cut_hello_names_nothing(end: int) -> None:
    assert named_roots(hello(listed(by_key(ONE)))[:end]) == ()


@given(st.binary(max_size=300))
def test_any_octets_name_no_root_of_ours(octets: bytes) -> None:
    assert named_roots(octets) == ()
    assert not any(one.is_of(ONE) for one in named_roots(hello(octets)))


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        (b"", 5),
        (b"\x16", 5),
        (b"\x16\x03\x01\x00\x10", 21),
        (b"\x01\xfe\x80\x01", 0),
        (b"\x16\x03\x01\xff\xff", 0),
    ],
)
def test_how_many_octets_are_wanted(first: bytes, wanted: int) -> None:
    assert wanted_octets(first) == wanted


@pytest.fixture
def two_chains(folder: Path, foreign_folder: Path, tmp_path: Path) -> Path:
    """Return a station's folder with a chain below each of two roots."""
    for source, name in ((folder, "secc"), (foreign_folder, "secc-other")):
        place = Place(name)
        place.chain_path(tmp_path).parent.mkdir()
        for here, there in (
            (SECC.chain_path(source), place.chain_path(tmp_path)),
            (SECC.key_path(source), place.key_path(tmp_path)),
        ):
            there.write_bytes(here.read_bytes())
    roots = [root_of(source) for source in (folder, foreign_folder)]
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "v2g_roots.pem").write_bytes(pem(*roots))
    return tmp_path


def root_of(folder: Path) -> Certificate:
    (root,) = read_certificates(folder / "trust" / "v2g_root.pem")
    return root


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "trust" / "v2g_root.pem")
    context.check_hostname = False
    return context


def test_car_gets_the_chain_below_the_root_it_names(
    two_chains: Path, folder: Path, foreign_folder: Path
) -> None:
    choice = Choice(two_chains)
    first = hello(listed(by_certificate(root_of(folder))))
    other = hello(listed(by_certificate(root_of(foreign_folder))))
    connected(foreign(trusting(folder)), choice.pick(first))
    connected(foreign(trusting(folder)), choice.pick(PLAIN))
    connected(foreign(trusting(foreign_folder)), choice.pick(other))
    with pytest.raises(TlsError):
        connected(foreign(trusting(foreign_folder)), choice.pick(first))


def test_choice_without_any_chain_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pilothat pki make"):
        Choice(tmp_path)


@pytest.mark.parametrize(
    ("content", "kind", "asks"),
    [
        (b"\x01\x00\x00\x00\x00", 5, True),
        (b"\x02\x00\x00\x00\x00", 5, False),  # not by OCSP
        (b"", 5, False),
        (b"\x00\x07\x02\x00\x04\x00\x00\x00\x00", 17, False),  # status_request_v2
    ],
)
def test_car_that_asks_for_an_ocsp_response_is_known(
    content: bytes, kind: int, asks: bool
) -> None:
    assert asks_status(hello(content, kind=kind)) is asks
    assert not asks_status(PLAIN)
    assert not asks_status(hello(content, kind=kind)[:-1])


def test_suites_are_read_and_a_cut_hello_offers_none() -> None:
    assert 0xC023 in offered_suites(PLAIN)
    assert offered_suites(PLAIN[:60]) == ()
    assert offered_suites(b"GET / HTTP/1.1") == ()
