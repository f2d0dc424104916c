"""The OCSP response in the handshake: as foreign and own cars see it, and when not."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from tests.unit.pnc.doors import HOST, Doors, Fact, has_loopback, played_with
from tests.unit.pnc.stapled import responder, response
from tests.unit.pnc.tlsline import client_context, connected, foreign

import pilothat
from pilothat.errors import ConfigError
from pilothat.pnc.authority import Identity, attest
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import Moment
from pilothat.runtime import library, stapling
from pilothat.runtime.opensslengine import OpensslEngine, context_of
from pilothat.runtime.pipe import Tls, TlsError, TlsPipe
from pilothat.runtime.pkifiles import SECC, read_certificates, read_issuer
from pilothat.runtime.stapling import judge_of
from pilothat.runtime.tlsfiles import Choice, car_side, car_tls, station_side
from pilothat.station.events import TcpClosed, TcpOpened

OPENSSL = shutil.which("openssl") or ""
SOURCES = Path(pilothat.__file__).parents[1]
NAME = "DE*PHT*E000001"
PR_SET_MDWE = 65  # prctl, Linux 6.3
CHOICE = """
import sys
from pathlib import Path
from pilothat.runtime.tlsfiles import Choice
choice = Choice(Path("{folder}"))
choice.tell()
"""
DAY_S = 86_400.0
DAYS_EARLIER = 8  # too old by a day
WARM_UP, MANY = 100, 400
MOST_GROWTH_KIB = 3_000  # OpenSSL keeps 1 a session; one that stays behind has 40

needs_openssl = pytest.mark.skipif(not OPENSSL, reason="no openssl on this machine")
needs_loopback = pytest.mark.skipif(not has_loopback(), reason="no IPv6 loopback here")


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """Return a folder to change."""
    return Path(shutil.copytree(folder, tmp_path / "pki"))


def leaf_of(folder: Path) -> Certificate:
    return read_certificates(SECC.chain_path(folder))[0]


def issuer_of(folder: Path) -> Identity:
    return read_issuer(folder, leaf_of(folder))


def put(folder: Path, octets: bytes) -> Path:
    path = SECC.ocsp_path(folder)
    path.write_bytes(octets)
    return path


def put_good(folder: Path) -> bytes:
    """Put a good response there, and return it."""
    octets = attest(leaf_of(folder), issuer_of(folder), time.time())
    put(folder, octets)
    return octets


def got(choice: Choice, folder: Path) -> bytes:
    """Return what a car that asks, and takes anything, gets from a station."""
    heard: list[bytes] = []

    def take(octets: bytes, _: Sequence[x509.Certificate]) -> str:
        heard.append(octets)
        return ""

    context = context_of(car_side(folder))
    car = OpensslEngine(context, is_server=False, judge=take)
    car.shake()
    hello = car.outgoing()
    station = choice.pick(hello)
    station.take(hello)
    connected(car, station)
    (octets,) = heard
    return octets


def expired(folder: Path) -> bytes:
    long_ago_s = time.time() - DAYS_EARLIER * DAY_S
    return attest(leaf_of(folder), issuer_of(folder), long_ago_s)


def of_another(folder: Path) -> bytes:
    (other, *_) = read_certificates(folder / "cps" / "chain.pem")
    return attest(other, read_issuer(folder, other), time.time())


def revoked(folder: Path) -> bytes:
    void = ocsp.OCSPCertStatus.REVOKED
    leaf, issuer = leaf_of(folder), issuer_of(folder)
    return response(leaf, issuer, at_s=time.time(), status=void)


def signed_by_a_stranger(folder: Path) -> bytes:
    above = read_issuer(folder, issuer_of(folder).certificate)
    stranger = responder(above, time.time())
    return response(leaf_of(folder), issuer_of(folder), stranger, at_s=time.time())


def garbage(_: Path) -> bytes:
    return b"garbage"


BAD: tuple[tuple[Callable[[Path], bytes], str], ...] = (
    (expired, "stale since "),
    (of_another, f"not about {NAME}"),
    (revoked, "it says REVOKED"),
    (signed_by_a_stranger, "not signed by CPO Sub 2, nor by a responder of it"),
    (garbage, "no OCSP response for the leaf: "),
)
each_bad = pytest.mark.parametrize(
    ("made", "told"), BAD, ids=[made.__name__ for made, _ in BAD]
)


def client(folder: Path, choice: Choice, *options: str) -> str:
    """Let OpenSSL's own client connect, and return what it prints."""
    printed: list[bytes] = []

    async def play(doors: Doors) -> None:
        where = f"[{HOST}]:{doors.port.tls_port}"
        roots = str(folder / "trust" / "v2g_root.pem")
        program = (OPENSSL, "s_client", "-connect", where, "-CAfile", roots)
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *program, *options, stdin=none, stdout=pipe, stderr=none
        )
        out, _ = await child.communicate()
        printed.append(out)
        await doors.until(lambda: doors.closed() == 1)

    played_with(choice.tls(), play)
    return printed[0].decode()


