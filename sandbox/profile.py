"""What one API key gets: latencies, scripts and faults, and what was counted under it.

Faults and latencies hang on the key and not on the request, so that unmodified clients can
be tested against them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from vivavoce.sandbox.fault import STAGES, Fault, Stage, read_fault
from vivavoce.sandbox.given import Given, ProfileError
from vivavoce.sandbox.script import Script, Words, answer_of, read_script

_LONGEST_KEPT = 65_536  # characters of one field
_KEPT_BODIES = 50  # last requests kept per key: a long benchmark must not grow


@dataclass(frozen=True)
class Latency:
    """When things happen; 0 is as soon as they can.

    Attributes:
        hear_final_ms: From a flush to its ``transcription.done``, at least.
        hear_delay_ms: How far scripted deltas come behind their words' audio; None takes the
            session's ``target_streaming_delay_ms``, or 480.
        hear_word_ms: Length of a scripted word in the audio.
        hear_idle_s: Silence of the client, audio being unflushed, that ends in error 3804.
        think_first_token_ms: From the request to the first word or tool call, at least.
        think_tokens_per_s: Pace of the words behind the first.
        speak_first_audio_ms: From the request to the first chunk of audio, at least.
        speak_realtime_factor: Seconds that a second of audio takes.
        speak_char_ms: Length of a character of a scripted tone.
        jitter_ms: How much later a final text, a word or a chunk of audio may come, at random:
            a network's jitter, which never changes the order.
    """

    hear_final_ms: float = 0
    hear_delay_ms: float | None = None
    hear_word_ms: float = 300
    hear_idle_s: float = 30
    think_first_token_ms: float = 0
    think_tokens_per_s: float = 0
    speak_first_audio_ms: float = 0
    speak_realtime_factor: float = 0
    speak_char_ms: float = 60
    jitter_ms: float = 0


Done = Literal["after", "before", "none"]


@dataclass(frozen=True)
class TurnPlan:
    """How Voxtral 3's turn events come; only where the session asks for them.

    Attributes:
        done: Whether the end of a turn brings a ``transcription.done`` that nobody asked for,
            and on which side of ``turn.end``. Which it is in reality is not established.
        eager_end_ms: Scripted ears: from the last voiced sample to ``turn.eager_end``, in audio.
        end_ms: Likewise to ``turn.end``; None takes the session's ``min_silence_ms``.
    """

    done: Done = "after"
    eager_end_ms: float = 150
    end_ms: float | None = None


def _latency(given: Any) -> Latency:
    read = Given("latency", Latency, given)
    read.durations(*read.fields, open_="hear_delay_ms")
    return Latency(**read.fields)


def _turns(given: Any) -> TurnPlan:
    read = Given("turns", TurnPlan, given)
    if read.fields.get("done", "after") not in get_args(Done):
        raise ProfileError(f"turns.done must be one of {', '.join(get_args(Done))}")
    read.durations("eager_end_ms", "end_ms", open_="end_ms")
    return TurnPlan(**read.fields)


def _shortened(value: Any) -> Any:
    """Put a voice sample's length and digest in its place: fifty of them would be a gigabyte."""
    if isinstance(value, str) and len(value) > _LONGEST_KEPT:
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"<{len(value)} characters, SHA-256 {digest[:16]}>"
    return value


@dataclass
class Counters:
    """What happened under a key."""

    connections: int = 0  # hearing sockets opened
    speech_connections: int = 0
    requests: dict[str, int] = field(default_factory=dict)  # per endpoint
    turns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    heard_s: float = 0.0  # seconds of audio received
    spoken_s: float = 0.0  # seconds of audio sent
    texts: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))


