"""The model servers all engines share: one sandbox, one key per engine, fixed latencies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vivavoce.pipelines.benching.clip import Clip
from vivavoce.sandbox.launch import Sandbox

LATENCY: dict[str, float] = {
    "hear_delay_ms": 240,
    "hear_final_ms": 60,
    "hear_idle_s": 100_000,  # an engine waits for the others' turns
    "think_first_token_ms": 200,
    "think_tokens_per_s": 60,
    "speak_first_audio_ms": 90,
}
TURNS: dict[str, float | str] = {"eager_end_ms": 320, "end_ms": 580, "done": "after"}
"""Voxtral 3's turn events, for the sessions that ask for them. A turn seems to be over 320 ms
behind the last voiced sample: the delay of 240 ms that the words have as well, and one step of
80 ms in which the model decides. It is over after 580 ms: the 500 ms of silence that its default
`min_silence_ms` demands, and one step. Behind words with which no sentence ends ("the", "I'd
like") it is only over after its default time-out of 3 s."""
SHORT_CHAR_MS = 12.0
"""A character of a reply nobody cuts: replies of 2 s instead of 9 s keep a run short."""
LONG_CHAR_MS = 60.0
"""A character of a reply to be cut: as fast as people speak."""

REPLY = (
    "Certainly, I have made a note of that for you and your guests."
    " Is there anything else that you would like me to arrange before this evening?"
)
"""25 words, two sentences, a comma after the first word: whoever speaks clauses may use it."""
SPARE = 12
"""Times that a script can be asked again in one turn: speculation must not run out of answers."""


@dataclass
class Backend:
    """One engine's key, and what is counted under it.

    Attributes:
        sandbox: The server.
        key: The engine's.
    """

    sandbox: Sandbox
    key: str
    _seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def make(cls, sandbox: Sandbox) -> Backend:
        """Make a key."""
        return cls(sandbox, sandbox.make_key(**profile([], REPLY, SHORT_CHAR_MS)))

    def script(self, clips: list[Clip], reply: str = REPLY, char_ms: float = SHORT_CHAR_MS) -> None:
        """Set what is heard and answered next, from now on."""
        self.sandbox.change_key(self.key, **profile(clips, reply, char_ms))

    def spent(self) -> dict[str, int]:
        """Return how many requests came since the last time, by endpoint."""
        total: dict[str, int] = self.sandbox.report(self.key)["requests"]
        new = {name: count - self._seen.get(name, 0) for name, count in total.items()}
        self._seen = dict(total)
        return new


def profile(clips: list[Clip], reply: str, char_ms: float) -> dict[str, Any]:
    """Return a key's profile: utterances in order, the same answer to each request."""
    return {
        "latency": {**LATENCY, "speak_char_ms": char_ms},
        "script": {
            "hear": [clip.script for clip in clips],
            "think": [reply] * SPARE * max(1, len(clips)),
            "speak": "tone",
        },
        "turns": TURNS,
    }
