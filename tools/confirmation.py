"""The caller's leave, which a dangerous tool needs before it runs.

What a model writes is not to be trusted: it may have been talked into a call, or call a tool
twice in one breath. It can ask for a tool with `confirm` as often as it likes; the tool runs
only when the same call comes again after the caller has spoken. Whether what the caller said
was a yes, only the model can judge. That they were asked and could have said no, this sees to.
"""

import hashlib
from dataclasses import dataclass

ANSWER_WITHIN = 3
"""How many times the caller may speak, at the most, between the question and the leave.

"Sorry, what does it cost?" is no refusal; but a question from ten minutes ago is no leave.
"""

PENDING_LIMIT = 32
"""The most questions that wait for an answer; the oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Question:
    tool: str
    # A digest: arguments may hold secrets, and this lives as long as the call.
    arguments: bytes
    spoken: int


class Confirmations:
    """What the caller of one call was asked and has not answered by now; a state machine.

    It needs to know only how often the caller has spoken. Count what could be an answer: a
    caller's turn that began after some of the agent's reply was heard.
    """

    def __init__(self) -> None:
        self._waiting: list[_Question] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, tool: str, arguments: str, spoken: int, confirm: bool | str = True) -> str | None:
        """Decide about a call that a model made.

        The first call with these arguments is a question; so is every call with others, and a
        call that comes before the caller has spoken, or after `ANSWER_WITHIN` of their turns.
        Asking something else of the same tool in a later turn takes the earlier question back.
        A leave counts once.

        Args:
            tool: The tool's name.
            arguments: What is asked of it, in one form for one meaning.
            spoken: How many times the caller has spoken in this call; never falls.
            confirm: True, or the question in words.

        Returns:
            None if the tool may run; else what the model is to be told.
        """
        key = hashlib.sha256(arguments.encode(errors="replace")).digest()
        self._forget(spoken)
        for waiting in self._waiting:
            if waiting.tool == tool and waiting.arguments == key:
                if waiting.spoken < spoken:
                    self._waiting.remove(waiting)
                    return None
                return unanswered(tool, confirm)
        # Two calls of one model message both stand: neither was asked before the other.
        self._waiting = [
            waiting for waiting in self._waiting if waiting.tool != tool or waiting.spoken == spoken
        ][-(PENDING_LIMIT - 1) :]
        self._waiting.append(_Question(tool, key, spoken))
        return question(tool, confirm)

    def _forget(self, spoken: int) -> None:
        self._waiting = [
            waiting for waiting in self._waiting if spoken - waiting.spoken <= ANSWER_WITHIN
        ]


def question(tool: str, confirm: bool | str) -> str:
    """What a model is told that has to ask first.

    Args:
        tool: The tool's name.
        confirm: True, or the question in words.
    """
    asked = f'"{confirm.strip()}"' if isinstance(confirm, str) else "whether it should be done"
    return (
        f"{tool} was not run: the caller has to agree first. Say what would be done, and ask "
        f"the caller {asked}. Only if they then agree, call {tool} again with exactly the same "
        "arguments."
    )


def unanswered(tool: str, confirm: bool | str) -> str:
    """What a model is told that did not wait for the answer."""
    asked = f' ("{confirm.strip()}")' if isinstance(confirm, str) else ""
    return (
        f"{tool} was not run: the caller has not answered yet. Ask them{asked}, and stop there. "
        f"Call {tool} again only after they have spoken and agreed."
    )
