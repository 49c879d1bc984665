"""The staff: the agents that answer at a desk, and which of them a caller is given."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vivavoce.agent import Agent
from vivavoce.agent.agent import known
from vivavoce.agent.languages import base
from vivavoce.pipelines.hosting import Host
from vivavoce.web.interpreting import faces
from vivavoce.web.live import DeskError, Wish


class Staff(Mapping[str, Agent[Any]]):
    """The agents by their names, the one who answers unasked first.

    Args:
        hosts: Agents and interpreters.
        choose_voice: Whether a caller may choose the voice.

    Raises:
        ValueError: There is nobody, or two have one name.
    """

    def __init__(self, hosts: Sequence[Host], *, choose_voice: bool = False) -> None:
        self._agents, self._choose_voice = faces(hosts), choose_voice

    def __getitem__(self, name: str) -> Agent[Any]:
        return self._agents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)

    def use(self, hosts: Sequence[Host]) -> None:
        """Have others answer from now on.

        Raises:
            ValueError: As when it is made.
        """
        self._agents = faces(hosts)

    def pick(self, wish: Wish) -> Agent[Any]:
        """Return who answers.

        Raises:
            DeskError: There is nobody of that name, they do not speak that language, or the voice
                is not the caller's to choose.
        """
        agent = self.get(wish.agent) if wish.agent else next(iter(self.values()))
        if agent is None:
            there = ", ".join(self)
            raise DeskError(404, "no_agent", f"there is no agent {wish.agent!r}; known: {there}")
        if wish.language and base(wish.language) not in {base(each) for each in agent.languages}:
            there = ", ".join(agent.languages)
            text = f"{agent.name} does not speak {wish.language!r}; known: {there}"
            raise DeskError(400, "bad_language", text)
        if wish.voice and not self._choose_voice:
            raise DeskError(403, "bad_voice", "this server does not let callers choose the voice")
        return agent

    def find(self, name: str) -> Agent[Any] | None:
        """Return an agent who took a call over once, who may stand in no list but in a tool."""
        return self.get(name) or known(name)


def in_voice(agent: Agent[Any], voice: str) -> Agent[Any]:
    """Return an agent as it speaks in a voice; as it is where none is asked for."""
    if voice:
        agent = copy.copy(agent)
        agent.voice = voice
    return agent