@needs_openssl
@needs_loopback
def test_openssls_client_gets_a_response_and_believes_it(own: Path) -> None:
    put_good(own)
    told = client(own, Choice(own), "-status")
    assert "Verification: OK" in told
    assert "Cert Status: good" in told


@needs_openssl
def test_openssl_verifies_what_the_test_pki_signs(own: Path, tmp_path: Path) -> None:
    put_good(own)
    chain = SECC.chain_path(own)
    known = tmp_path / "known.pem"
    root = own / "trust" / "v2g_root.pem"
    known.write_bytes(root.read_bytes() + chain.read_bytes())
    program = (
        *(OPENSSL, "ocsp", "-respin", str(SECC.ocsp_path(own)), "-no_nonce"),
        *("-issuer", str(own / "ca" / "cpo_sub2.pem"), "-cert", str(chain)),
        *("-CAfile", str(known)),
    )
    done = subprocess.run(program, capture_output=True, check=True, text=True)
    assert "Response verify OK" in done.stderr
    assert f"{chain}: good" in done.stdout


@needs_openssl
@needs_loopback
def test_response_of_openssls_responder_is_sent(own: Path, tmp_path: Path) -> None:
    chain, issuer = SECC.chain_path(own), own / "ca" / "cpo_sub2.pem"
    number = leaf_of(own).parsed.serial_number
    index, asked = tmp_path / "index.txt", tmp_path / "asked.der"
    index.write_text(f"V\t491231235959Z\t\t{number:032X}\tunknown\t/CN=station\n")
    about = ("-issuer", str(issuer), "-cert", str(chain), "-no_nonce")
    ask = (*about, "-reqout", str(asked))
    key = issuer.with_name("cpo_sub2_key.pem")
    signer = ("-CA", str(issuer), "-rsigner", str(issuer), "-rkey", str(key))
    answer = ("-reqin", str(asked), "-respout", str(SECC.ocsp_path(own)))
    lists = ("-index", str(index), "-ndays", "7", "-noverify")
    for options in (ask, (*signer, *lists, *answer)):
        subprocess.run((OPENSSL, "ocsp", *options), capture_output=True, check=True)
    assert "Cert Status: good" in client(own, Choice(own), "-status")


