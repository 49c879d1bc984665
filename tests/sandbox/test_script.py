"""Scripts with timed words, and keys whose profile changes while a session is open."""

from __future__ import annotations

import pytest

from vivavoce.sandbox import pcm
from vivavoce.sandbox.ear import ScriptedEar
from vivavoce.sandbox.given import ProfileError
from vivavoce.sandbox.launch import SandboxError
from vivavoce.sandbox.pcm import HEARING_RATE, Intake
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.script import answer_of

TIMED = [["so", 0.2], ["tell", 0.5], ["me", 0.6], ["please", 1.4]]


def hears(*utterances, **latency):
    return Profile.parse("k", {"script": {"hear": list(utterances)}, "latency": latency})


@pytest.fixture
def listen():
    """An ear on a profile, and what it has told; `feed` takes seconds of tone."""

    class Listening:
        def __init__(self, profile: Profile) -> None:
            self.told: list[str] = []
            self.profile = profile
            self.ear = ScriptedEar(profile, Intake("pcm_s16le", HEARING_RATE), 100, self._tell)

        async def _tell(self, text: str) -> None:
            self.told.append(text)

        async def feed(self, seconds: float) -> None:
            await self.ear.push(pcm.encode_s16(pcm.tone(seconds, HEARING_RATE)))

    return Listening


async def test_a_flush_in_the_middle_of_timed_words_gives_those_that_have_ended(listen):
    one = listen(hears(TIMED, "bye"))
    await one.feed(0.66)
    assert one.told == ["so", " tell"]  # "me" has ended, but its delta is 100 ms behind
    assert (await one.ear.flush()).text == "so tell me"
    assert (await one.ear.flush()).text == ""
    await one.feed(0.9)
    assert one.told[-1] == "please"
    heard = await one.ear.flush()
    assert (heard.text, heard.segments) == ("please", [("please", 0.66, 1.56)])
    await one.feed(0.3)
    assert (await one.ear.flush()).text == "bye"  # a text without times is given whole


async def test_another_script_takes_the_place_of_an_utterance_in_progress(listen):
    one = listen(hears(TIMED))
    await one.feed(0.3)
    one.profile.become(hears("hello there"))
    await one.feed(0.3)
    assert (await one.ear.flush()).text == "hello there"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([["a", 2], ["b", 1]], "never go back"),
        ([["a", "b"]], "seconds"),
        ([["a", True]], "seconds"),
        ([["a", float("nan")]], "seconds"),
        (["a", "b"], "neither a text nor"),
        ([["a"]], "neither a text nor"),
        (7, "neither a text nor"),
    ],
)
def test_timed_words_that_make_no_sense_are_refused(words, said):
    with pytest.raises(ProfileError, match=said):
        hears(words)


def test_a_changed_key_starts_its_script_again_and_keeps_its_counts(sandbox):
    key = sandbox.make_key(script={"think": ["one"]})
    try:
        sandbox.change_key(key, script={"hear": [TIMED], "think": ["two"]})
        with pytest.raises(SandboxError, match="unknown lateness"):
            sandbox.change_key(key, lateness={})
        with pytest.raises(SandboxError, match="no such key"):
            sandbox.change_key("nobody")
        assert sandbox.report(key)["connections"] == 0
    finally:
        sandbox.drop_key(key)


def test_only_the_main_key_changes_keys(sandbox):
    key = sandbox.make_key()
    stranger = type(sandbox)(key=key)
    stranger.url = sandbox.url
    try:
        with pytest.raises(SandboxError, match="main key"):
            stranger.change_key(key, latency={"hear_final_ms": 1})
    finally:
        sandbox.drop_key(key)


def test_a_profile_that_becomes_another_counts_on():
    profile = hears("one")
    assert profile.next_heard() == "one"
    profile.begin("hear")
    profile.become(hears("two", speak_char_ms=5))
    assert (profile.next_heard(), profile.next_heard()) == ("two", "")
    assert profile.counters.turns["hear"] == 1
    assert profile.latency.speak_char_ms == 5
    assert profile.revision == 1


FRENCH = [["je", 0.1], ["voudrais", 0.3], ["une", 0.4], ["table.", 0.6]]


@pytest.mark.parametrize(
    ("connection", "language", "place"),
    [(1, None, None), (1, "fr", 0), (2, "en", 1), (2, "fr", 0), (3, None, None)],
)
def test_some_sessions_hear_what_others_do_not(connection, language, place):
    some = [{"hear": [FRENCH], "language": "fr"}, {"hear": ["hello"], "on": 2}]
    profile = Profile.parse("k", {"script": {"hearing": some}})
    assert profile.lines(connection, language) == place
    assert [word for word, _ in profile.next_words(0)] == ["je", "voudrais", "une", "table."]
    assert profile.next_words(1) == (("hello", None),)
    assert profile.next_words(0) == profile.next_words() == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("fr", "list of objects"),
        ([{"language": "fr"}], "hear must be a list"),
        ([{"hear": [], "language": 3}], "a code"),
        ([{"hear": [], "on": [0]}], "numbers from 1"),
        ([{"hear": [], "words": []}], "unknown words"),
    ],
)
def test_sessions_scripted_wrongly_are_refused(given, said):
    with pytest.raises(ProfileError, match=said):
        Profile.parse("k", {"script": {"hearing": given}})


async def test_one_speaker_is_scripted_word_by_word_while_the_engine_hears_another(
    client, ears, say
):
    """Two at one key: English is really heard, French comes from the script, as it is spoken."""
    hearing = [{"hear": [FRENCH], "on": 2}]
    sdk = await client(script={"hearing": hearing}, latency={"hear_delay_ms": 0})
    english, french = await ears(sdk), await ears(sdk)
    audio = await say(sdk, "I would like a table for two.")
    await english.feed(audio)
    await french.feed(pcm.tone(0.35, 24_000), 24_000)
    await french.next("transcription.text.delta")
    await french.next("transcription.text.delta")
    assert french.deltas() == "je voudrais"
    await french.feed(pcm.tone(0.4, 24_000), 24_000)
    assert (await french.flush()).text == "je voudrais une table."
    assert "would like a table" in (await english.flush()).text.lower()


def test_shapes_of_a_scripted_answer():
    call = {"name": "f", "arguments": {"x": 1}}
    assert answer_of("hi") == ("hi", [])
    assert answer_of(call) == ("", [("f", {"x": 1})])
    assert answer_of([call, {"name": "g"}]) == ("", [("f", {"x": 1}), ("g", {})])
    assert answer_of({"content": "hi", "tool_calls": [call]}) == ("hi", [("f", {"x": 1})])
