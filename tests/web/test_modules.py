"""The page's pure modules, run by node: what was said, where the time went, how the network is."""

from functools import partial

import pytest

from tests.web import node
from tests.web.conftest import latency
from vivavoce.agent.ledger import STAGES, Latency
from vivavoce.web.waterfall import hidden_bars

NAMES = ("story", "waterfall", "network", "scope", "dom", "marks", "words")
run = partial(node.run, {name: f"{name}.js" for name in NAMES})


TELL = """
const told = new story.Story();
const seen = given.map(([event, now]) => {
  const { changed, entries } = told.take(event, now);
  return [[...changed], [...entries]];
});
"""


def utterance(ident, text, started=1.0, ended=2.0):
    return {
        "id": ident,
        "kind": "caller",
        "text": text,
        "started": started,
        "ended": ended,
        "why_ended": "semantic: silence 220 ms",
    }


def reply(ident, heard, generated, **more):
    return {
        "id": ident,
        "kind": "agent",
        "heard": heard,
        "generated": generated,
        "unheard": "",
        "interrupted": False,
        "closed": False,
        "started": 3.0,
        "ended": None,
        "latency": None,
        "reaction": None,
        **more,
    }


def test_interim_words_become_final_in_their_place():
    events = [
        [{"event": "caller_partial", "at": 1.2, "text": "a ta"}, 10],
        [{"event": "reply", "at": 1.3, "reply": reply("r1", "", "One")}, 10.1],
        [{"event": "caller_said", "at": 2.1, "utterance": utterance("u1", "A table")}, 11],
        [{"event": "reply", "at": 3.1, "reply": reply("r1", "One", "One moment")}, 12],
    ]
    found = run(TELL + "result = { seen, entries: [...told.entries.values()] };", events)
    assert [entry["id"] for entry in found["entries"]] == ["u1", "r1"]
    assert found["entries"][0]["text"] == "A table"
    assert "live" not in found["entries"][0]
    assert found["entries"][1]["heard"] == "One"
    assert set(found["seen"][2][1]) == {"u1", "live"}


def test_the_earliest_message_tells_when_the_call_began():
    events = [
        [{"event": "caller_started", "at": 1.0}, 11.3],
        [{"event": "caller_stopped", "at": 2.0}, 12.1],
        [{"event": "phase", "at": 3.0, "phase": "thinking"}, 14.0],
    ]
    zero = run(TELL + "result = [told.zero, told.at(15), told.phase];", events)
    assert zero == [pytest.approx(10.1), pytest.approx(4.9), "thinking"]


def test_a_snapshot_brings_all_back_and_keeps_the_ledger():
    spent = latency(300, 0, 200)
    turn = {"event": "turn", "at": 3.0, "reply": "r1", "latency": spent, "why_ended": "x", "speculation": "hit"}  # fmt: skip
    entries = [
        utterance("u1", "Hello"),
        reply("r1", "Hi", "Hi", closed=True, latency=spent),
        utterance("u2", "Bye"),
        reply("r2", "Bye", "Bye", closed=True, latency=spent),
    ]
    snapshot = {"event": "snapshot", "at": 9.0, "call": "c", "agent": "bell", "phase": "listening", "transcript": entries}  # fmt: skip
    found = run(
        TELL + "result = [told.turns, told.entries.size, told.phase];", [[turn, 5], [snapshot, 9]]
    )
    assert [row["speculation"] for row in found[0]] == ["hit", ""]
    assert found[0][1]["why_ended"] == "semantic: silence 220 ms"
    assert found[1:] == [4, "listening"]


def test_a_call_that_ends_leaves_nothing_live():
    events = [
        [{"event": "caller_partial", "at": 1.2, "text": "a ta"}, 10],
        [{"event": "call_ended", "at": 4.5, "reason": "the caller hung up"}, 13],
        [{"event": "from_the_future", "at": 5.0}, 13.5],
    ]
    found = run(
        TELL + "result = [told.entries.size, told.length, told.reason, told.phase];", events
    )
    assert found == [0, 4.5, "the caller hung up", "ended"]


def test_the_log_forgets_the_oldest():
    code = """
    const told = new story.Story();
    for (let n = 0; n < 2100; n += 1) told.note({ type: "server-message", data: { event: `e${n}` } }, "in", n);
    result = [told.log.length, told.log[0].name, told.log.at(-1).number];
    """
    assert run(code) == [2000, "e100", 2100]


