"""The wording of an agent: its own texts, as each call has them.

Such a text has variables in it, or is made by a function of the call.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from vivavoce.agent import instructions as templates
from vivavoce.agent.call import Call
from vivavoce.agent.definition import AgentError
from vivavoce.agent.history import REMEMBERED
from vivavoce.agent.languages import SPOKEN, base


class Wording:
    """What the texts of one agent are made from.

    Args:
        name: The agent's.
        variables: What `{name}` stands for; a function among them is called each time.

    Raises:
        AgentError: One of them is a function that cannot be called so.
    """

    def __init__(self, name: str, variables: Mapping[str, Any] | None) -> None:
        self._name = name
        self._variables = dict(variables or {})
        try:
            self._of_call = frozenset(
                name
                for name, value in self._variables.items()
                if templates.is_function(value) and templates.takes_call(name, value)
            )
        except templates.InstructionsError as error:
            raise AgentError(f"Agent(variables): {error}") from None

    def check(self, option: str, given: Any, *, blank: bool = False) -> Any:
        """Return what was given for an option that is a text.

        Args:
            option: Its name.
            given: The text, or the function that makes it.
            blank: Whether it may be blank.

        Raises:
            AgentError: It is neither, is blank, or names a variable that does not exist.
        """
        if isinstance(given, str):
            try:
                templates.check(given, self._variables)
            except templates.InstructionsError as error:
                raise AgentError(f"Agent({option}): {error}") from None
            if not blank and not given.strip():
                raise AgentError(f"Agent({option}={given!r}): give a text, or leave it out")
        elif not callable(given):
            raise AgentError(
                f"Agent({option}): give a text, or a function that takes the call and returns"
                f" one, not {type(given).__name__}"
            )
        return given

    async def text(self, option: str, given: Any, call: Call[Any, Any]) -> str:
        """Return a text as a call has it.

        Args:
            option: Its name.
            given: What `check` let pass.
            call: The call.

        Raises:
            AgentError: The function that makes it returns no text.
            Exception: What it raises.
        """
        if isinstance(given, str):
            return templates.fill(given, self._values(call))
        text = given(call)
        if inspect.isawaitable(text):
            text = await text
        if not isinstance(text, str):
            raise AgentError(
                f"Agent({option}): the function must return a text, not {type(text).__name__}"
            )
        return text

    async def instructions(
        self, given: Any, call: Call[Any, Any], languages: tuple[str, ...]
    ) -> str:
        """Return what the model is told in a call: its instructions, and what it has to know.

        Args:
            given: The instructions, as `check` let them pass.
            call: The call.
            languages: What the agent speaks.

        Raises:
            AgentError: As `text`.
            Exception: What the function that makes them raises.
        """
        told = await self.text("instructions", given, call)
        if len(languages) > 1:
            told += f"\n\nSpeak {SPOKEN[base(call.language)]}, as the caller does."
        if call.memory:
            facts = "".join(f"\n- {key}: {value}" for key, value in call.memory.items())
            told += f"\n\n{REMEMBERED}{facts}"
        return told.strip()

    def _values(self, call: Call[Any, Any]) -> dict[str, Any]:
        now = datetime.now().astimezone()
        built_in = {
            "agent": self._name,
            "language": SPOKEN[base(call.language)],
            "caller": call.caller,
            "called": call.called,
            "today": f"{now:%A}, {now.date().isoformat()}",
            "time": f"{now:%H:%M}",
            "state": call.state,
            "deps": call.deps,
            "memory": call.memory,
        }
        own = {name: partial(self._variables[name], call) for name in self._of_call}
        return built_in | self._variables | own
