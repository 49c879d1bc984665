"""What the table of conformance is made of: cells that run against the sandbox, and its outcomes.

How to add rows. One module in this folder for each capability (`conformance/thinking.py` is the
example), with two names in it:

    CAPABILITY = "thinking"           # the heading in docs/conformance.md

    def cells() -> Iterable[Cell]:    # provider by provider, "works" first, then each fault
        yield Cell("mistral", "works", works)
        yield Cell("mistral", "429", partial(fails, fault={"kind": "status", "status": 429}))

A cell's function is async and takes the `Lab`. It talks to the sandbox over real sockets through
the same clients that a call uses, under a key of its own (`lab.endpoint(stage, dialect,
faults=…)`). It returns an `Outcome`: what a caller would have experienced, in a few words, and the
proof that nothing was lost or doubled, with figures (`same_words` makes one). It raises when the
proof fails (`prove`, or `assert`); the command then shows the cell as failed and exits with 1. A
cell should take less than a second or two: `lab.timeouts` are short. What a provider does not have
is no cell; what is refused before anything is sent is one ("refused here: …" as the experience).

`make conformance` runs all of them and prints the table; `python -m conformance thinking` runs one
capability. What a capability gave is kept in conformance/results once none of its cells failed, and
docs/conformance.md is made of all that is kept. Cells run four at a time (`--at-once`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.sandbox.launch import Sandbox

BASES = {"vllm": "/vllm", "openai": "/openai", "openrouter": "/api", "voxtral": "/api/tts"}
"""Where the sandbox speaks each dialect; Mistral's has no base path."""
MODELS = {
    ("hear", "mistral"): "voxtral-mini-transcribe-realtime-2602",
    ("hear", "vllm"): "mistralai/Voxtral-Mini-4B-Realtime-2602",
    ("think", "mistral"): "mistral-small-latest",
    ("speak", "mistral"): "voxtral-mini-tts-2603",
    ("speak", "mistral-realtime"): "voxtral-mini-tts-3-0",
    ("speak", "vllm"): "mistralai/Voxtral-4B-TTS-2603",
    ("transcribe", "mistral"): "voxtral-mini-2602",
    ("transcribe", "vllm"): "mistralai/Voxtral-Mini-3B-2507",
    ("transcribe", "openrouter"): "mistralai/voxtral-mini-transcribe",
    ("ask", "mistral"): "voxtral-small-latest",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell.

    Attributes:
        experience: What the caller experienced.
        proof: That no word was lost or doubled, or what else had to be shown.
    """

    experience: str
    proof: str


class NotProvenError(AssertionError):
    """What a cell had to show is not so."""


def prove(holds: object, what: str) -> None:
    """Refuse to go on unless something holds.

    Raises:
        NotProvenError: If it does not.
    """
    if not holds:
        raise NotProvenError(what)


def words(text: str) -> list[str]:
    """Return a text's words, without case and punctuation."""
    return "".join(char.lower() if char.isalnum() else " " for char in text).split()


def same_words(expected: str, found: str) -> str:
    """Return the proof that two texts have the same words in the same order.

    Raises:
        NotProvenError: If they have not.
    """
    wanted, got = words(expected), words(found)
    prove(wanted == got, f"expected {expected!r}, got {found!r}")
    return f"{len(got)} of {len(wanted)} words, in order, none twice"


@dataclass(slots=True)
class Lab:
    """What cells work with: a running sandbox, and keys in it.

    Attributes:
        sandbox: The sandbox.
        timeouts: Short ones, for every client.
    """

    sandbox: Sandbox
    timeouts: Timeouts = field(
        default_factory=lambda: Timeouts(connect=2.0, final=1.0, first=3.0, stall=0.6, switch=0.8)
    )
    _keys: dict[str, str] = field(default_factory=dict)

    def endpoint(
        self, stage: str, dialect: str = "mistral", *, model: str = "", **profile: Any
    ) -> Endpoint:
        """Return where a stage is, under a key of its own.

        Args:
            stage: "hear", "think", "speak", "transcribe" or "ask".
            dialect: Which wire protocol; chooses the base path.
            model: Instead of the usual one.
            **profile: `latency`, `script`, `faults` and `turns`, as the sandbox takes them.
        """
        key = self.sandbox.make_key(**profile)
        model = model or MODELS.get((stage, dialect)) or MODELS.get((stage, "mistral")) or ""
        url = self.sandbox.url + BASES.get(dialect, "")
        return Endpoint(url, key, model, dialect)

    def report(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return what the sandbox counted under an endpoint's key."""
        return self.sandbox.report(endpoint.key)


@dataclass(frozen=True, slots=True)
class Cell:
    """One provider and one fault of a capability.

    Attributes:
        provider: The provider, or its dialect.
        fault: "works", or what goes wrong, in a few words.
        run: Shows it.
    """

    provider: str
    fault: str
    run: Callable[[Lab], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Result:
    """A cell that was run.

    Attributes:
        capability: Which one.
        cell: The cell.
        outcome: What came of it; None where it failed.
        why: Why it failed.
        seconds: How long it took.
    """

    capability: str
    cell: Cell
    outcome: Outcome | None
    why: str
    seconds: float
