"""What a model refuses is refused first, in one line that names the limit."""

import pytest

from vivavoce.pipelines.models.capabilities import Capabilities
from vivavoce.pipelines.models.transcription.job import Plan, check_plan
from vivavoce.pipelines.models.transcription.options import (
    Abilities,
    Options,
    RefusedError,
    check,
    check_remote,
    check_sample,
    check_size,
)

SECOND, THIRD, OLDEST = "voxtral-mini-2602", "voxtral-mini-transcribe-3-0", "voxtral-mini-2507"
CLIP = b"RIFF"


def mistral(model=SECOND, **card):
    return Abilities.of("mistral", model, Capabilities(**card))


VLLM = Abilities.of("vllm", "mistralai/Voxtral-Mini-3B-2507")
ROUTER = Abilities.of("openrouter", "mistralai/voxtral-mini-transcribe")

REFUSED = [
    (Options(times="word"), mistral(THIRD), "gives the times of segments, not of words"),
    (Options(times="word"), mistral(OLDEST), "not of words"),
    (Options(times="segment", language="fr"), mistral(), "no times when it is told the language"),
    (Options(diarize=True, language="fr"), mistral(), "no times when it is told the language"),
    (Options(bias=("word",) * 101), mistral(), "101 terms to listen for: 100 is the most"),
    (Options(bias=("a,b",)), mistral(), "has a comma in it"),
    (Options(bias=("New York",)), mistral(), "has a space in it"),
    (Options(bias=("",)), mistral(), "an empty term"),
    (Options(bias=("word",)), mistral(OLDEST), "does not listen for given words"),
    (Options(bias=("word",)), VLLM, "does not listen for given words"),
    (Options(diarize=True), mistral(OLDEST), "does not tell speakers apart"),
    (Options(diarize=True), VLLM, "does not tell speakers apart"),
    (Options(diarize=True), mistral(diarization=False), "does not tell speakers apart"),
    (Options(diarize=True, speakers={"Ann": CLIP}), mistral(), "takes no samples of voices"),
    (Options(speakers={"Ann": CLIP}), mistral(THIRD), "samples of voices need --diarize"),
    (
        Options(diarize=True, speakers={str(n): CLIP for n in range(9)}),
        mistral(THIRD),
        "9 samples of voices: 8 is the most",
    ),
    (Options(times="word"), VLLM, "gives no times of words"),
    (Options(language="english"), mistral(), "a language is two letters"),
    (Options(language="EN"), mistral(), "a language is two letters"),
    (Options(language="fi"), mistral(languages=("en", "fr")), "does not take the language fi"),
    (Options(), mistral("voxtral-mini-transcribe-realtime-2602"), "is for live audio"),
    (Options(), mistral(modes=("realtime",)), "is for live audio"),
    (Options(), mistral(files=False), "is for live audio"),
    (Options(temperature=3), mistral(), "a temperature is from 0 to 2"),
]


@pytest.mark.parametrize(("options", "abilities", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_a_combination_that_a_model_refuses_gets_its_line(options, abilities, why):
    with pytest.raises(RefusedError, match=why) as caught:
        check_plan(options, abilities)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "abilities"),
    [
        (Options(), mistral()),
        (Options(times="word", diarize=True, bias=("word",) * 100), mistral()),
        (Options(language="fr"), mistral()),
        (Options(times="segment", language="fr"), mistral(THIRD)),
        (Options(diarize=True, speakers={"Ann": CLIP}), mistral(THIRD)),
        (Options(times="word"), mistral(THIRD, granularities=("segment", "word"))),
        (Options(diarize=True), mistral(OLDEST, diarization=True)),
        (Options(language="fr"), mistral(languages=())),
        (Options(times="segment"), VLLM),
        (Options(bias=("New York",), times="word", diarize=True), ROUTER),
    ],
)
def test_what_a_model_takes_passes(options, abilities):
    check_plan(options, abilities)


def test_a_card_counts_more_than_a_name():
    told = mistral(THIRD, granularities=("segment", "word"), diarization=False)
    assert told.times == {"segment", "word"}
    assert not told.diarize
    assert not told.speakers


def test_times_of_pauses_are_for_those_who_know_how():
    with pytest.raises(RefusedError, match="gives no times of segments"):
        check(Options(times="segment"), VLLM)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: check_sample("Ann", 1.0), "lasts 1.0 s: 3 to 15 s are taken"),
        (lambda: check_sample("Ann", 20.0), "lasts 20.0 s"),
        (lambda: check_remote("http://x/" + "a" * 2100, mistral(), url=True), "2083 is the most"),
        (lambda: check_remote("ftp://x/a.wav", mistral(), url=True), "is no http URL"),
        (lambda: check_remote("http://x/a.wav", VLLM, url=True), "vllm fetches no URLs"),
        (lambda: check_remote("f1", ROUTER, url=False), "openrouter keeps no files"),
        (
            lambda: check_size("a", 4 * 3600, 1, mistral()),
            "lasts 240 min: .* takes 180 min at once",
        ),
        (lambda: check_size("a", 1, 26_000_000, VLLM), "has 26 MB: vllm takes 25 MB at once"),
        (lambda: Plan(part=7200).rule(Options(), mistral(THIRD)), "takes 60 min at once"),
        (lambda: Plan(part=1200).rule(Options(), VLLM), "parts of 20 min: .* takes 10 min"),
        (lambda: Abilities.of("voxtral", "x"), "voxtral transcribes no files"),
    ],
)
def test_other_limits_get_their_line(call, why):
    with pytest.raises(RefusedError, match=why):
        call()


@pytest.mark.parametrize(
    ("options", "abilities", "longest"),
    [
        (Options(), mistral(), 900),
        (Options(times="segment"), mistral(OLDEST), 900),
        (Options(), VLLM, 600),
        (Options(times="segment"), VLLM, 25),
        (Options(times="segment"), ROUTER, 606),
    ],
)
def test_parts_are_as_long_as_is_good(options, abilities, longest):
    assert Plan().rule(options, abilities).longest == pytest.approx(longest, abs=1)


def test_a_part_leaves_room_for_the_samples_before_it():
    rule = Plan().rule(Options(diarize=True), mistral())
    assert 2.9 * 3600 < rule.longest < 3 * 3600
    assert Plan(part=30 * 60).rule(Options(diarize=True), mistral()).longest == 30 * 60
