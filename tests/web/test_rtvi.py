"""RTVI messages, read and written."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.processors.frameworks.rtvi import models

from vivavoce.web import rtvi


def ours(what: str, data: object = None) -> str:
    return json.dumps({"label": "rtvi-ai", "type": "client-message", "id": "7",
                       "data": {"t": what, "d": data}})  # fmt: skip


def plain(kind: str, data: object = None) -> str:
    return json.dumps({"label": "rtvi-ai", "type": kind, "id": "7", "data": data})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plain("client-ready", {"version": "1.2.0"}), rtvi.Ready("7")),
        (plain("disconnect-bot"), rtvi.Leave("7")),
        (plain("send-text", {"content": " hi "}), rtvi.Typed("7", "", "hi", True)),
        (
            plain("send-text", {"content": "hi", "options": {"run_immediately": False}}),
            rtvi.Typed("7", "", "hi", False),
        ),
        (ours("key", {"key": "12#"}), rtvi.Keys("7", "key", "12#")),
        (ours("mute", {"on": False}), rtvi.Mute("7", "mute", False)),
        (ours("interrupt"), rtvi.Interrupt("7", "interrupt")),
        (ours("hold"), rtvi.Hold("7", "hold", True)),
        (ours("language", {"language": "fr"}), rtvi.Language("7", "language", "fr")),
        (ours("playout", {"delay": 0.08}), rtvi.Playout("7", "playout", 0.08)),
        (ours("send", {"a": [1]}), rtvi.Passed("7", "send", {"a": [1]})),
        (ours("snapshot"), rtvi.Ask("7", "snapshot")),
        ("ping 12", rtvi.Ping("", "pong 12")),
        ("ping: 12", None),
        (plain("signalling"), None),
        (plain("something-new"), None),
    ],
)
def test_what_a_client_asks_for(text, expected):
    assert rtvi.read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        "[" * 100_000,
        plain("send-text", {}),
        plain("send-text", {"content": "x" * 4_001}),
        ours("nothing"),
        ours("key", {"key": 5}),
        ours("mute", {"on": "yes"}),
        ours("playout", {"delay": 99}),
        ours("playout", {"delay": True}),
    ],
)
def test_what_cannot_be_understood_is_told_so(text):
    with pytest.raises(rtvi.RtviError):
        rtvi.read(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(rtvi.RtviError):
        rtvi.read(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_no_json_breaks_the_reader(data):
    for kind in ("client-ready", "send-text", "client-message", "x"):
        with contextlib.suppress(rtvi.RtviError):
            rtvi.read(json.dumps({"type": kind, "id": data, "data": data}))


def test_what_we_write_is_what_pipecat_defines():
    ready = json.loads(rtvi.ready("3", "0.1.0"))
    assert models.BotReady.model_validate(ready).data.version == rtvi.VERSION
    assert rtvi.VERSION == models.PROTOCOL_VERSION
    assert rtvi.LABEL == models.MESSAGE_LABEL
    done = json.loads(rtvi.done(rtvi.Mute("4", "mute", True)))
    assert models.ServerResponse.model_validate(done).id == "4"
    refused = json.loads(rtvi.refused("no", "5"))
    assert models.ErrorResponse.model_validate(refused).data.error == "no"
    assert "code" not in refused["data"]
    assert json.loads(rtvi.refused("no", "5", "full"))["data"]["code"] == "full"
