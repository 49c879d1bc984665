"""The conversation that every row holds: three questions, their answers, and what else is said."""

from __future__ import annotations

from typing import Any

from conformance.faults.ears import pitches
from vivavoce.agent.phrases import APOLOGY, FAREWELL, ONE_MOMENT, STILL_THERE

GREETING = "Welcome to the house."
QUESTIONS = (
    "What are your opening hours?",
    "I would like a table for two people.",
    "Where can I park my car?",
)
ANSWERS = (
    "We open at nine and close at six.",
    "Your table for two is booked now.",
    "You can park behind the house.",
)
WORDS = (("hours", "opening"), ("table", "people"), ("park", "where", "car"))
"""By which a question is answered, whatever else was understood of it."""
FALLBACK = "The book does not open now."
"""Said where a tool has failed: what the chat model makes of it."""
PARDON = "I beg your pardon?"
"""Answered where none of them was understood."""
FILLER = "Let me look that up."
REPLIES = {"greeting": GREETING, **{f"answer {n}": text for n, text in enumerate(ANSWERS, 1)}}
APOLOGIES = (APOLOGY["en"], FAREWELL["en"])
KNOWN = pitches(
    (*REPLIES.values(), *APOLOGIES, ONE_MOMENT["en"], STILL_THERE["en"], FILLER, FALLBACK, PARDON)
)
"""All that can be heard, with its pitch (Hz)."""


def profile(
    faults: dict[str, list[dict[str, Any]]] | None = None, answers: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the sandbox is told of a key.

    Args:
        faults: By stage.
        answers: What is answered instead, by word; by "" where no word fits.
    """
    answers = answers or {}
    return {
        "script": {
            "speak": "pitch",
            "answers": {
                **{word: answer for word, answer in answers.items() if word},
                **{
                    word: answer
                    for words, answer in zip(WORDS, ANSWERS, strict=True)
                    for word in words
                    if word not in answers
                },
                "": answers.get("", PARDON),
            },
        },
        "latency": {"speak_char_ms": 32},
        "faults": faults or {},
    }
