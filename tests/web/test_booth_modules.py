"""The pure modules of the interpreted sessions' page, run by node."""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from tests.web import node
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.dub import Dub

MODULES = {
    "booth": "booth.js",
    "dub": "booth-dub.js",
    "lag": "booth-lag.js",
    "kept": "kept.js",
    "story": "story.js",
}
run = partial(node.run, MODULES)


def segment(number, text, translation="", state="translating", **given):
    row = Segment(number, "A", "fr", given.pop("target", "en"), text, 1.0, 2.0).to_dict()
    return {**row, "translation": translation, "state": state, **given}


def told(row):
    return {"event": "segment", "at": 2.5, "segment": row}


TELL = """
const told = new booth.Booth();
told.language = "en";
const steps = given.map((event, at) => {
  const { changed, entries } = told.take(event, 10 + at);
  return { changed: [...changed], entries: [...entries], live: [...told.partials.values()].map((each) => each.text),
           struck: [...told.segments.values()].map((each) => each.struck?.text ?? null) };
});
"""


def test_a_caption_that_grows_is_no_correction_and_another_one_is():
    steps = run(
        TELL + "result = steps;",
        [
            told(segment(1, "Bonjour.")),
            told(segment(1, "Bonjour.", "Good")),
            told(segment(1, "Bonjour.", "Good morning")),
            told(segment(1, "Bonjour.", "Hello.")),
            told(segment(1, "Bonjour.", "Hello.", "spoken")),
            told(segment(1, "Bonjour.", "Hello.", "spoken")),
        ],
    )
    assert [step["struck"] for step in steps] == [[None]] * 3 + [["Good morning"]] * 3
    assert ["said" in step["changed"] for step in steps] == [False] * 4 + [True, False]
    assert steps[0]["entries"] == ["A/en/1"]


def test_what_was_cut_off_is_not_live_any_more():
    steps = run(
        TELL + "result = steps.map((step) => step.live);",
        [
            {"event": "caller_partial", "at": 1, "text": "Bonjour à tous"},
            told(segment(1, "Bonjour à tous")),
            {"event": "caller_partial", "at": 2, "text": "Bonjour à tous et bienvenue au musée"},
            told(segment(2, "et bienvenue")),
            {"event": "caller_partial", "at": 3, "text": "Bonjour à tous et bienvenue au musée de"},
            {"event": "caller_said", "at": 4, "utterance": {"id": "u1", "kind": "caller"}},
        ],
    )
    assert steps == [
        ["Bonjour à tous"],
        [],
        ["et bienvenue au musée"],
        ["au musée"],
        ["au musée de"],
        [],
    ]


def test_what_is_behind_the_pieces_that_were_cut_off():
    cases = [
        ("good evening and welcome to", ["Good evening,"], "and welcome to"),
        # Understood otherwise since; and what was said before.
        ("good evening an welcome to", ["Thank you.", "Good evening and", "welcome"], "to"),
        ("we have a table", ["Good evening and welcome."], "we have a table"),
        ("we have", ["Yes.", "We have a table for four."], ""),
        ("", ["Yes."], ""),
        ("yes", [], "yes"),
    ]
    given = [case[:2] for case in cases]
    found = run("result = given.map(([text, pieces]) => booth.behind(text, pieces));", given)
    assert found == [case[2] for case in cases]


def test_words_that_nothing_became_of_do_not_stay():
    partial = {"event": "caller_partial", "at": 1.0, "text": "uh"}
    code = TELL + "result = [told.expire(13.9), told.expire(14.2), told.partials.size];"
    assert run(code, [partial]) == [False, True, 0]  # it came at 10 s


def test_of_each_speaker_the_language_that_is_heard_is_shown():
    rows = [
        told(segment(1, "Bonjour.", "Buenos días.", target="es")),
        told(segment(1, "Bonjour.", "Hello.")),
        told({**segment(1, "Hi.", "Hola.", target="es"), "speaker": "B"}),
    ]
    shown = run(TELL + "result = told.shown().map((row) => row.translation);", rows)
    assert shown == ["Hello.", "Hola."]  # what nobody translates into it is shown all the same
    languages = run(TELL + "result = told.tongues();", rows)
    assert languages == ["fr", "es", "en"]


def test_what_was_heard_in_another_language_before_stays():
    def at(moment, number, target, translation):
        row = segment(number, f"piece {moment}", translation, target=target)
        return told({**row, "started": moment, "ended": moment + 1.0})

    rows = [
        at(1, 1, "es", "uno"),
        at(3, 2, "es", "dos"),
        at(60, 1, "en", "three"),  # another language was chosen
        at(60, 3, "es", "tres"),  # of what is told twice one is shown
        at(62, 2, "en", "four"),
        at(66, 4, "es", "cinco"),  # cut off before the other lane did
    ]
    shown = run(TELL + "result = told.shown().map((row) => row.translation);", rows)
    assert shown == ["uno", "dos", "three", "four"]


