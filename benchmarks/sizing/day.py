"""A day of calls on machines that come, go, drain and die, in steps of one second.

Each call is drawn by itself: when it comes (Poisson, by the hour's rate), and how long it lasts
(lognormal, or exponential where theory wants that). It goes to the machine with the most room, as
`vivavoce.web.cluster.placement` places it. What is counted together is only the second in which
something happens, so a hundred thousand calls at a time fit into a minute of computing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

DAY = 86_400
LONGEST = 4 * 3600
"""Seconds after which any call is over."""
CURVE = (
    0.06, 0.04, 0.03, 0.03, 0.04, 0.07, 0.15, 0.35, 0.68, 0.93, 1.0, 0.97,
    0.84, 0.82, 0.92, 0.95, 0.92, 0.83, 0.66, 0.50, 0.37, 0.26, 0.17, 0.10,
)  # fmt: skip
"""Share of the busiest hour's calls that come in each hour of a working day (assumed)."""
ASLEEP, BOOTING, UP, DRAINING = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated. Times are in seconds.

    Attributes:
        peak: Calls that would go on at a time in the busiest hour if none were refused.
        per_node: Calls that a machine takes.
        mean: How long a call lasts on average.
        spread: Sigma of the lognormal length; 0: lengths are exponential.
        fixed: Machines that are always up, without scaling; 0: as many as are needed.
        use: Share of the machines' room that the scaler aims at.
        spare: Machines that it keeps beside: those that may die.
        every: How often it looks.
        boot: Until a machine that was asked for takes calls.
        rest: How long there has to be too much room before a machine is let go.
        lives: Hours that a machine lives on average; 0: for ever.
        deploy: The second of the day at which new code comes; None: never.
        drain: Until calls of a machine that drains are moved or cut.
        wave: Share of the machines that drain at a time.
        resumes: Share of the calls of a dead or drained machine that go on elsewhere.
        waits: Whether who finds no room waits, instead of being refused.
        flat: Whether all hours are the busiest one.
        seconds: How long.
        burst: When, for how long and by how much more calls come; None: they do not.
    """

    peak: float
    per_node: int
    mean: float = 180.0
    spread: float = 1.0
    fixed: int = 0
    use: float = 0.75
    spare: int = 1
    every: int = 15
    boot: int = 120
    rest: int = 900
    lives: float = 0.0
    deploy: int | None = None
    drain: int = 600
    wave: float = 0.1
    resumes: float = 1.0
    waits: bool = False
    flat: bool = False
    seconds: int = DAY
    burst: tuple[int, int, float] | None = None

    def __post_init__(self) -> None:
        if self.peak <= 0 or self.per_node < 1 or self.mean < 1 or not 0 < self.use <= 1:
            raise ValueError(f"{self}: no such plan")


@dataclass(slots=True)
class Told:
    """What came of it.

    Attributes:
        came: Calls.
        refused: Those that found no room.
        waited: Those that had to wait.
        moved: Calls that went on elsewhere when their machine died or was renewed.
        cut: Calls that did not.
        deaths: Machines that died.
        most: Calls at a time, at most.
        nodes: Machines up at a time, at most.
        node_hours: Machines' hours, those of booting and draining included.
        minutes: Minutes of calls.
        worst: The largest share refused in any minute with twenty calls and more.
        calls: Calls at a time, by the minute.
        up: Machines up, by the minute.
    """

    came: int = 0
    refused: int = 0
    waited: int = 0
    moved: int = 0
    cut: int = 0
    deaths: int = 0
    most: int = 0
    nodes: int = 0
    node_hours: float = 0.0
    minutes: float = 0.0
    worst: float = 0.0
    calls: list[int] = field(default_factory=list)
    up: list[int] = field(default_factory=list)

    @property
    def refusal(self) -> float:
        """The share of calls that were refused."""
        return self.refused / self.came if self.came else 0.0


def rate(plan: Plan, second: int) -> float:
    """Return how many calls come in a second, on average."""
    level = 1.0
    if not plan.flat:
        at = second / 3600 - 0.5  # an hour's figure is of its middle
        hour = math.floor(at)
        before, after = CURVE[hour % 24], CURVE[(hour + 1) % 24]
        level = before + (after - before) * (at - hour)
    if plan.burst is not None:
        start, lasts, times = plan.burst
        if start <= second < start + lasts:
            level *= times
    return plan.peak / plan.mean * level


def spread_out(room: np.ndarray, count: int) -> np.ndarray:
    """Return how many of some calls each machine gets: each goes where the most room is.

    Args:
        room: What each has left; none is negative.
        count: How many calls; what finds no room goes nowhere.
    """
    given = np.zeros_like(room)
    count = min(count, int(room.sum()))
    if count <= 0:
        return given
    # All are filled down to a level that is the same for all: like water, upside down.
    order = np.argsort(-room, kind="stable")
    falling = room[order]
    above = np.cumsum(falling)
    size = np.arange(1, len(room) + 1)
    last = int(np.flatnonzero(above - size * np.append(falling[1:], 0) >= count)[0])
    among = last + 1
    level = -(-(int(above[last]) - count) // among)  # rounded up: some are left over
    chosen = order[:among]
    given[chosen] = np.maximum(room[chosen] - level, 0)
    left = count - int(given.sum())
    given[chosen[:left]] += 1
    return given


class Day:
    """The simulation.

    Args:
        plan: What is simulated.
        seed: Of its chance.
    """

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self._plan, self._chance = plan, np.random.default_rng(seed)
        most = plan.peak * (plan.burst[2] if plan.burst else 1.0)
        size = plan.fixed or math.ceil(most / plan.per_node / plan.use * 1.6) + plan.spare + 2
        self._ends = np.zeros((LONGEST + 1, size), np.int32)
        self._busy = np.zeros(size, np.int64)
        self._state = np.full(size, ASLEEP)
        self._due = np.zeros(size, np.int64)  # when it is up, or has to be empty
        self._stale = np.zeros(size, bool)  # runs code of yesterday
        self._queue: list[int] = []  # seconds that those who wait came at
        self._idle_since = 0
        self.told = Told()
        self._state[: plan.fixed or min(size, self._wanted(rate(plan, 0) * plan.mean))] = UP

    def run(self) -> Told:
        """Go through it; return what came of it."""
        plan, told = self._plan, self.told
        came = refused = 0
        for second in range(plan.seconds):
            before = told.came, told.refused
            # Within a second half of those who come are before those who go, and half after.
            count = int(self._chance.poisson(rate(plan, second)))
            early = int(self._chance.binomial(count, 0.5))
            self._arrive(second, early)
            self._finish(second)
            self._machines(second)
            self._arrive(second, count - early)
            came += told.came - before[0]
            refused += told.refused - before[1]
            going = int(self._busy.sum())
            told.most = max(told.most, going)
            alive = int((self._state != ASLEEP).sum())
            told.node_hours += alive / 3600
            told.minutes += going / 60
            if second % 60 == 59:
                up = int((self._state == UP).sum())
                told.nodes = max(told.nodes, alive)
                told.calls.append(going)
                told.up.append(up)
                if came >= 20:
                    told.worst = max(told.worst, refused / came)
                    came = refused = 0
        return told

    def _finish(self, second: int) -> None:
        row = self._ends[second % (LONGEST + 1)]
        self._busy -= row
        row[:] = 0

    def _room(self) -> np.ndarray:
        return np.where(self._state == UP, self._plan.per_node - self._busy, 0)

    def _lengths(self, count: int) -> np.ndarray:
        plan = self._plan
        if plan.spread:
            middle = math.log(plan.mean) - plan.spread**2 / 2
            drawn = self._chance.lognormal(middle, plan.spread, count)
        else:
            drawn = self._chance.exponential(plan.mean, count)
        # The clock goes in seconds: what is between two is dealt to both, so the mean stays.
        whole = np.floor(drawn + self._chance.random(count)).astype(np.int64)
        return np.clip(whole, 0, LONGEST)

    def _begin(self, second: int, places: np.ndarray, lengths: np.ndarray) -> None:
        where = np.repeat(np.arange(len(places)), places)
        self._chance.shuffle(where)
        lasting = lengths > 0
        where, lengths = where[lasting], lengths[lasting]
        np.add.at(self._ends, ((second + lengths) % (LONGEST + 1), where), 1)
        self._busy += np.bincount(where, minlength=len(self._busy))

    def _arrive(self, second: int, count: int) -> None:
        plan, told = self._plan, self.told
        if not count and not self._queue:
            return
        told.came += count
        if plan.waits:
            waiting = len(self._queue)
            self._queue += [second] * count
            places = spread_out(self._room(), len(self._queue))
            taken = int(places.sum())
            told.waited += max(0, waiting + count - max(taken, waiting))
            del self._queue[:taken]
        else:
            places = spread_out(self._room(), count)
            taken = int(places.sum())
            told.refused += count - taken
        if taken:
            self._begin(second, places, self._lengths(taken))

    # -- machines

    def _wanted(self, calls: float) -> int:
        plan = self._plan
        return max(1 + plan.spare, math.ceil(calls / plan.per_node / plan.use) + plan.spare)

    def _machines(self, second: int) -> None:
        plan = self._plan
        if plan.fixed and not plan.lives and plan.deploy is None:
            return
        up = self._state == UP
        if plan.lives:
            alive = up | (self._state == DRAINING)
            dead = alive & (self._chance.random(len(up)) < 1 / (plan.lives * 3600))
            for node in np.flatnonzero(dead):
                self.told.deaths += 1
                self._leave(second, int(node))
                # Another one is asked for at once.
                self._state[node], self._due[node] = BOOTING, second + plan.boot
        ready = (self._state == BOOTING) & (self._due <= second)
        self._state[ready] = UP
        self._stale[ready] = False
        if plan.deploy == second:
            self._stale[:] = self._state == UP
        for node in np.flatnonzero(self._state == DRAINING):
            if not self._busy[node] or self._due[node] <= second:
                self._leave(second, int(node))
                again = self._stale[node]
                self._state[node] = BOOTING if again else ASLEEP
                self._due[node] = second + 20  # a process that starts, not a machine
        if second % plan.every == 0:
            self._renew(second)
            if not plan.fixed:
                self._scale(second)

    def _leave(self, second: int, node: int) -> None:
        """Its calls go on elsewhere, as long as they would have, or are cut."""
        left = int(self._busy[node])
        if not left:
            return
        rows = np.flatnonzero(self._ends[:, node])
        each = self._ends[rows, node]
        self._ends[:, node] = 0
        self._busy[node] = 0
        self._state[node] = ASLEEP
        remaining = np.repeat((rows - second) % (LONGEST + 1), each)
        stays = remaining[self._chance.random(len(remaining)) < self._plan.resumes]
        places = spread_out(self._room(), len(stays))
        moved = int(places.sum())
        self._begin(second, places, stays[:moved])
        self.told.moved += moved
        self.told.cut += left - moved

    def _renew(self, second: int) -> None:
        """A deploy: a wave of machines drains, while the others have room for what comes."""
        stale = np.flatnonzero((self._state == UP) & self._stale)
        if not len(stale):
            return
        plan = self._plan
        up = int((self._state == UP).sum())
        draining = int((self._state == DRAINING).sum()) + int((self._state == BOOTING).sum())
        size = max(1, math.floor((up + draining) * plan.wave)) - draining
        free = int(self._room().sum())
        for node in stale[np.argsort(self._busy[stale])][: max(0, size)]:
            free -= int(self._room()[node])
            if up <= 1 or free < 2 * rate(plan, second) * plan.every:
                break
            self._state[node], self._due[node] = DRAINING, second + plan.drain
            up -= 1

    def _scale(self, second: int) -> None:
        plan = self._plan
        wanted = self._wanted(float(self._busy.sum()))
        there = int(((self._state == UP) | (self._state == BOOTING)).sum())
        if wanted >= there:
            self._idle_since = second
            asleep = np.flatnonzero(self._state == ASLEEP)[: wanted - there]
            self._state[asleep] = BOOTING
            self._due[asleep] = second + plan.boot
            return
        if second - self._idle_since >= plan.rest:
            up = np.flatnonzero(self._state == UP)
            for node in up[np.argsort(self._busy[up], kind="stable")][: there - wanted]:
                self._state[node], self._due[node] = DRAINING, second + plan.drain
                self._stale[node] = False
            self._idle_since = second
