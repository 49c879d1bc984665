"""Machines and people, told apart by how they speak, what they say, and the beep."""

from __future__ import annotations

import numpy as np
import pytest

from tests.phone.peers import tone
from tests.speech import speak
from vivavoce.phone.voicemail import GRACE, LATEST, Answerer, Beep, Voicemail
from vivavoce.pipelines.audio.convert import decode_mulaw, encode_mulaw

RATE = 8000
BLOCK = 160
LAG = 0.6  # s that a transcriber is behind

PEOPLE = (
    "Hello?",
    "Yes?",
    "Hello, who is this?",
    "Good morning.",
    "Peter Miller.",
    "Hi, this is Anna.",
    "Yeah, hello?",
    "Hello, hello?",
    "Miller speaking.",
    "Good evening, how can I help you?",
    "Who's calling?",
    "Hello, Doctor Brown's practice, how can I help you?",
    "Smith.",
    "Yes, speaking.",
    "Hey, what's up?",
    "Front desk, good afternoon.",
    "This is the bakery, hello.",
    "Hello there.",
    "Okay, I am here.",
    "Yes, hello, this is Mary.",
)
MACHINES = (
    "You have reached the voicemail of Peter Miller. Please leave a message after the tone.",
    "Hi, this is Anna. I can't come to the phone right now. Leave me a message.",
    "The person you are calling is not available. Please leave your message after the beep.",
    "Hello! You've reached the Smith family. We are not at home at the moment.",
    "Your call has been forwarded to an automatic voice message system.",
    "Thank you for calling. Our office is currently closed. Our hours are nine to five.",
    "Hey, it's Tom, you know what to do after the beep, talk to you very soon, bye bye.",
    "The number you have dialled is not in service. Please check the number and dial again.",
    "This is the mailbox of Doctor Brown. Please record your message after the tone.",
    "I'm sorry I missed your call, but if you leave your name and number I'll get back to you.",
    "We are unable to take your call at this time, because all of our agents are busy.",
    "Welcome to the city theatre. For tickets press one. For opening hours press two.",
    "Hi, you've reached Mary. I'm probably out walking the dog, so please leave a message.",
    "Good day. The subscriber cannot be reached at the moment, please try again later today.",
    "At the tone, please record your message. When you have finished, you may hang up.",
    "Thanks for calling the garage, we are closed for the holidays until the third of January.",
    "No one is available to take your call. Please leave a detailed message after the tone.",
    "This call is being recorded for quality purposes. Please hold the line for an operator.",
    "Hello, this is John Smith, and I am away from my desk or on the other line right now.",
    "Sorry, the mailbox is full and cannot accept any messages at this time. Goodbye.",
)  # fmt: skip


def played(pcm: np.ndarray, text: str = "", *, silence: float = 6.0) -> tuple[Voicemail, float]:
    """Play a greeting over G.711, told to a transcriber that is right, and late; what is said."""
    sound = decode_mulaw(encode_mulaw(pcm))
    end = len(sound) / RATE
    sound = np.concatenate(
        [np.zeros(RATE // 2, np.int16), sound, np.zeros(round(silence * RATE), np.int16)]
    )
    detector, words = Voicemail(0.0), text.split()
    for at in range(0, len(sound) - BLOCK, BLOCK):
        now = (at + BLOCK) / RATE
        detector.sound(sound[at : at + BLOCK], RATE, now)
        share = (now - 0.5 - LAG) / end
        if words and share > 0:
            detector.words(" ".join(words[: int(share * len(words))]), now)
        if detector.verdict is not None:
            return detector, now - 0.5
    pytest.fail("it was never decided")


@pytest.mark.parametrize(
    ("texts", "who"),
    [(PEOPLE, Answerer.HUMAN), (MACHINES, Answerer.MACHINE)],
    ids=["people", "machines"],
)
def test_twenty_of_each(texts, who):
    wrong, late = [], []
    for text in texts:
        detector, took = played(speak(text, RATE), text)
        if detector.verdict is not who:
            wrong.append((text, detector.why))
        if took > LATEST + 0.3:  # speech does not begin with the first sample
            late.append((text, took))
    assert len(wrong) <= 1, wrong
    assert not late


@pytest.mark.parametrize(
    "words",
    [
        "laissez un message après le bip",
        "nach dem Signalton",
        "deje un mensaje",
        "lasciate un messaggio",
    ],
)
def test_machines_of_other_languages(words):
    detector = Voicemail(0.0)
    detector.words(words, 1.0)
    assert detector.verdict is Answerer.MACHINE


def test_a_recogniser_that_is_late_is_waited_for_a_little():
    """Somebody speaks on for three seconds: a receptionist, or a machine."""
    for words, who in (("the practice, how can I help you", "human"), ("", "machine")):
        detector = Voicemail(0.0)
        detector.voice(0.5, speaking=True)
        assert detector.tick(0.5 + LATEST) is None
        detector.words(words, 0.5 + LATEST + GRACE / 2)
        assert (detector.verdict and detector.verdict.value) == (who if words else None)
        verdict = detector.tick(0.6 + LATEST + GRACE)
        assert verdict is not None
        assert verdict.value == who


def test_who_was_understood_is_not_waited_for():
    detector = Voicemail(0.0)
    detector.voice(0.5, speaking=True)
    detector.words("good morning and", 1.5)
    assert detector.tick(0.5 + LATEST) is Answerer.MACHINE


def test_nobody_says_anything():
    detector, took = played(np.zeros(RATE, np.int16))
    assert detector.verdict is Answerer.NOBODY
    assert took >= 4


def test_a_verdict_stands():
    detector = Voicemail(0.0)
    detector.words("leave a message", 1.0)
    detector.words("who is this?", 1.5)
    assert detector.tick(9.0) is Answerer.MACHINE


def test_a_beep_that_ends():
    detector, _ = played(np.concatenate([tone(0.4, 1000), np.zeros(RATE, np.int16)]))
    assert detector.verdict is Answerer.MACHINE
    assert detector.why == "it beeped"
    assert detector.beeped == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize(
    "sound",
    [
        tone(0.08, 1000),
        tone(0.5, 150),
        tone(0.5, 1000) // 100,
        tone(0.3, 770) // 2 + tone(0.3, 1336) // 2,
        (np.random.default_rng(1).standard_normal(RATE) * 3000).astype(np.int16),
    ],
    ids=["short", "low", "faint", "key", "noise"],
)
def test_what_is_no_beep(sound):
    beep = Beep()
    padded = np.concatenate([sound, np.zeros(RATE, np.int16)])
    assert not any(beep.feed(padded[at : at + BLOCK], RATE) for at in range(0, len(padded), BLOCK))


def test_speech_is_no_beep():
    beep, speech = Beep(), speak(" ".join(MACHINES[:4]), RATE)
    assert not any(beep.feed(speech[at : at + BLOCK], RATE) for at in range(0, len(speech), BLOCK))