def test_a_snapshot_restores_the_session_with_who_is_there():
    room = {"event": "room", "you": "Ada", "participants": []}
    snapshot = {
        "event": "snapshot",
        "at": 9,
        "language": "en",
        "phase": "speaking",
        "room": room,
        "transcript": [
            segment(1, "Bonjour.", "Hello.", "spoken", lag=1.5),
            {"kind": "failure", "stage": "thinking", "message": "no answer", "at": 3},
            segment(2, "Merci.", "Thanks.", "speaking", lag=2.5, revisions=["Thank"]),
        ],
    }
    found = run(
        TELL
        + "result = { lags: told.lags().map((each) => each.lag), kinds: [...told.entries.values()]"
        ".map((each) => each.kind), you: told.room.you, json: told.toJSON().transcript };",
        [told(segment(9, "Old.")), snapshot],
    )
    assert found["lags"] == [1.5, 2.5]
    assert (found["kinds"], found["you"]) == (["failure"], "Ada")
    assert [row["number"] for row in found["json"]] == [1, 2]
    assert "struck" not in found["json"][0]


def test_the_record_has_what_a_reload_missed():
    record = [
        segment(1, "Bonjour.", "Hello.", "spoken"),
        {"kind": "failure", "stage": "thinking", "message": "no answer", "at": 3},
        segment(2, "Merci.", "Thanks.", "spoken"),
    ]
    code = (
        TELL
        + """
    told.fill([]);
    const before = told.segments.size;
    told.fill(%s);
    result = [before, told.shown().map((row) => [row.text, row.settled, row.settledNow])];
    """
    )
    found = run(code % json.dumps(record), [told(segment(2, "Merci.", "Thanks.", "spoken"))])
    assert found == [1, [["Bonjour.", True, False], ["Merci.", True, False]]]


def test_what_two_captions_share_ends_at_a_word():
    pairs = [
        ("Good morning to all", "Good morning everyone", "Good morning"),
        ("Children", "Childhood", ""),
        ("The garden", "The garden is open", "The garden"),
        ("", "Hello", ""),
        ("Same.", "Same.", "Same."),
    ]
    given = [pair[:2] for pair in pairs]
    found = run("result = given.map(([a, b]) => b.slice(0, booth.common(a, b)));", given)
    assert found == [pair[2] for pair in pairs]


def test_the_figures_of_lags():
    found = run("result = given.map((each) => lag.figures(each));", [[], [2.0], [1, 4, 2, 3]])
    assert found == [
        None,
        {"last": 2.0, "median": 2.0, "worst": 2.0},
        {"last": 3, "median": 2.5, "worst": 4},
    ]


def test_the_page_dubs_as_the_server_does():
    dice = np.random.default_rng(3)
    rate = 8_000
    pairs = dice.integers(-20_000, 20_000, (rate, 2)).astype(np.int16)
    pairs[: rate // 4, 1] = 0
    pairs[rate // 2 :, 1] = dice.integers(-90, 90, rate // 2)
    dub = Dub(rate)
    wanted = np.concatenate([dub.feed(pairs), dub.flush()])
    code = """
    const pairs = new Int16Array(given);
    const head = new DataView(new ArrayBuffer(44));
    head.setUint32(24, 8000, true);
    const stereo = new Blob([head.buffer, pairs]);
    const read = async (what) => {
      const made = await (await dub.listenTo(stereo, what)).arrayBuffer();
      return { bytes: new DataView(made).getUint32(40, true), samples: [...new Int16Array(made, 44)] };
    };
    result = { dubbed: await read("dubbed"), said: await read("said"), heard: await read("heard") };
    """
    found = run(code, pairs.reshape(-1).tolist())
    assert found["dubbed"]["bytes"] == 2 * rate
    assert np.abs(np.array(found["dubbed"]["samples"]) - wanted.astype(int)).max() <= 1
    assert found["said"]["samples"] == pairs[:, 0].tolist()
    assert found["heard"]["samples"] == pairs[:, 1].tolist()


def test_people_are_told_what_is_kept_and_for_how_long():
    # Without words each is told by its key.
    given = [
        [None, False],
        [None, True],
        [{"words": True, "sound": False, "days": None}, False],
        [{"words": True, "sound": True, "days": 30}, True],
        [{"words": True, "sound": True, "days": 0.5}, True],
    ]
    assert run("result = given.map(([records, sound]) => kept.kept(records, sound));", given) == [
        "setup.nothing",
        "setup.recorded",
        "setup.wordsOnly setup.keptOn",
        "setup.soundAndWords setup.keptDays",
        "setup.soundAndWords setup.keptHours",
    ]


def test_a_call_that_is_followed_has_its_pieces_in_their_places():
    """What an operator sees of an interpreted session: each piece once, as it is now."""
    code = """
    const told = new story.Story();
    given.forEach((event, at) => told.take(event, at));
    result = [...told.entries.values()].map((each) => [each.kind, each.text, each.translation]);
    """
    rows = [
        {"event": "snapshot", "at": 1, "transcript": [segment(1, "Oui.", "Yes.", "spoken")]},
        told(segment(2, "Non.")),
        {"event": "failed", "at": 3, "failure": {"kind": "failure", "message": "no", "at": 3}},
        told(segment(2, "Non.", "No.", "spoken")),
    ]
    kinds = [("segment", "Oui.", "Yes."), ("segment", "Non.", "No."), ("failure", None, None)]
    assert [tuple(each) for each in run(code, rows)] == kinds