@needs_openssl
@needs_loopback
@each_bad
def test_bad_response_is_not_sent_but_told_and_the_car_is_served(
    own: Path,
    made: Callable[[Path], bytes],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = put(own, made(own))
    printed = client(own, Choice(own), "-status")
    assert "Verification: OK" in printed
    assert "OCSP response: no response sent" in printed
    (line,) = caplog.messages
    assert line.startswith(f"no OCSP response is sent: {path}: {told}")
    assert "again" in line or "Fetch" in line or "Ask" in line


def test_car_that_does_not_ask_is_sent_nothing(own: Path) -> None:
    octets = put_good(own)
    choice = Choice(own)
    for is_asking in (False, True):
        judge = judge_of() if is_asking else None
        context = context_of(car_side(own))
        car = OpensslEngine(context, is_server=False, judge=judge)
        car.shake()
        hello = car.outgoing()
        station = choice.pick(hello)
        station.take(hello)
        station.shake()
        assert (octets in station.outgoing()) is is_asking


def alone(program: str, folder: Path) -> str:
    """Run a program for itself; return what it says."""
    done = subprocess.run(
        (sys.executable, "-c", program.format(folder=folder)),
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_library_is_loaded_only_where_there_is_a_response(
    own: Path, is_there: bool
) -> None:
    if is_there:
        put_good(own)
    program = CHOICE + "print('OpenSSL' in sys.modules)"
    assert alone(program, own).strip() == str(is_there)


def test_service_that_may_not_make_callbacks_says_so_and_serves(own: Path) -> None:
    """The service unit forbids memory that is written and then run."""
    put_good(own)
    program = (
        "import ctypes\n"
        f"if ctypes.CDLL(None).prctl({PR_SET_MDWE}, 1, 0, 0, 0): print('no MDWE')\n"
        + CHOICE
        + "print(choice._chains[0].stapling.engine())"
    )
    told = alone(program, own)
    if "no MDWE" in told:
        pytest.skip("this kernel cannot forbid it")
    assert "no OCSP response is sent: pyOpenSSL: it may not make callbacks" in told
    assert "None" in told


def test_car_by_ssl_is_served_by_ssl(own: Path) -> None:
    put_good(own)
    car = foreign(client_context(own))
    car.shake()
    hello = car.outgoing()
    station = Choice(own).pick(hello)
    assert not isinstance(station, OpensslEngine)
    station.take(hello)
    connected(car, station)


def test_new_file_counts_from_the_next_connection_on(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    choice = Choice(own)
    assert got(choice, own) == b""
    first = put_good(own)
    assert got(choice, own) == first
    path = put(own, b"garbage")
    assert [got(choice, own) for _ in range(3)] == [b""] * 3
    assert len(caplog.messages) == 1
    second = put_good(own)
    assert second != first
    assert got(choice, own) == second
    path.unlink()
    assert got(choice, own) == b""
    assert len(caplog.messages) == 1


def test_file_whose_rights_are_mended_is_read_again(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = put_good(own)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    choice = Choice(own)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        (flaw,) = choice.flaws()
    assert "Permission denied. Let the station's user read it" in str(flaw)
    assert got(choice, own) == b""
    SECC.ocsp_path(own).chmod(0o640)
    assert got(choice, own) == octets


def test_file_is_read_once_and_looked_at_once_a_connection(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_good(own)
    choice = Choice(own)
    done: list[str] = []
    for name in ("_marks", "read_about"):
        real = getattr(stapling, name)

        def spy(*given: object, real: Callable[..., object], name: str) -> object:
            done.append(name)
            return real(*given)

        monkeypatch.setattr(stapling, name, partial(spy, real=real, name=name))
    for _ in range(3):
        assert got(choice, own)
    assert sorted(done) == ["_marks"] * 3 + ["read_about"]


def test_response_that_becomes_stale_is_sent_no_more(
    own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    octets = put_good(own)
    choice = Choice(own)
    assert got(choice, own) == octets
    late = Moment(time.time() + DAYS_EARLIER * DAY_S)
    monkeypatch.setattr(choice._chains[0].stapling, "_clock", lambda: late)
    assert got(choice, own) == b""
    assert got(choice, own) == b""
    (line,) = caplog.messages
    assert line.endswith("UTC. Fetch it again, once a week")
    unsure = Moment(late.unix_s, is_trusted=False)
    monkeypatch.setattr(choice._chains[0].stapling, "_clock", lambda: unsure)
    assert got(choice, own) == octets


def test_each_chain_has_its_own(own: Path, foreign_folder: Path) -> None:
    shutil.copytree(foreign_folder / "secc", own / "secc-2")
    root = foreign_folder / "trust" / "v2g_root.pem"
    shutil.copy(root, own / "trust" / "v2g_other.pem")
    mine = put_good(own)
    leaf = leaf_of(foreign_folder)
    other = attest(leaf, read_issuer(foreign_folder, leaf), time.time())
    (own / "secc-2" / "ocsp.der").write_bytes(other)
    choice = Choice(own)
    assert choice.flaws() == ()
    chains = [chain.stapling for chain in choice._chains]
    for chain, octets in zip(chains, (mine, other), strict=True):
        assert chain._staple
        assert chain._staple.der == octets


def test_issuer_need_not_stand_in_the_chain(own: Path) -> None:
    octets = put_good(own)
    chain = SECC.chain_path(own)
    end = "-----END CERTIFICATE-----\n"
    leaf, first, second, _ = chain.read_text().split(end)
    chain.write_text(leaf + end)
    (flaw,) = Choice(own).flaws()
    assert "who has issued DE*PHT*E000001 is not known" in str(flaw)
    (own / "trust" / "v2g_subs.pem").write_text(first + end + second + end)
    choice = Choice(own)
    assert choice.flaws() == ()
    choice.tell()
    staple = choice._chains[0].stapling._staple
    assert staple
    assert staple.der == octets


def test_missing_library_is_told_with_the_command_and_cars_are_served(
    own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def version(name: str) -> str:
        if name == "pyOpenSSL":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    path = put(own, b"whatever")
    put_good(own)
    monkeypatch.setattr(library, "version", version)
    choice = Choice(own)
    choice.tell()
    assert got(choice, own) == b""
    (line,) = caplog.messages
    assert f"{path}: sending it needs pyOpenSSL 24.3 or newer, none is inst" in line
    assert line.endswith("Install it: pip install 'pilothat[ocsp]'")
    with pytest.raises(ConfigError, match="asking for an OCSP response needs"):
        car_tls(own, asks_status=True)


def test_library_that_does_not_fit_the_other_is_told(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> object:
        raise AttributeError(f"lib of {name} has no X509_new")

    put_good(own)
    monkeypatch.setattr(library, "import_module", load)
    (flaw,) = Choice(own).flaws()
    assert "cannot be loaded: lib of OpenSSL.SSL has no X509_new" in flaw.what


def insisting(folder: Path, staple: bytes) -> str:
    """Return what a car that insists says of a station that sends this."""
    start = context_of(station_side(folder))
    station = OpensslEngine(start, is_server=True, staple=staple)
    judge = judge_of()
    car = OpensslEngine(context_of(car_side(folder)), is_server=False, judge=judge)
    try:
        connected(car, station)
    except TlsError as error:
        return str(error)
    return ""


def test_car_that_insists_takes_a_good_one(own: Path) -> None:
    assert insisting(own, put_good(own)) == ""
    leaf, issuer, now_s = leaf_of(own), issuer_of(own), time.time()
    octets = response(leaf, issuer, responder(issuer, now_s), at_s=now_s)
    assert insisting(own, octets) == ""
    octets = response(leaf, issuer, at_s=now_s, algorithm=hashes.SHA256())
    assert insisting(own, octets) == ""


@each_bad
def test_car_that_insists_refuses_any_other(
    own: Path, made: Callable[[Path], bytes], told: str
) -> None:
    chain = [one.parsed for one in read_certificates(SECC.chain_path(own))]
    assert judge_of()(made(own), chain).startswith(f"OCSP response: {told}")
    why = insisting(own, made(own))  # some, OpenSSL does not even send
    assert why.startswith((f"OCSP response: {told}", "no OCSP response about DE"))


def test_car_that_trusts_the_leaf_itself_takes_no_others_word(own: Path) -> None:
    told = judge_of()(put_good(own), [leaf_of(own).parsed])
    assert told == f"OCSP response: not about {NAME}"


def met(folder: Path, station: Tls) -> tuple[list[Fact], Doors]:
    """Let our car that insists connect; return what each side tells."""
    told: list[Fact] = []

    async def play(doors: Doors) -> None:
        loop = asyncio.get_running_loop()
        car = TlsPipe(7, told.append, car_tls(folder, asks_status=True))
        await loop.create_connection(lambda: car, HOST, doors.port.tls_port)
        await doors.until(lambda: bool(told) and bool(doors.facts))
        car.close()
        await doors.until(lambda: doors.closed() == 1)

    return told, played_with(station, play)


@needs_loopback
def test_our_car_that_insists_connects_or_closes_with_a_reason(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    choice = Choice(own)
    told, doors = met(own, choice.tls())
    assert told == [TcpClosed(7)]
    assert doors.opened == []
    about = f"connection=7 host={HOST} TLS: no OCSP response about {NAME}"
    assert about in caplog.messages
    put_good(own)
    told, doors = met(own, choice.tls())
    assert told[0] == TcpOpened(7, HOST, is_secure=True)
    assert doors.opened == [TcpOpened(1, HOST, is_secure=True)]


def memory_kib() -> int:
    """Return what this process holds, with what OpenSSL has allocated."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    ]
    return int(line.split()[1])


def test_many_handshakes_leave_nothing_behind(own: Path) -> None:
    put_good(own)
    choice = Choice(own)
    context = context_of(car_side(own))
    start = partial(OpensslEngine, context, is_server=False, judge=judge_of())

    def shake(times: int) -> None:
        for _ in range(times):
            car = start()
            car.shake()
            hello = car.outgoing()
            station = choice.pick(hello)
            station.take(hello)
            line = connected(car, station)
            line.car.part()
            line.carry()
            line.station.part()

    shake(WARM_UP)
    gc.collect()
    before_kib = memory_kib()
    shake(MANY)
    assert memory_kib() - before_kib < MOST_GROWTH_KIB
