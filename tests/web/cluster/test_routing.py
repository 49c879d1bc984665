"""Routing: every later request names its worker, however it is made."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.web.cluster.names import (
    mark_id,
    mark_token,
    new_name,
    worker_of_id,
    worker_of_token,
)
from vivavoce.web.cluster.routing import Route, carrier_of, read_object, route, token_of

CALL = "20261121T203000-a1b2c3d4-k7x2mq"
TOKEN = "k7x2mq.s3cr3t-_x"


@pytest.mark.parametrize(
    ("method", "path", "query", "token", "body", "expected"),
    [
        ("POST", "/api/offer", {}, "", {"sdp": "v=0"}, Route("begin")),
        ("POST", "/sessions/host/api/offer", {}, "", {"sdp": "v=0"}, Route("begin")),
        ("POST", "/api/offer", {}, "", {"pc_id": "k7x2mq.c"}, Route("its", "k7x2mq")),
        ("PATCH", "/api/offer", {}, "", {"pc_id": "k7x2mq.c"}, Route("its", "k7x2mq")),
        ("PATCH", "/api/offer", {}, "", {}, Route("any")),
        (
            "POST",
            "/api/offer",
            {},
            "",
            {"pc_id": "old.c", "request_data": {"resume": TOKEN}},
            Route("resume", "k7x2mq"),
        ),
        (
            "POST",
            "/api/offer",
            {},
            "",
            {"requestData": {"resume": TOKEN}},
            Route("resume", "k7x2mq"),
        ),
        (
            "POST",
            "/api/offer",
            {},
            "",
            {"request_data": {"room": "r-k7x2mq"}},
            Route("join", "k7x2mq"),
        ),
        ("GET", "/api/ws", {"codec": "opus"}, "", None, Route("begin")),
        ("GET", "/api/ws", {"resume": TOKEN}, "", None, Route("resume", "k7x2mq")),
        ("GET", "/api/ws", {"resume": "unmarked"}, "", None, Route("resume")),
        ("GET", "/api/ws", {"lecture": "r-k7x2mq"}, "", None, Route("join", "k7x2mq")),
        ("GET", "/v1/realtime", {"model": "host"}, "", None, Route("begin")),
        ("POST", "/v1/realtime/client_secrets", {}, "", None, Route("any")),
        ("GET", "/carriers/twilio", {}, "", None, Route("begin")),
        ("POST", "/carriers/telnyx", {}, "", None, Route("any")),
        ("GET", f"/api/calls/{CALL}", {}, "", None, Route("its", "k7x2mq", CALL)),
        ("GET", f"/api/calls/{CALL}/recording", {}, "new.s", None, Route("its", "new", CALL)),
        ("POST", f"/api/calls/{CALL}/end", {}, "", {"token": "new.s"}, Route("its", "new", CALL)),
        ("GET", f"/api/operator/calls/{CALL}/watch", {}, "", None, Route("its", "k7x2mq", CALL)),
        ("GET", "/api/operator/calls", {}, "", None, Route("own")),
        ("GET", "/api/operator/live", {}, "", None, Route("own")),
        ("GET", "/api/operator/percentiles", {}, "", None, Route("any")),
        ("GET", "/api/ice", {}, TOKEN, None, Route("resume", "k7x2mq")),
        ("GET", "/api/ice", {}, "", None, Route("any")),
        ("POST", "/api/rooms", {}, "", {}, Route("begin")),
        ("POST", "/api/rooms/x1y2-k7x2mq/dial", {}, "", {}, Route("its", "k7x2mq")),
        ("GET", "/api/health", {}, "", None, Route("own")),
        ("GET", "/api/agents", {}, "", None, Route("any")),
        ("POST", "/start", {}, "", {}, Route("any")),
    ],
)
def test_where_requests_go(method, path, query, token, body, expected):
    assert route(method, path, query, token, body) == expected


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
def test_nothing_a_client_sends_breaks_it(text, query):
    for path in (f"/{text}", f"/api/calls/{text}", f"/api/rooms/{text}", f"/api/ws/{text}"):
        found = route("GET", path, query, text, {"pc_id": text, "request_data": query})
        assert found.worker == "" or found.worker.isalnum()
    assert read_object(text.encode("utf-8", "ignore")) is None or text.strip().startswith("{")


def test_names_are_read_back():
    name = new_name()
    assert worker_of_id(mark_id("20261121T203000-a1b2c3d4", name)) == name
    assert worker_of_token(mark_token("x.y-z_", name)) == name
    assert mark_id("a-b", "") == "a-b"
    assert mark_token("secret", "") == "secret"
    assert worker_of_token("no-dot") == worker_of_token("Bad_Name.x") == ""
    assert worker_of_id("nodash") == worker_of_id("a-B!") == ""
    assert len({new_name() for _ in range(100)}) == 100


def test_what_a_request_bears():
    assert token_of({"Authorization": "Bearer abc"}, {"token": "def"}) == "abc"
    assert token_of({"Authorization": "Basic abc"}, {"token": "def"}) == "def"
    offered = {"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.ghi"}
    assert token_of(offered, {}) == "ghi"
    assert token_of({}, {}) == ""
    assert carrier_of("/carriers/plivo") == "plivo"
    assert carrier_of("/carriers/") == carrier_of("/api/ws") == ""
    assert read_object(json.dumps([1]).encode()) is None
