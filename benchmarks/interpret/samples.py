"""Whether the right stretch of a speaker is copied, and nothing else.

python -m benchmarks.interpret.samples [--seed 1] [--only overlap,turns] [--times 1.0] [--misses]
python -m benchmarks.interpret.samples --who     # who of two or three speaks, at one microphone

Makes some 600 recordings (460 with `--times 0.75`) of people from whom nothing was learnt
(`people.strangers`): clean ones, spoilt ones, and ones that are spoilt in part. Each is fed in
blocks of 32 ms to a `SampleFinder`, with what the voice detector says; what it picks or refuses is
compared with what is true. Writes results/interpret-samples.json.
"""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.interpret import people as made
from benchmarks.interpret.people import RATE, Person, Sound, Synthesiser, talk
from vivavoce.pipelines.audio.vad import SileroVad
from vivavoce.pipelines.interpret.speaker_sample import Picked, Refused, SampleFinder

RESULTS = Path(__file__).parent.parent / "results" / "interpret-samples.json"
PURE = 0.95
"""Share of what is picked that must lie where it may."""


@dataclass(slots=True)
class Case:
    """One recording.

    Attributes:
        kind: What is done to it.
        sound: It (float, full scale 1).
        causes: Why it must be refused; empty where a stretch must be picked.
        fit: Where a stretch may lie, each one person's (s); empty: anywhere.
    """

    kind: str
    sound: Sound
    causes: tuple[str, ...] = ()
    fit: list[list[tuple[float, float]]] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What became of one.

    Attributes:
        case: Which.
        verdict: What was found.
        right: Whether that is right: picked where it should be, or refused for the true reason.
        seconds: Of the recording.
        cpu: What the finder took (s).
        longest: What it took at once, at most (s).
        after: When the first stretch was picked (s); None if none was.
    """

    case: Case
    verdict: Picked | Refused
    right: bool
    seconds: float
    cpu: float
    longest: float
    after: float | None


def find(
    sound: Sound, random: np.random.Generator
) -> tuple[Picked | Refused, float, float, float | None]:
    """Feed a recording as a call does; returns the verdict, CPU time, the longest step, when."""
    pcm = made.pcm(sound, random)
    vad, finder = SileroVad(RATE), SampleFinder()
    cpu = longest = 0.0
    after: float | None = None
    for start in range(0, len(pcm) - vad.window + 1, vad.window):
        block = pcm[start : start + vad.window]
        (window,) = vad.feed(block)
        begin = time.thread_time()
        verdict = finder.feed(block, window.probability)
        took = time.thread_time() - begin
        cpu, longest = cpu + took, max(longest, took)
        if after is None and isinstance(verdict, Picked):
            after = window.end / RATE
    return finder.finish(), cpu, longest, after


def judge(case: Case, verdict: Picked | Refused) -> bool:
    if isinstance(verdict, Refused):
        return verdict.cause in case.causes
    if case.causes:
        return False
    if not case.fit:
        return True
    whole = sum(end - start for start, end in verdict.pieces)
    return any(
        sum(
            max(0.0, min(end, last) - max(start, first))
            for start, end in verdict.pieces
            for first, last in person
        )
        >= PURE * whole
        for person in case.fit
    )


class Maker:
    """Makes the recordings."""

    def __init__(self, synthesiser: Synthesiser, random: np.random.Generator, flite: bool) -> None:
        self.random = random
        self._synthesiser = synthesiser
        self._people = made.strangers(flite=flite)

    def someone(self, *others: Person) -> Person:
        """Somebody; of those who are not to be taken for others."""
        while True:
            found = self._people[self.random.integers(0, len(self._people))]
            if all(found.name != other.name for other in others):
                return found

    def alone(self, seconds: float | None = None, who: Person | None = None) -> Sound:
        length = self.random.uniform(9, 14) if seconds is None else seconds
        return talk(self._synthesiser, who or self.someone(), length, self.random)

    def behind(
        self, noise: Callable[[int, np.random.Generator], Sound], low: float, high: float
    ) -> Sound:
        sound = self.alone()
        return made.add(sound, noise(len(sound), self.random), self.random.uniform(low, high))

    def babble(self, count: int, _random: np.random.Generator) -> Sound:
        """Five people at a distance."""
        return sum(np.resize(self.alone(count / RATE), count) for _ in range(5))

    def spoilt_first(self, spoil: Callable[[Sound], Sound], kind: str) -> Case:
        """One part that is no good, another that is; in either order."""
        who = self.someone()
        good = self.alone(self.random.uniform(7, 9), who)
        bad = spoil(self.alone(self.random.uniform(5, 7), who))
        gap = np.zeros(RATE)
        if self.random.random() < 0.6:
            sound, start = np.concatenate([bad, gap, good]), len(bad) + RATE
        else:
            sound, start = np.concatenate([good, gap, bad]), 0
        fit = (start / RATE - 0.4, (start + len(good)) / RATE + 0.4)
        return Case(kind, sound, fit=[[fit]])

    def in_turns(self, low: float, high: float, seconds: float) -> tuple[Sound, list]:
        """Two people in turns: (sound, where each of them speaks)."""
        one = self.someone()
        two = self.someone(one)
        parts: list[Sound] = []
        fit: list[list[tuple[float, float]]] = [[], []]
        at = 0.0
        while at < seconds:
            which = len(parts) // 2 % 2
            part = made_trim(self.alone(self.random.uniform(low, high), (one, two)[which]))
            gap = np.zeros(int(self.random.uniform(0.1, 0.5) * RATE))
            parts += [part, gap]
            fit[which].append((at - 0.2, at + len(part) / RATE + 0.2))
            at += (len(part) + len(gap)) / RATE
        return np.concatenate(parts), fit

    def at_once(self, spread: float = 4.0, seconds: float | None = None) -> Sound:
        one = self.someone()
        first = self.alone(seconds, one)
        second = self.alone(len(first) / RATE, self.someone(one))
        size = min(len(first), len(second))
        level = 10 ** (self.random.uniform(-spread, spread) / 20)
        return first[:size] + level * second[:size]

    def all(self) -> dict[str, tuple[int, Callable[[], Case]]]:
        """Every kind: how many there are, and what makes one."""
        draw, random = self.random.uniform, self.random
        noise = ("noise",)

        def clip(sound: Sound) -> Sound:
            return made.clip(sound, draw(0.01, 0.05)) * draw(0.5, 0.99)

        def echo(sound: Sound) -> Sound:
            return made.reverb(sound, random, draw(0.9, 1.8), draw(-8, -4))

        def noisy(sound: Sound) -> Sound:
            kind = (made.white, made.pink, self.babble)[random.integers(0, 3)]
            return made.add(sound, kind(len(sound), random), draw(0, 9))

        def other(sound: Sound) -> Sound:
            return sound + np.resize(self.alone(len(sound) / RATE), len(sound))

        def long_turns() -> Case:
            sound, fit = self.in_turns(6, 9, 20)
            return Case("two, long turns", sound, fit=fit)

        return {
            "clean": (60, lambda: Case("clean", self.alone())),
            "a little noise, 24-32 dB": (
                30,
                lambda: Case(
                    "a little noise, 24-32 dB",
                    self.behind((made.white, made.pink)[random.integers(0, 2)], 24, 32),
                ),
            ),
            "small room": (
                20,
                lambda: Case("small room", made.reverb(self.alone(), random, draw(0.2, 0.35), 7)),
            ),
            "telephone": (
                25,
                lambda: Case("telephone", made.band(self.alone(), 300, 3_400)),
            ),
            "two, long turns": (40, long_turns),
            "noise, then clean": (25, lambda: self.spoilt_first(noisy, "noise, then clean")),
            "overdriven, then clean": (
                20,
                lambda: self.spoilt_first(clip, "overdriven, then clean"),
            ),
            "echo, then clean": (20, lambda: self.spoilt_first(echo, "echo, then clean")),
            "two at once, then one": (
                25,
                lambda: self.spoilt_first(other, "two at once, then one"),
            ),
            "white noise, 0-10 dB": (
                25,
                lambda: Case("white noise, 0-10 dB", self.behind(made.white, 0, 10), noise),
            ),
            "pink noise, 0-10 dB": (
                25,
                lambda: Case("pink noise, 0-10 dB", self.behind(made.pink, 0, 10), noise),
            ),
            "hum, 0-10 dB": (20, lambda: Case("hum, 0-10 dB", self.behind(made.hum, 0, 10), noise)),
            "babble, 0-10 dB": (
                25,
                lambda: Case(
                    "babble, 0-10 dB", self.behind(self.babble, 0, 10), ("noise", "overlap")
                ),
            ),
            "music behind, 0-10 dB": (
                25,
                lambda: Case(
                    "music behind, 0-10 dB",
                    self.behind(made.chords, 0, 10),
                    ("noise", "overlap", "music"),
                ),
            ),
            "music alone": (
                15,
                lambda: Case(
                    "music alone",
                    made.chords(RATE * 10, random) * 0.05,
                    ("noise", "music", "short"),
                ),
            ),
            "overdriven": (
                25,
                lambda: Case("overdriven", clip(self.alone()), ("clipped",)),
            ),
            "too quiet": (
                20,
                lambda: Case(
                    "too quiet",
                    self.alone() * 10 ** (-draw(28, 40) / 20),
                    ("quiet", "short", "noise"),
                ),
            ),
            "echo": (25, lambda: Case("echo", echo(self.alone()), ("echo",))),
            "muffled": (
                20,
                lambda: Case(
                    "muffled", made.band(self.alone(), 80, draw(1_300, 2_000)), ("muffled",)
                ),
            ),
            "too short": (
                20,
                lambda: Case(
                    "too short",
                    np.concatenate([self.alone(draw(1.0, 2.2)), np.zeros(3 * RATE)]),
                    ("short",),
                ),
            ),
            "two in turns of 1.2-2 s": (
                50,
                lambda: Case(
                    "two in turns of 1.2-2 s",
                    self.in_turns(1.2, 2.0, 12)[0],
                    ("turns", "overlap"),
                ),
            ),
            "two at once": (
                50,
                lambda: Case("two at once", self.at_once(), ("overlap", "turns")),
            ),
        }


def made_trim(sound: Sound) -> Sound:
    loud = np.flatnonzero(np.abs(sound) > 0.003)
    return sound[loud[0] : loud[-1] + 1]


def cases(
    seed: int, only: tuple[str, ...] = (), times: float = 1.0, *, flite: bool = True
) -> Iterator[Case]:
    """Make the recordings, one after the other.

    Args:
        seed: Which ones.
        only: Parts of the names of the kinds that are wanted; empty: all.
        times: How many more of each than there are.
        flite: Whether flite speaks, too.
    """
    with Synthesiser() as synthesiser:
        for number, kind in enumerate(
            kinds := Maker(synthesiser, np.random.default_rng(), flite).all()
        ):
            if only and not any(part in kind for part in only):
                continue
            count = max(1, round(kinds[kind][0] * times))
            for turn in range(count):
                # Each has a seed of its own: it is the same whichever others are made.
                maker = Maker(synthesiser, np.random.default_rng((seed, number, turn)), flite)
                case = maker.all()[kind][1]()
                if "overdriven" not in kind:  # nothing else is cut off
                    case.sound = case.sound * min(1, 0.8 / np.abs(case.sound).max())
                yield case


def outcomes(made_cases: Iterator[Case]) -> Iterator[Outcome]:
    """Find each one's stretch."""
    for number, case in enumerate(made_cases):
        verdict, cpu, longest, after = find(case.sound, np.random.default_rng(number))
        yield Outcome(
            case,
            verdict,
            judge(case, verdict),
            len(case.sound) / RATE,
            cpu,
            longest,
            after,
        )


