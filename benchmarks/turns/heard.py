"""Heard text: what the call says was heard, against what its recording contains.

Replies are cut at random moments; the agent's side of the recording, up to the cut, is
transcribed by the server's file transcription behind three silences of different length, since a
recogniser is moody about words that are cut; the beginning of the reply that sounds most like what
it heard is counted in words, and the median of the three is held against what the call says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from benchmarks.turns import measure
from benchmarks.turns.calls import Hall, Held, side_by_side
from vivavoce.pipelines.turns.playout import AUDIBLE

GOAL = 0.98
SILENCE = 0.8
"""Seconds without a sound that no reply has within it: it is over."""

REPLIES = tuple(
    " ".join(text.split())
    for text in """
    Tonight we serve onion soup with roasted garlic bread, followed by grilled salmon from the
    northern coast under a light lemon sauce that you will certainly like very much.

    Your train leaves from platform nine this evening and arrives in the morning. Please keep
    your ticket with you, because the conductor will want to see it twice.

    I have found three rooms for you. The first one looks over the garden, the second one has a
    large balcony, and the third one is the cheapest of them all.

    The library opens early on weekdays and stays open until the evening, but on Sundays it is
    closed, so you should return your books on Saturday.

    Of course, I can help you with that. First I need to know the name on the account, and then
    I will send a short message to your telephone to make sure that it is really you.

    The weather will be cloudy in the morning with a little rain near the coast. In the
    afternoon the sun comes out, and it will be warm enough to sit outside.

    Your order was shipped yesterday from our warehouse in Lyon. It should reach your house by
    Thursday, unless the driver finds nobody at home.

    To reset the machine, hold the round button down until the light turns green. Then wait for
    a minute before you open the door and take out the filter.

    We have a table by the window and another one upstairs. The one upstairs is quieter, which
    many of our guests prefer when they come with small children.

    Thank you for calling. Our office is busy at the moment, but somebody will be with you as
    soon as possible. You can also leave a message after the tone.

    The doctor can see you on Monday morning or on Wednesday afternoon. Please bring the letter
    from the hospital, and do not eat anything before you come.

    That depends on how you travel. By car it takes about two hours, by train it takes a little
    longer, and the bus only goes there in the summer.
    """.split("\n\n")
)

INTERRUPTIONS = (
    "Sorry, is there anything else?",
    "Wait a moment please.",
    "No, that is not what I asked.",
    "Can you say that again?",
    "Stop, I have another question.",
    "Actually, I changed my mind.",
)


@dataclass(frozen=True)
class Cut:
    """One reply that was cut.

    Attributes:
        reply: What was to be said.
        into: When the caller began to speak (s into it).
        stopped: Whether the reply was cut at all.
        heard: What the call says was heard.
        transcribed: What the recording says.
        said: Words of the reply that `heard` holds.
        found: Words of it that the recording holds.
        reaction: From the caller's first audible sample to the last one of the reply (s); None if
            it was over before.
    """

    reply: str
    into: float
    stopped: bool
    heard: str
    transcribed: str
    said: int
    found: int
    reaction: float | None = None

    @property
    def right(self) -> bool:
        """Whether both agree within a word."""
        return abs(self.said - self.found) <= 1


async def judge(hall: Hall, held: Held, reply: str, into: float) -> Cut:
    """Transcribe what a call's recording has of its first reply, and compare."""
    first = held.call.transcript.replies[0]
    heard = first.heard
    said = len(measure.spoken(heard))
    stopped = first.interrupted and held.sound_at is not None
    if first.started is None or first.ended is None:
        return Cut(reply, into, stopped, heard, "", said, 0)
    # By the sound itself: the call has a clock, the recording counts blocks, and is behind where
    # the machine is busy elsewhere. Silence follows, since the next reply takes its time.
    audible = np.flatnonzero(np.abs(held.agent.astype(np.int32)) >= AUDIBLE)
    if not len(audible):
        return Cut(reply, into, stopped, heard, "", said, 0)
    breaks = np.flatnonzero(np.diff(audible) > SILENCE * held.rate)
    last = audible[breaks[0]] if len(breaks) else audible[-1]
    begin = max(0, int(audible[0]) - round(0.2 * held.rate))
    end = int(last) + round(0.08 * held.rate)
    heards = await hall.hear(held.agent[begin:end], held.rate)
    found, transcribed = sorted((measure.prefix(reply, text), text) for text in heards)[1]
    reaction = None
    if stopped and held.sound_at is not None:
        reaction = measure.reaction(held.agent, round(held.sound_at * held.rate), held.rate)
    return Cut(reply, into, stopped, heard, transcribed, said, found, reaction)


async def run(
    hall: Hall, count: int, seed: int, say: Callable[[str], None], calls: int = 4
) -> list[Cut]:
    """Cut `count` replies at random moments.

    Args:
        hall: Where.
        count: How many.
        seed: Of the moments.
        say: Takes a line per cut.
        calls: How many calls are held side by side.
    """

    async def cut_one(number: int) -> Cut:
        # Its own dice: which call comes first makes no difference.
        dice = random.Random(f"{seed} {number}")
        reply = REPLIES[number % len(REPLIES)]
        words = await hall.speak(dice.choice(INTERRUPTIONS))
        # Anywhere from its first word to shortly before its end: about 0.33 s a word.
        into = dice.uniform(0.2, 0.33 * len(reply.split()) - 1.0)
        held = await hall.hold(reply, words, into, stay=1.2)
        cut = await judge(hall, held, reply, into)
        mark = ("ok" if cut.right else "MISS") + ("" if cut.stopped else " (not cut)")
        say(f"{number + 1}/{count} {mark}: {cut.said} said, {cut.found} found, at {into:.2f} s")
        return cut

    return await side_by_side(count, calls, cut_one)


def show(cuts: list[Cut]) -> tuple[Table, dict[str, object]]:
    """Return the misses as a table, and the figures."""
    # Those that were over before they could be cut are to be heard whole.
    counted = cuts
    right = sum(cut.right for cut in counted)
    exact = sum(cut.said == cut.found for cut in counted)
    share = right / len(counted) if counted else 0.0
    table = Table(
        title=f"heard text within one word: {right} of {len(counted)} ({share:.1%});"
        f" exact {exact}; over before they were cut {sum(not cut.stopped for cut in cuts)}"
    )
    for name in ("at", "said", "found", "the call says", "the recording says"):
        table.add_column(name)
    for cut in counted:
        if not cut.right:
            table.add_row(
                f"{cut.into:.2f} s", str(cut.said), str(cut.found), cut.heard, cut.transcribed
            )
    figures: dict[str, object] = {
        "calls": len(cuts),
        "cut": sum(cut.stopped for cut in cuts),
        "within_one_word": share,
        "exact": exact / len(counted) if counted else 0.0,
        **measure.reactions([cut.reaction for cut in cuts if cut.reaction is not None]),
        "goal": GOAL,
        "met": share >= GOAL,
    }
    return table, figures
