"""Silence: what to do when nobody says anything.

Two kinds. The line is quiet: the caller may be gone, and is asked, and after a while let go. Or
the agent's tool is slow: the caller is told that it is being worked on. Both end with the first
sound of anybody. Pure; times are seconds on the call's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.agent.options import Silence


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask whether the caller is still there.

    Attributes:
        number: The how-manieth time in a row, from 1.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Reassure:
    """Tell the caller that it is being worked on.

    Attributes:
        number: The how-manieth time in a row, from 1.
    """

    number: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody answered: say goodbye and end the call."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Who does something just now.

    Attributes:
        caller: The caller speaks, or has a turn in progress.
        agent: The agent speaks.
        thinking: A reply is being made.
        tools: A tool runs that the reply waits for.
    """

    caller: bool = False
    agent: bool = False
    thinking: bool = False
    tools: bool = False


class Watch:
    """Watches one call's silences."""

    def __init__(self, silence: Silence) -> None:
        self._silence = silence
        self._quiet: float | None = None
        self._asked = 0
        self._working: float | None = None
        self._reassured = 0
        self._gave_up = False

    def tick(self, now: float, scene: Scene) -> Ask | Reassure | GiveUp | None:
        """Time has passed.

        Args:
            now: The time (s).
            scene: Who does something.

        Returns:
            What is due now, if anything; it is told once.
        """
        if scene.caller:
            self._asked = 0
        if scene.tools and not scene.caller:
            return self._work(now, scene)
        self._working = None
        self._reassured = 0
        return self._wait(now, scene)

    def _work(self, now: float, scene: Scene) -> Reassure | None:
        self._quiet = None
        silence = self._silence
        if silence.working == "nothing":
            return None
        if scene.agent or self._working is None:
            self._working = now
            return None
        due = silence.work_again if self._reassured else silence.work_after
        if now - self._working < due:
            return None
        self._reassured += 1
        self._working = now
        return Reassure(self._reassured)

    def _wait(self, now: float, scene: Scene) -> Ask | GiveUp | None:
        silence = self._silence
        if scene.caller or scene.agent or scene.thinking or self._quiet is None:
            self._quiet = now
            return None
        if silence.ask_after is None or self._gave_up or now - self._quiet < silence.ask_after:
            return None
        self._quiet = now
        if self._asked < silence.asks:
            self._asked += 1
            return Ask(self._asked)
        self._gave_up = silence.hang_up
        return GiveUp() if silence.hang_up else None
