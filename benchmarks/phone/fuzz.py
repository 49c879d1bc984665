"""A hundred thousand mutated messages to a user agent: crashes, hangs, look-ups, memory."""

from __future__ import annotations

import gc
import random
import socket
import time
import tracemalloc
from collections import Counter
from unittest import mock

from tests.phone.sip.network import BOB, World, media, pair, tokens
from tests.phone.sip.test_message import INVITE, TORTUOUS, mutate, wire
from vivavoce.phone.sip.decisions import Incoming, Resolve, Send
from vivavoce.phone.sip.uri import ip_literal

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    b"m=audio 9000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
METHODS = (
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REFER", "NOTIFY", "PRACK",
    "REGISTER", "MESSAGE",
)  # fmt: skip


def seeds() -> list[bytes]:
    """Return a lawful message of each kind: requests, in and out of calls, and responses."""
    made = [wire(TORTUOUS, b"v" * 150)]
    for method in METHODS:
        text = INVITE.replace("INVITE", method)
        for tag in ("", ";tag=x"):
            head = text.replace("biloxi.example>", f"biloxi.example>{tag}")
            made.append(wire(head))
            head = head.replace(
                "Content-Length: 0",
                "Require: 100rel\nSession-Expires: 90;refresher=uac\nRAck: 1 1 INVITE\n"
                "Record-Route: <sip:192.0.2.2;lr>\nRefer-To: <sip:x@y.example>\n"
                f"Content-Type: application/sdp\nContent-Length: {len(OFFER)}",
            )
            made.append(wire(head, OFFER))
    for status in (100, 180, 183, 200, 302, 401, 407, 422, 486, 491, 503):
        start = "INVITE sip:bob@biloxi.example SIP/2.0"
        made.append(wire(INVITE.replace(start, f"SIP/2.0 {status} So")))
    return made


def run(messages: int = 100_000, seed: int = 4475) -> dict[str, object]:
    """Send them; any exception ends it, as does a look-up of a name."""
    rng, texts = random.Random(seed), seeds()
    alice, _ = pair(World())
    alice.ua._exchange.token = tokens(seed)  # noqa: SLF001 - the same run each time
    now, longest, told = 0.0, 0.0, Counter[str]()
    memory: list[float] = []

    def look_up(*_args: object, **_more: object) -> None:
        raise AssertionError("a name was looked up")

    def settle(at: float) -> float:
        """Let everything that is under way run out."""
        for call in alice.ua.calls:
            alice.ua.hang_up(call, at)
        for _ in range(200_000):
            due = alice.ua.next
            if due is None:
                break
            at = max(at, due)
            alice.ua.tick(at)
        return at

    tracemalloc.start()
    began = time.thread_time()
    with mock.patch.object(socket, "getaddrinfo", look_up):
        for number in range(messages * 10 // 9):
            data = texts[rng.randrange(len(texts))]
            # Each tenth stays whole, an INVITE: what is mutated is to meet calls.
            data = mutate(data, rng) if number % 10 else texts[2]
            # Calls are told apart, so that some live and most are met again.
            data = data.replace(b"a84b4c76e66710", b"call%d" % rng.randrange(400))
            data = data.replace(b"776asdhds", b"%d" % rng.randrange(4000))
            now += 0.1  # slow enough to be let in
            before = time.thread_time()
            decisions = alice.ua.receive(data, BOB, now) + alice.ua.tick(now)
            longest = max(longest, time.thread_time() - before)
            for decision in decisions:
                told[type(decision).__name__] += 1
                assert not isinstance(decision, Resolve), "a name out of a packet is asked for"
                if isinstance(decision, Send):
                    assert ip_literal(decision.to.host) is not None, decision.to
                if isinstance(decision, Incoming) and decision.call in alice.ua.calls:
                    if number % 2:
                        alice.ua.ring(decision.call, now)
                    elif number % 3:
                        alice.ua.answer(decision.call, media(), now)
            if number % (messages // 9) == messages // 9 - 1:
                now = settle(now)
                gc.collect()
                memory.append(tracemalloc.get_traced_memory()[0] / 1024)
        settle(now)
    took = time.thread_time() - began
    tracemalloc.stop()
    return {
        "mutated_messages": messages,
        "seeds": len(texts),
        "cpu_seconds": round(took, 1),
        "longest_message_ms": round(longest * 1000, 1),
        "names_looked_up": 0,
        "memory_kb_after_each_tenth": [round(value) for value in memory],
        "calls_left": len(alice.ua.calls),
        "transactions_left": alice.ua.pending,
        "decisions": dict(told.most_common()),
    }
