"""Bad servers: what becomes of speech when models are late, uneven or slower than real time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table

from benchmarks.turns import measure
from benchmarks.turns.calls import Hall, Held, side_by_side
from benchmarks.turns.heard import REPLIES

FIRST = {"think_first_token_ms": 200, "think_tokens_per_s": 60, "speak_first_audio_ms": 90}
CASES: dict[str, dict[str, float]] = {
    "as usual": {**FIRST, "speak_realtime_factor": 0.3},
    "200 ms of jitter": {**FIRST, "speak_realtime_factor": 0.3, "jitter_ms": 200},
    "just as fast as speech": {**FIRST, "speak_realtime_factor": 1.0, "jitter_ms": 200},
    "speech takes 1.25 times as long": {**FIRST, "speak_realtime_factor": 1.25},
    "the same with jitter": {**FIRST, "speak_realtime_factor": 1.25, "jitter_ms": 200},
    "speech takes twice as long": {**FIRST, "speak_realtime_factor": 2.0},
}


@dataclass(frozen=True)
class Trial:
    """One reply over bad servers.

    Attributes:
        case: Which.
        reply: What was to be said.
        order: How its samples compare with those of the same reply over good servers.
        clicks: Jumps from or to silence.
        words: Words of the reply that the recording holds, by transcription.
        good: The same over good servers: what the transcriber makes of it at best.
        underruns: How many were counted.
        total: Words of the reply.
        heard: The call says that all of it was heard.
    """

    case: str
    reply: str
    order: measure.Order
    clicks: int
    words: int
    good: int
    underruns: int
    total: int
    heard: bool

    @property
    def right(self) -> bool:
        """Whether nothing was lost, doubled, reordered or clicked."""
        order = self.order
        unharmed = not (order.lost or order.doubled or order.strange or self.clicks)
        return unharmed and self.heard and self.words >= self.good - 1


async def _words(hall: Hall, held: Held, reply: str) -> int:
    return measure.reach(reply, await hall.transcribe(held.agent, held.rate))


async def run(
    hall: Hall, count: int, seed: int, say: Callable[[str], None], calls: int = 4
) -> list[Trial]:
    """Hold a call for each case and each of `count` replies.

    Args:
        hall: Where.
        count: How many replies of each case.
        seed: Not used: the sandbox's jitter is the same every time.
        say: Takes a line per call.
        calls: How many replies are tried side by side.
    """
    del seed

    async def try_reply(number: int) -> list[Trial]:
        trials = []
        reply = REPLIES[number % len(REPLIES)]
        # As slow to begin as the bad ones: its first clause is cut in the same place.
        plain = await hall.hold(reply, None, latency=FIRST)
        good = await _words(hall, plain, reply)
        for case, latency in CASES.items():
            held = await hall.hold(reply, None, latency=latency)
            trial = Trial(
                case,
                reply,
                measure.align(held.agent, plain.agent, held.rate),
                len(measure.clicks(held.agent, held.rate)),
                await _words(hall, held, reply),
                good,
                held.underruns,
                len(measure.spoken(reply)),
                held.heard_words == reply,
            )
            trials.append(trial)
            say(f"{number + 1}/{count} {case}: {'ok' if trial.right else 'WRONG'} {trial}")
        return trials

    found = await side_by_side(count, calls, try_reply)
    return [trial for trials in found for trial in trials]


def show(trials: list[Trial]) -> tuple[Table, dict[str, object]]:
    """Return a table by case, and the figures."""
    table = Table(title="speech over bad servers, per reply")
    names = ("servers", "replies", "right", "gaps", "silent s", "underruns", "clicks", "lost ms")
    for name in (*names, "doubled ms", "reordered", "words understood"):
        table.add_column(name)
    for case in CASES:
        some = [trial for trial in trials if trial.case == case]
        if not some:
            continue
        orders = [trial.order for trial in some]
        words = f"{sum(t.words for t in some)} of {sum(t.total for t in some)}"
        table.add_row(
            case,
            str(len(some)),
            f"{sum(trial.right for trial in some)}",
            f"{sum(order.gaps for order in orders) / len(some):.1f}",
            f"{sum(order.silent for order in orders) / len(some):.2f}",
            f"{sum(trial.underruns for trial in some) / len(some):.1f}",
            str(sum(trial.clicks for trial in some)),
            f"{sum(order.lost for order in orders) * 1000:.0f}",
            f"{sum(order.doubled for order in orders) * 1000:.0f}",
            str(sum(order.strange for order in orders)),
            words,
        )
    figures: dict[str, object] = {
        "replies": len(trials),
        "right": sum(trial.right for trial in trials) / len(trials) if trials else 0.0,
        "clicks": sum(trial.clicks for trial in trials),
        "lost_ms": sum(trial.order.lost for trial in trials) * 1000,
        "underruns": sum(trial.underruns for trial in trials),
        "met": all(trial.right for trial in trials),
    }
    return table, figures