@pytest.mark.parametrize(
    "spent",
    [
        latency(300, 0, 200, 250, 0, 200, 50, thinking=120),
        latency(251, 0, 20, 0, 5, 40, 7, transcription=240, thinking=90, speech=15),
        latency(10, thinking=500),
        latency(),
    ],
)
def test_hidden_work_stands_where_the_other_page_draws_it(spent):
    ours = run("result = waterfall.hiddenBars(given);", spent)
    theirs = Latency(
        spent["total_us"],
        {stage: spent["stages_us"][stage] for stage in STAGES},
        {stage: spent["hidden_us"].get(stage, 0) for stage in STAGES},
    )
    assert [tuple(row) for row in ours] == list(hidden_bars(theirs))


def test_percentiles_are_the_ledgers():
    assert run("result = [0.5, 0.95].map((p) => waterfall.percentile([5, 1, 4, 2, 3], p));") == [
        3,
        5,
    ]


def reports(**counts):
    base = {
        "packetsReceived": 100,
        "packetsLost": 0,
        "bytesReceived": 10_000,
        "totalSamplesReceived": 48_000,
        "concealedSamples": 0,
        "silentConcealedSamples": 0,
        "jitterBufferDelay": 2_400.0,
        "jitterBufferEmittedCount": 48_000,
        "jitter": 0.004,
    }
    return [
        {"type": "inbound-rtp", "kind": "audio", "codecId": "c", **base, **counts},
        {"type": "codec", "id": "c", "mimeType": "audio/opus"},
        {"type": "transport", "selectedCandidatePairId": "p"},
        {
            "type": "candidate-pair",
            "id": "p",
            "currentRoundTripTime": 0.05,
            "localCandidateId": "l",
        },
        {"type": "local-candidate", "id": "l", "candidateType": "host", "protocol": "udp"},
    ]


def test_the_network_is_told_by_what_changed():
    later = reports(
        packetsReceived=145,
        packetsLost=5,
        totalSamplesReceived=96_000,
        concealedSamples=9_600,
        silentConcealedSamples=4_800,
        jitterBufferDelay=2_400 + 48_000 * 0.06,
        jitterBufferEmittedCount=96_000,
        bytesReceived=14_000,
    )
    code = """
    const first = network.read(given[0], null, 1);
    const second = network.read(given[1], first, 2);
    result = { second, good: network.judge([first]), poor: network.judge([second]),
               fair: network.judge([first, first, first, second]) };
    """
    found = run(code, [reports(), later])
    row = found["second"]
    assert row["lost"] == pytest.approx(0.1)
    assert row["concealed"] == pytest.approx(0.1)
    assert row["buffer"] == pytest.approx(60)
    assert row["kbitIn"] == pytest.approx(32)
    assert (row["roundTrip"], row["codec"], row["path"]) == (50, "opus", "host/udp")
    assert (found["good"], found["poor"]) == ("good", "poor")


def test_what_is_marked_in_the_scope():
    spent = latency(400, 0, 100)
    events = [
        [{"event": "caller_said", "at": 2.0, "utterance": utterance("u1", "Hello")}, 12.0],
        [{"event": "agent_said", "at": 6.0, "reply": reply("r1", "Hi", "Hi there", closed=True, interrupted=True, started=2.5, ended=4.0, latency=spent, reaction=0.2)}, 16.0],
    ]  # fmt: skip
    found = run(TELL + "const drawn = new marks.Marks(told); result = drawn.all();", events)
    kinds = [(mark["kind"], mark.get("side")) for mark in found]
    assert kinds == [("said", "caller"), ("said", "agent"), ("wait", None), ("cut", None)]
    wait = found[2]
    assert (wait["start"], wait["end"], wait["text"]) == (12.0, 12.5, "500 ms")
    assert found[3]["start"] == pytest.approx(13.8)


def test_times_are_written_as_people_read_them():
    assert run("result = [dom.clock(0), dom.clock(65.96), dom.clock(3725), dom.clock(7.25, true)];") == [
        "0:00",
        "1:05",
        "1:02:05",
        "0:07.3",
    ]  # fmt: skip


def test_a_quiet_voice_shows():
    low, mid, high = run("result = [0, 0.01, 1].map(scope.loudness);")
    assert (low, high) == (0, 1)
    assert 0.2 < mid < 0.5