@dataclass
class Profile:
    """One key, and everything about it."""

    key: str
    latency: Latency = field(default_factory=Latency)
    script: Script = field(default_factory=Script)
    faults: dict[Stage, tuple[Fault, ...]] = field(default_factory=dict)
    turns: TurnPlan = field(default_factory=TurnPlan)
    counters: Counters = field(default_factory=Counters)
    revision: int = 0  # how often it was replaced
    _cursor: dict[Stage | int, int] = field(default_factory=dict)
    _dice: random.Random = field(default_factory=lambda: random.Random(1))

    @classmethod
    def parse(cls, key: str, given: Any) -> Profile:
        """Read the body of ``POST /sandbox/keys``.

        Raises:
            ProfileError: With what to change.
        """
        if not isinstance(given, Mapping):
            raise ProfileError("the body must be an object with latency, script, faults and turns")
        known = ("latency", "script", "faults", "turns")
        if unknown := sorted(set(given) - set(known)):
            raise ProfileError(f"unknown {', '.join(unknown)}; known: {', '.join(known)}")
        faults = given.get("faults") or {}
        if not isinstance(faults, Mapping) or set(faults) - set(STAGES):
            raise ProfileError(f"faults must be an object with {', '.join(STAGES)}")
        listed: dict[Stage, tuple[Fault, ...]] = {}
        for stage in STAGES:
            some = faults.get(stage) or []
            if not isinstance(some, list):
                raise ProfileError(f"faults.{stage} must be a list")
            listed[stage] = tuple(read_fault(stage, one) for one in some)
        latency = _latency(given.get("latency") or {})
        script, turns = read_script(given.get("script") or {}), _turns(given.get("turns") or {})
        return cls(key, latency, script, listed, turns)

    def become(self, other: Profile) -> None:
        """Take another's settings, its script from the start; keep what was counted."""
        self.latency, self.script, self.faults = other.latency, other.script, other.faults
        self.turns = other.turns
        self._cursor = {}
        self.revision += 1

    def late(self) -> float:
        """Give how much later than it should the next thing goes out (s)."""
        return self._dice.uniform(0, self.latency.jitter_ms) / 1000

    def begin(self, stage: Stage) -> int:
        """Count an utterance or request; give its number, from 1."""
        self.counters.turns[stage] += 1
        return self.counters.turns[stage]

    def request(self, endpoint: str, body: dict[str, Any] | None = None) -> None:
        """Count a request to an endpoint and keep its body."""
        self.counters.requests[endpoint] = self.counters.requests.get(endpoint, 0) + 1
        if body is not None:
            kept = {name: _shortened(value) for name, value in body.items()}
            self.counters.bodies.append({"endpoint": endpoint, "body": kept})

    def fault(self, stage: Stage, number: int, *kinds: str, at: str | None = None) -> Fault | None:
        """Give the first fault of these kinds (any, when none is named) that strikes."""
        for fault in self.faults.get(stage, ()):
            if kinds and fault.kind not in kinds:
                continue
            if (at is None or fault.at == at) and fault.strikes(number):
                return fault
        return None

    def lines(self, connection: int, language: str | None) -> int | None:
        """Give the place in ``script.hearing`` of what a session hears; None where none fits."""
        for place, lines in enumerate(self.script.hearing):
            spoken = lines.language is None or lines.language == language
            if spoken and (not lines.on or connection in lines.on):
                return place
        return None

    def utterances(self, lines: int | None = None) -> tuple[Words, ...]:
        """Give all that is scripted to be heard: in general, or by some sessions (a place)."""
        if lines is None:
            return self.script.hear or ()
        # Another script may have come meanwhile, with fewer of them.
        return self.script.hearing[lines].hear if lines < len(self.script.hearing) else ()

    def next_words(self, lines: int | None = None) -> Words:
        """Give the next scripted utterance; none behind the last."""
        which: Stage | int = "hear" if lines is None else lines
        n = self._cursor.get(which, 0)
        self._cursor[which] = n + 1
        utterances = self.utterances(lines)
        return utterances[n] if n < len(utterances) else ()

    def next_heard(self) -> str:
        """Give the next scripted utterance as text; ``""`` behind the last."""
        return " ".join(word for word, _end in self.next_words())

    def next_thought(self, asked: str = "") -> tuple[str, list[tuple[str, dict[str, Any]]]] | None:
        """Give the next scripted answer, or the one to what is asked; None where there is none."""
        n = self._cursor.get("think", 0)
        self._cursor["think"] = n + 1
        if n < len(self.script.think):
            return answer_of(self.script.think[n])
        fits = (answer for words, answer in self.script.answers if words in asked.lower())
        return None if (answer := next(fits, None)) is None else answer_of(answer)

    def report(self) -> dict[str, Any]:
        """Give the counters as JSON-able data."""
        report = dataclasses.asdict(self.counters)
        report["texts"] = list(self.counters.texts)
        report["bodies"] = list(self.counters.bodies)
        return report
