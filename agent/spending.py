"""Spending: which of a call's models took what, where several stand behind each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from vivavoce.agent.ledger import Ledger, Request, Switch
from vivavoce.agent.usage import Usage

ELSE = ", else "
"""Between the names of providers that stand behind each other."""


def spent(usage: Usage, models: Mapping[str, str], ledger: Ledger) -> dict[str, Usage]:
    """Return what each model took of a call's usage.

    Args:
        usage: What the call took.
        models: By stage ("hearing", "thinking", "speaking"), as the call names them.
        ledger: Who was asked for what, and who took over from whom.

    Returns:
        By name ("MODEL at URL"). A price counts only what its model is paid for, so one that stands
        alone has the whole usage; of several, each has what it served.
    """
    found: dict[str, Usage] = {}
    for stage, together in models.items():
        names = together.split(ELSE)
        shares = {names[0]: usage} if len(names) == 1 else _shares(usage, stage, names, ledger)
        for name, share in shares.items():
            found[name] = _larger(found.get(name), share)
    return found


def _shares(usage: Usage, stage: str, names: Sequence[str], ledger: Ledger) -> dict[str, Usage]:
    if stage == "hearing":
        moves = [each for each in ledger.switches if each.stage == stage and each.provider in names]
        seconds = _heard(usage.heard, names[0], moves)
        return {name: Usage(heard=seconds.get(name, 0.0)) for name in names}
    requests = [each for each in ledger.requests if each.stage == stage and each.provider in names]
    own = {name: _asked(each for each in requests if each.provider == name) for name in names}
    if stage == "speaking":
        return {name: Usage(characters=each.characters) for name, each in own.items()}
    # What no request tells of, such as a question beside the conversation, is the first one's.
    told = _asked(requests)
    first = own[names[0]]
    first.requests += max(0, usage.requests - told.requests)
    first.prompt_tokens += max(0, usage.prompt_tokens - told.prompt_tokens)
    first.completion_tokens += max(0, usage.completion_tokens - told.completion_tokens)
    # A chat model that listens itself hears what it reads.
    read = sum(each.prompt_tokens for each in own.values())
    return {
        name: replace(
            each,
            characters=0,
            heard=usage.heard * (each.prompt_tokens / read if read else name == names[0]),
        )
        for name, each in own.items()
    }


def _asked(requests: Iterable[Request]) -> Usage:
    total = Usage()
    for each in requests:
        total.requests += 1
        total.prompt_tokens += each.prompt
        total.completion_tokens += each.completion
        total.characters += each.characters
    return total


def _heard(seconds: float, first: str, moves: Sequence[Switch]) -> dict[str, float]:
    """Return how much of a call each heard (s), who began with `first`."""
    edges = [0.0, *(min(each.at, seconds) for each in moves), seconds]
    found: dict[str, float] = {}
    for name, (begin, end) in zip(
        [first, *(each.provider for each in moves)], pairwise(edges), strict=True
    ):
        found[name] = found.get(name, 0.0) + max(0.0, end - begin)
    return found


def _larger(one: Usage | None, other: Usage) -> Usage:
    """Return what a model took that serves two stages: of each, what either says."""
    if one is None:
        return other
    return Usage(**{name: max(getattr(one, name), getattr(other, name)) for name in one.__slots__})
