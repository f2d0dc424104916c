"""The car looks for its station by SDP."""

from __future__ import annotations

from pilothat.v2g import sdp
from pilothat.v2g.evcc.search import Ask, Found, NotFound, Search, SearchSettings

ADDRESS = bytes.fromhex("fe80000000000000020000fffe000001")
PLAIN = Ask(sdp.build_request(sdp.Security.NONE))
TLS = Ask(sdp.build_request(sdp.Security.TLS))


def answer(security: sdp.Security = sdp.Security.NONE) -> bytes:
    return sdp.build_response(ADDRESS, 50_000, security)


def searching(settings: SearchSettings | None = None) -> Search:
    search = Search(settings or SearchSettings())
    search.start(0.0)
    return search


def test_it_asks_at_once_and_then_every_250_ms() -> None:
    search = searching()
    assert search.tick(0.0) == (PLAIN,)
    assert search.tick(0.249) == ()
    assert search.tick(0.25) == (PLAIN,)


def test_it_gives_up_250_ms_after_the_fiftieth_request() -> None:
    search = searching()
    asked = [search.tick(n * 0.25) for n in range(50)]
    assert asked == [(PLAIN,)] * 50
    assert search.tick(12.49) == ()
    assert search.tick(12.5) == (NotFound(),)
    assert search.deadline is None


def test_it_may_ask_for_tls_first() -> None:
    search = searching(SearchSettings(tls_requests=2, requests=1))
    asked = [search.tick(n * 0.25) for n in range(4)]
    assert asked == [(TLS,), (TLS,), (PLAIN,), (NotFound(),)]


def test_the_answer_ends_the_search() -> None:
    search = searching()
    search.tick(0.0)
    assert search.handle(answer()) == (Found(ADDRESS, 50_000),)
    assert search.deadline is None
    assert search.handle(answer()) == ()


def test_no_tls_is_taken_as_answer_to_a_wish_for_tls() -> None:
    search = searching(SearchSettings(tls_requests=50))
    search.tick(0.0)
    assert search.handle(answer()) == (Found(ADDRESS, 50_000),)


def test_an_answer_that_insists_on_tls_is_of_no_use() -> None:
    search = searching()
    search.tick(0.0)
    assert search.handle(answer(sdp.Security.TLS)) == ()
    assert search.deadline == 0.25


def test_rubbish_and_requests_are_ignored() -> None:
    search = searching()
    search.tick(0.0)
    for datagram in (b"", b"\x01\xfe", PLAIN.datagram, answer()[:-1], answer() + b"\0"):
        assert search.handle(datagram) == ()
