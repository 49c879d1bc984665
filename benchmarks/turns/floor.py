"""The floor: who keeps it when the caller makes a sound while the agent speaks.

Coughs, doors, keys and a listener's words are to leave it to the agent, who goes on without a
sample lost or doubled; anything that is meant is to stop it, and soon.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from benchmarks.turns import measure, sounds
from benchmarks.turns.calls import Hall, Held, Samples, side_by_side
from vivavoce.pipelines.caller import RATE
from vivavoce.pipelines.turns.bargein import is_backchannel

KEEPS, STOPS = 0.95, 0.98
"""Goals: shares of sounds that leave the agent the floor, and of interruptions that take it."""
REPLY = (
    "Tonight we serve onion soup with roasted garlic bread followed by grilled salmon from the"
    " northern coast under a light lemon sauce that you will certainly like very much."
)
"""One clause: wherever it is cut, it is synthesised the same every time."""
VOICES = ("en_paul_neutral", "fr_marie_neutral")
"""Of the callers: a man's and a woman's."""


@dataclass(frozen=True)
class Trial:
    """One sound during one reply.

    Attributes:
        kind: "cough", "listening", "interruption" and so on.
        what: The words, or which noise.
        kept: The agent kept the floor.
        understood: What was transcribed of the sound, where it became a turn.
        match: How the reply compares with the undisturbed one, where the agent kept it.
        reaction: From the sound's first sample to the last audible one of the reply (s), where
            it was stopped.
        gap: How long the reply was silent, where it was held and went on (s).
        wait: From the end of the sound to where it went on (s).
        alone: What the transcriber makes of a listener's words by themselves.
    """

    kind: str
    what: str
    kept: bool
    understood: str = ""
    match: measure.Match | None = None
    reaction: float | None = None
    gap: float | None = None
    wait: float | None = None
    alone: str = ""

    @property
    def clear(self) -> bool:
        """Whether the transcriber, which knows no hums, takes it for no more than it is."""
        return not self.alone or is_backchannel(self.alone)


async def _sound(
    hall: Hall, kind: str, number: int, dice: np.random.Generator
) -> tuple[str, Samples]:
    voice = VOICES[int(dice.integers(len(VOICES)))]
    if kind == "listening":
        text = sounds.LISTENING[number % len(sounds.LISTENING)]
        if text in sounds.HUMMED:
            return text, sounds.hum(sounds.HUMMED[text], dice)
        return text, await hall.speak(text, voice)
    if kind == "interruption":
        text = sounds.INTERRUPTIONS[number % len(sounds.INTERRUPTIONS)]
        return text, await hall.speak(text, voice)
    return kind, sounds.NOISES[kind](dice)


def judge(kind: str, what: str, sound: Samples, held: Held, plain: Samples) -> Trial:
    """Say what became of the reply of one call."""
    reply = held.call.transcript.replies[0]
    said = " / ".join(each.text for each in held.call.transcript.caller[1:])
    at = held.sound_at
    if at is None:
        return Trial(kind, what, kept=False, understood="(the sound was never made)")
    voiced = measure.onset(sound) or 0
    began = round((at + voiced / RATE) * held.rate)
    if reply.interrupted:
        reaction = measure.reaction(held.agent, began, held.rate)
        return Trial(kind, what, kept=False, understood=said, reaction=reaction)
    match = measure.compare(held.agent, plain, held.rate)
    end = at + len(sound) / RATE
    wait = None if match.resumed is None else match.resumed / held.rate - end
    gap = match.pause if match.resumed is not None else None
    kept = len(held.call.transcript.replies) == 1
    return Trial(kind, what, kept, said, match, gap=gap, wait=wait)


async def run(
    hall: Hall, count: int, seed: int, say: Callable[[str], None], calls: int = 4
) -> list[Trial]:
    """Disturb `count` replies with what is not meant, and interrupt half as many.

    Args:
        hall: Where.
        count: How many sounds that are not meant; interruptions: as many, 30 texts in turn.
        seed: Of the sounds and moments.
        say: Takes a line per trial.
        calls: How many calls are held side by side.
    """
    plain = (await hall.hold(REPLY, None)).agent
    kinds = ["listening", "cough", "listening", "throat", "listening", "cough", "door", "keyboard"]
    plan = [
        (kinds[n % len(kinds)], n // len(kinds) * 3 + n % len(kinds) // 2) for n in range(count)
    ]
    plan += [("interruption", n) for n in range(count)]

    async def disturb(place: int) -> Trial:
        kind, number = plan[place]
        # Its own dice: which call comes first makes no difference.
        moments, dice = random.Random(f"{seed} {place}"), np.random.default_rng((seed, place))
        what, sound = await _sound(hall, kind, number, dice)
        held = await hall.hold(REPLY, sound, moments.uniform(0.5, 6.0), stay=14.0)
        trial = judge(kind, what, sound, held, plain)
        if kind == "listening":
            room = np.zeros(RATE // 2, np.int16)
            alone = await hall.transcribe(np.concatenate([room, sound, room]), RATE)
            trial = replace(trial, alone=alone)
        say(f"{place + 1}/{len(plan)} {_line(trial)}")
        return trial

    return await side_by_side(len(plan), calls, disturb)


def _line(trial: Trial) -> str:
    words = f"{trial.kind} {trial.what!r}: {'kept' if trial.kept else 'stopped'}"
    if trial.understood:
        words += f", understood {trial.understood!r}"
    if trial.alone:
        words += f" (alone {trial.alone!r})"
    if trial.reaction is not None:
        words += f", after {trial.reaction * 1000:.0f} ms"
    if trial.match is not None:
        words += f", whole: {trial.match.whole} {trial.match.why}"
    if trial.gap is not None and trial.wait is not None:
        words += f", silent {trial.gap * 1000:.0f} ms, {trial.wait * 1000:.0f} ms behind the sound"
    return words


def _ms(values: list[float]) -> str:
    if not values:
        return "–"
    return " / ".join(f"{measure.percentile(values, share) * 1000:.0f}" for share in (50, 90, 95))


def show(trials: list[Trial]) -> tuple[Table, dict[str, object]]:
    """Return a table by kind, and the figures."""
    table = Table(title="who has the floor", caption="p50 / p90 / p95, ms")
    columns = ("sound", "trials", "agent keeps it", "held", "whole", "silent")
    for name in (*columns, "resumes after", "stops after"):
        table.add_column(name)
    for kind in sorted({trial.kind for trial in trials}):
        some = [trial for trial in trials if trial.kind == kind]
        kept = [trial for trial in some if trial.kept]
        whole = sum(trial.match is not None and trial.match.whole for trial in kept)
        gaps = [trial.gap for trial in kept if trial.gap is not None]
        waits = [trial.wait for trial in kept if trial.wait is not None]
        stops = [trial.reaction for trial in some if trial.reaction is not None]
        cells = (str(len(some)), f"{len(kept) / len(some):.0%}", str(len(gaps)))
        table.add_row(kind, *cells, f"{whole} of {len(kept)}", _ms(gaps), _ms(waits), _ms(stops))
    idle = [trial for trial in trials if trial.kind != "interruption"]
    meant = [trial for trial in trials if trial.kind == "interruption"]
    kept = [trial for trial in idle if trial.kept]
    stopped = [trial for trial in meant if trial.reaction is not None]
    reactions = [trial.reaction for trial in stopped if trial.reaction is not None]
    keeps = len(kept) / len(idle) if idle else 0.0
    stops_share = len(stopped) / len(meant) if meant else 0.0
    lossless = sum(trial.match is not None and trial.match.whole for trial in kept)
    figures: dict[str, object] = {
        "sounds": len(idle),
        "floor_kept": keeps,
        # Of those whose words the transcriber gets right when it hears nothing else.
        "floor_kept_where_understood": (
            sum(trial.kept for trial in idle if trial.clear) / sum(trial.clear for trial in idle)
            if any(trial.clear for trial in idle)
            else 0.0
        ),
        "misheard_alone": sum(not trial.clear for trial in idle),
        "resumed_whole": lossless / len(kept) if kept else 0.0,
        "interruptions": len(meant),
        "stopped": stops_share,
        **measure.reactions(reactions),
        "wait_p50_ms": round(
            measure.percentile([t.wait for t in kept if t.wait is not None], 50) * 1000, 1
        ),
        "goals": {"floor_kept": KEEPS, "stopped": STOPS, "resumed_whole": 1.0},
        "met": keeps >= KEEPS and stops_share >= STOPS and lossless == len(kept),
    }
    return table, figures
