"""Registration: kept alive, mended, and backed off from."""

from __future__ import annotations

import pytest

from tests.phone.sip.network import ALICE, BOB, tokens
from vivavoce.phone.sip.auth import Credentials, Guard
from vivavoce.phone.sip.decisions import (
    Decision,
    Registered,
    RegistrationFailed,
    Resolve,
    Send,
)
from vivavoce.phone.sip.message import Request, Response, parse
from vivavoce.phone.sip.resolve import Records
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent


class Registrar:
    """A registrar written by the test; `rule` answers each REGISTER, None stays silent."""

    def __init__(self, password: str = "secret", **trunk) -> None:
        self.guard = Guard("pbx", {"anna": "secret"}, b"s" * 32, lifetime=100)
        values = {"host": BOB.host, "user": "100", "register": True, "expires": 300, **trunk}
        self.ua = UserAgent(
            [ALICE], [Trunk("pbx", credentials=Credentials("anna", password), **values)],
            token=tokens(1),
        )  # fmt: skip
        self.now = 0.0
        self.seen: list[tuple[float, Request]] = []
        self.news: list[Decision] = []
        self.rule = self.check

    def grant(self, request: Request, expires: int = 60) -> Response:
        response = request.reply(200, tag="r")
        if request.headers.get("Expires") != "0":
            response.headers.add("Contact", "<sip:other@192.0.2.9>;expires=7")
            response.headers.add("Contact", f"{request.headers.get('Contact')};expires={expires}")
        return response

    def check(self, request: Request) -> Response | None:
        checked = self.guard.check(request, ALICE.host, self.now)
        if checked.user is None:
            return self.guard.challenge(request, ALICE.host, self.now, stale=checked.stale)
        return self.grant(request)

    def take(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if not isinstance(decision, Send):
                self.news.append(decision)
                continue
            message = parse(decision.data)
            assert isinstance(message, Request)
            self.seen.append((self.now, message))
            response = self.rule(message)
            if response is not None:
                self.take(self.ua.receive(bytes(response), BOB, self.now))

    def run(self, until: float) -> None:
        while (when := self.ua.next) is not None and when <= until:
            self.now = when
            self.take(self.ua.tick(when))
        self.now = until

    def of(self, kind):
        return [news for news in self.news if isinstance(news, kind)]


def test_a_registration_is_challenged_granted_and_refreshed_through_stale_nonces():
    it = Registrar()
    it.take(it.ua.start(0.0))
    assert [r.headers.get("Authorization") is None for _, r in it.seen] == [True, False]
    assert str(it.seen[0][1].uri) == f"sip:{BOB.host}"
    assert str(it.seen[0][1].to.uri) == f"sip:100@{BOB.host}"
    it.run(600)
    assert {news.expires for news in it.of(Registered)} == {60}
    assert 19 <= len(it.of(Registered)) <= 22  # every half minute
    assert it.of(RegistrationFailed) == []
    numbers = [request.cseq.number for _, request in it.seen]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({request.call_id for _, request in it.seen}) == 1
    # A nonce lives 100 s here: a few of the refreshes were challenged as stale and mended.
    assert 5 <= len(it.seen) - len(it.of(Registered)) <= 8
    it.take(it.ua.close(600))
    assert it.of(Registered)[-1].expires == 0
    assert it.seen[-1][1].headers.get("Expires") == "0"
    it.run(700)
    assert it.ua.pending == 0


def test_a_wrong_password_is_said_once_and_tried_again_slowly():
    it = Registrar("wrong")
    it.take(it.ua.start(0.0))
    (failed,) = it.of(RegistrationFailed)
    assert failed.code == 401
    assert len(it.seen) == 2
    assert 150 <= failed.retry <= 300
    it.run(3600)
    assert len(it.seen) <= 30


def test_423_asks_for_what_the_registrar_wants():
    it = Registrar(expires=60)

    def rule(request: Request) -> Response:
        if int(request.headers.get("Expires") or 0) < 1800:
            response = request.reply(423, tag="r")
            response.headers.add("Min-Expires", "1800")
            return response
        return it.grant(request, 1800)

    it.rule = rule
    it.take(it.ua.start(0.0))
    assert [request.headers.get("Expires") for _, request in it.seen] == ["60", "1800"]
    assert [news.expires for news in it.of(Registered)] == [1800]
    it.run(1767)
    assert len(it.seen) == 2
    it.run(1769)
    assert len(it.seen) == 3


@pytest.mark.parametrize("retry_after", [None, 900])
def test_failures_are_backed_off_from(retry_after):
    it = Registrar()

    def rule(request: Request) -> Response:
        response = request.reply(500, tag="r")
        if retry_after:
            response.headers.add("Retry-After", str(retry_after))
        return response

    it.rule = rule
    it.take(it.ua.start(0.0))
    it.run(4000)
    waits = [failed.retry for failed in it.of(RegistrationFailed)]
    if retry_after:
        assert min(waits) >= 900
    else:
        for number, wait in enumerate(waits):
            longest = min(30 * 2**number, 1800)
            assert longest / 2 <= wait <= longest


def test_a_dead_registrar_and_its_return():
    it = Registrar()
    it.rule = lambda _request: None
    it.take(it.ua.start(0.0))
    it.run(40)
    assert [failed.code for failed in it.of(RegistrationFailed)] == [408]
    assert len(it.seen) == 11  # 0.5, 1, 2, 4, 4, … up to 32 s
    it.rule = it.check
    it.run(70)
    assert len(it.of(Registered)) == 1


def test_a_name_is_looked_up_first_and_again_later():
    it = Registrar(host="pbx.example", port=5060)
    it.take(it.ua.start(0.0))
    assert [r.host for r in it.of(Resolve)] == ["pbx.example"]
    assert it.seen == []
    it.take(it.ua.resolved("pbx", Records(), 1.0))
    assert [failed.code for failed in it.of(RegistrationFailed)] == [503]
    while len(it.of(Resolve)) == 1:
        it.run(it.now + 1)
    assert it.now <= 31
    it.take(it.ua.resolved("pbx", Records(addresses={"pbx.example": (BOB.host,)}), it.now))
    assert len(it.of(Registered)) == 1
    assert str(it.seen[0][1].uri) == "sip:pbx.example"
