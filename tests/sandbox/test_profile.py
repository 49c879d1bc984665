from __future__ import annotations

import pytest

from vivavoce.sandbox.fault import STAGES
from vivavoce.sandbox.given import ProfileError
from vivavoce.sandbox.profile import Profile


def test_an_empty_profile_changes_nothing():
    profile = Profile.parse("k", {})
    assert profile.latency.hear_final_ms == 0
    assert profile.next_thought() is None
    assert all(profile.fault(stage, 1) is None for stage in STAGES)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "object"),
        ({"latencies": {}}, "unknown latencies"),
        ({"latency": {"hear": 1}}, "known: hear_delay_ms"),
        ({"latency": {"hear_final_ms": -1}}, "at least 0"),
        ({"latency": {"hear_final_ms": True}}, "number"),
        ({"latency": {"hear_final_ms": float("nan")}}, "number"),
        ({"script": {"hear": "text"}}, "list of texts"),
        ({"script": {"think": [3]}}, "texts or tool calls"),
        ({"script": {"think": [{"name": "f", "arguments": "{}"}]}}, "must be an object"),
        ({"script": {"think": [[{"arguments": {}}]]}}, "needs a name"),
        ({"script": {"speak": "song"}}, "tone"),
        ({"script": {"answers": ["soup"]}}, "object of words"),
        ({"script": {"answers": {"soup": 3}}}, "neither a text"),
        ({"faults": {"hear": [{"kind": "page", "at": "done"}]}}, "only be given at open"),
        ({"faults": {"see": []}}, "hear, think, speak"),
        ({"faults": {"hear": [{"kind": "odd_chunks"}]}}, "lost_done"),
        ({"faults": {"hear": [{"kind": "stall", "at": "noon"}]}}, "open, delta, done"),
        ({"faults": {"hear": [{"kind": "status", "at": "done"}]}}, "only be given at open"),
        ({"faults": {"think": [{"kind": "status", "status": 200}]}}, "400-599"),
        ({"faults": {"think": [{"kind": "stall", "on": 0}]}}, "from 1"),
        ({"faults": {"think": [{"kind": "stall", "when": 1}]}}, "unknown when"),
    ],
)
def test_a_wrong_profile_says_what_is_wrong(given, why):
    with pytest.raises(ProfileError, match=why):
        Profile.parse("k", given)


def test_jitter_is_random_and_bounded_and_the_same_every_time():
    given = {"latency": {"jitter_ms": 200}}
    one, other = Profile.parse("a", given), Profile.parse("b", given)
    late = [one.late() for _ in range(500)]
    assert late == [other.late() for _ in range(500)]
    assert 0 <= min(late) < 0.01
    assert 0.19 < max(late) <= 0.2
    assert not any(Profile.parse("c", {}).late() for _ in range(10))


def test_scripts_run_out():
    profile = Profile.parse("k", {"script": {"hear": ["one"], "think": ["hello"]}})
    assert [profile.next_heard(), profile.next_heard()] == ["one", ""]
    assert [profile.next_thought(), profile.next_thought()] == [("hello", []), None]


def test_long_fields_are_kept_as_their_length():
    profile = Profile("k")
    profile.request("audio/speech", {"input": "Hello.", "ref_audio": "A" * 100_000})
    (kept,) = profile.report()["bodies"]
    assert kept["body"] == {
        "input": "Hello.",
        "ref_audio": "<100000 characters, SHA-256 e6631225e83d23bf>",
    }


def test_bodies_kept_are_bounded():
    profile = Profile("k")
    for n in range(200):
        profile.request("chat/completions", {"n": n})
    report = profile.report()
    assert report["requests"] == {"chat/completions": 200}
    assert len(report["bodies"]) == 50
    assert report["bodies"][-1]["body"] == {"n": 199}


def test_answers_by_word_stand_behind_the_script_and_never_run_out():
    profile = Profile.parse("k", {"script": {"think": ["Hello."], "answers": {"soup": "Tomato."}}})
    assert profile.next_thought("What soup?") == ("Hello.", [])
    assert profile.next_thought("Which Soup?") == profile.next_thought("soup") == ("Tomato.", [])
    assert profile.next_thought("fish") is None