def who(seed: int, dialogues: int = 30) -> dict[str, float]:
    """Tell two or three people at one microphone apart; sentences, each after another's."""
    from vivavoce.pipelines.interpret.tracker import Tracker

    right = wrong = people_right = 0
    seconds = cpu = 0.0
    with Synthesiser() as synthesiser:
        for number in range(dialogues):
            random = np.random.default_rng((seed, number))
            maker = Maker(synthesiser, random, True)
            people: list[Person] = []
            for _ in range(2 + number % 2):
                people.append(maker.someone(*people))
            texts = [made.sentences(person.language, random) for person in people]
            order = [turn % len(people) for turn in range(15)]
            parts, spoken, at = [], [], 0
            for person in order:
                said = synthesiser.say(people[person], next(texts[person])) / 32_768
                said = said / np.sqrt(made.power(said)) * 0.1
                gap = np.zeros(int(random.uniform(0.4, 1.0) * RATE))
                spoken.append((person, at, at + len(said)))
                parts += [said, gap]
                at += len(said) + len(gap)
            pcm = made.pcm(np.concatenate(parts), random)
            vad, tracker = SileroVad(RATE), Tracker()
            for start in range(0, len(pcm) - vad.window + 1, vad.window):
                (window,) = vad.feed(block := pcm[start : start + vad.window])
                begin = time.thread_time()
                tracker.feed(block, window.probability)
                cpu += time.thread_time() - begin
            seconds += len(pcm) / RATE
            people_right += len(tracker.people) == len(people)
            # A name is whose most of what it was given is.
            found = [(tracker.who((a + b) / 2 / RATE), person) for person, a, b in spoken]
            owners = {
                name: Counter(p for n, p in found if n == name).most_common(1)[0][0]
                for name, _ in found
            }
            firsts = {owner: name for name, owner in reversed(owners.items())}
            good = sum(firsts.get(person) == name for name, person in found)
            right, wrong = right + good, wrong + len(found) - good
    return {
        "dialogues": dialogues,
        "sentences": right + wrong,
        "named_right": round(right / (right + wrong), 4),
        "people_counted_right": round(people_right / dialogues, 4),
        "cpu_per_second_ms": round(cpu / seconds * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--times", type=float, default=1.0)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--who", action="store_true")
    given = parser.parse_args()
    if given.who:
        told = who(given.seed)
        print(json.dumps(told))
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {"who": told}, indent=1) + "\n")
        return
    only = tuple(part for part in given.only.split(",") if part)
    every = []
    for each in outcomes(cases(given.seed, only, given.times)):
        every.append(each)
        if given.misses and not each.right:
            print(each.case.kind, "->", each.verdict, each.case.fit, each.verdict.report)
        each.case.sound = np.zeros(0)
    table = {}
    for kind in dict.fromkeys(each.case.kind for each in every):
        some = [each for each in every if each.case.kind == kind]
        found = Counter(
            ("picked" if each.right else "picked wrongly")
            if isinstance(each.verdict, Picked)
            else each.verdict.cause
            for each in some
        )
        # Refused at all, for whatever reason: nobody's voice is copied from it.
        kept = sum(isinstance(each.verdict, Refused) for each in some)
        table[kind] = {
            "cases": len(some),
            "right": sum(each.right for each in some),
            "refused": kept,
            "wanted": "refused" if some[0].case.causes else "picked",
            "found": dict(found.most_common()),
        }
    print("| recordings | cases | wanted | right | found |\n|---|---|---|---|---|")
    for kind, row in table.items():
        told = ", ".join(f"{name} {count}" for name, count in row["found"].items())
        print(
            f"| {kind} | {row['cases']} | {row['wanted']} | {row['right'] / row['cases']:.0%} |"
            f" {told} |"
        )
    picks = [each for each in every if not each.case.causes]
    refusals = [each for each in every if each.case.causes]
    seconds = sum(each.seconds for each in every)
    first = [each.after for each in picks if each.after is not None and each.case.kind == "clean"]
    summary = {
        "cases": len(every),
        "seed": given.seed,
        "times": given.times,
        "seconds": round(seconds),
        "picked_right": round(np.mean([each.right for each in picks]).item(), 4) if picks else None,
        "refused": round(
            np.mean([isinstance(each.verdict, Refused) for each in refusals]).item(), 4
        )
        if refusals
        else None,
        "refused_with_the_reason": round(np.mean([each.right for each in refusals]).item(), 4)
        if refusals
        else None,
        "cpu_per_second_ms": round(sum(each.cpu for each in every) / seconds * 1000, 2),
        "longest_step_ms": round(max(each.longest for each in every) * 1000, 2),
        "first_pick_after_s": round(float(np.median(first)), 1) if first else None,
    }
    print(json.dumps(summary))
    if not only:
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {"summary": summary, "kinds": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
