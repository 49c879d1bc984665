"""Revival: what of a call outlives its server, and how another one goes on with it. Pure.

A call's record holds what was said, heard and done; `preserve` is the rest that the next reply
needs. `Past` reads both back. What a record does not keep is lost with the server: how an utterance
sounded, tools that ran in the background, what was asked with `call.ask`, `call.deps`, which is
made anew, and whatever was redacted.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.ledger import STAGES, Latency, Ledger, Request, Speculation, Switch
from vivavoce.agent.resumption import Resumption
from vivavoce.agent.transcript import (
    Entry,
    Failure,
    HandOver,
    News,
    Reply,
    ToolUse,
    Transcript,
    Utterance,
)
from vivavoce.agent.transfer import Transfer
from vivavoce.agent.usage import Usage

LONGEST = 200_000
"""Characters of a state, as JSON, that are kept."""

_ADAPTERS: dict[type, TypeAdapter[Any] | None] = {}


def preserve(call: Call[Any]) -> dict[str, Any]:
    """Return what is needed to go on with a call, beside its record, as JSON."""
    kept: dict[str, Any] = {
        "agent": call.agent.name,
        "language": call.language,
        "memory": dict(call.memory),
        "greeting_due": call.greeting_due,
        "requests": _requests(call.ledger),
    }
    state = to_json(call.state)
    if state is not None:
        kept["state"] = state
    return kept


def to_json(state: object) -> Any:
    """Return a state as JSON; None where there is none, or it cannot be JSON or is too long."""
    if state is None:
        return None
    adapter = _adapter(type(state))
    if adapter is None:
        return None
    try:
        text = adapter.dump_json(state, warnings=False)
    except (ValueError, TypeError, RecursionError):
        return None
    return json.loads(text) if len(text) <= LONGEST else None


def from_json(kept: Any, fresh: object) -> object:
    """Read a state back.

    Args:
        kept: As `to_json` gave it.
        fresh: One of its kind, as it is at a call's beginning.

    Raises:
        ValueError: It is none of that kind.
    """
    adapter = _adapter(type(fresh))
    if adapter is None:
        raise ValueError(f"{type(fresh).__name__} cannot be read from JSON")
    try:
        return adapter.validate_python(kept)
    except ValidationError as error:
        raise ValueError(f"{error.error_count()} parts of it do not fit") from None


def _adapter(kind: type) -> TypeAdapter[Any] | None:
    """Return what turns a kind of state into JSON and back; None where nothing does."""
    if kind not in _ADAPTERS:
        try:
            _ADAPTERS[kind] = TypeAdapter(kind)
        except (PydanticUserError, NameError, TypeError):
            _ADAPTERS[kind] = None
    return _ADAPTERS[kind]


def _requests(ledger: Ledger) -> list[dict[str, Any]]:
    """Sum up what each provider was asked for: the cost of a call is counted by it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in ledger.requests:
        row = found.setdefault(
            (each.stage, each.provider),
            {"stage": each.stage, "provider": each.provider, "prompt": 0, "completion": 0,
             "characters": 0},
        )  # fmt: skip
        for name in ("prompt", "completion", "characters"):
            row[name] += getattr(each, name)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Past:
    """A call that another server carried.

    Attributes:
        record: Its record, with what `preserve` gave as `revival`.
        away: How long nobody was there (s).
        find: Finds an agent by its name; None where there is none.
    """

    record: Mapping[str, Any]
    away: float
    find: Callable[[str], Agent[Any] | None]

    @property
    def seconds(self) -> float:
        """How long the call has gone on by now (s): it goes on from there."""
        return float(self.record.get("seconds") or 0.0) + self.away

    def restore(self, call: Call[Any]) -> list[str]:
        """Have a call go on that has not begun.

        What the caller had heard of a reply when the server was lost is all that was said of it.

        Args:
            call: A call with the agent that answered it.

        Returns:
            What could not be restored, each in a line.
        """
        record, lost = self.record, []
        kept = record.get("revival") or {}
        name = str(kept.get("agent", call.agent.name))
        agent = call.agent if name == call.agent.name else self.find(name)
        if agent is None:
            lost.append(
                f"{name}, who spoke last, is not known here: {call.agent.name} goes on, with a"
                " state that begins anew"
            )
        elif agent is not call.agent:
            call.agent = agent
            if not agent.fits_state(call.state):
                call.state = agent.new_state()
        if call.state is not None and agent is not None:
            try:
                call.state = from_json(kept["state"], call.state)
            except KeyError:
                lost.append("the state was nothing that could be kept: it begins anew")
            except ValueError as error:
                lost.append(f"the state is not as it was, and begins anew: {error}")
        call.memory.update({str(key): str(value) for key, value in kept.get("memory", {}).items()})
        call.language = str(kept.get("language", call.language))
        call.greeting_due = bool(kept.get("greeting_due"))
        call.transcript = Transcript(entries(record.get("transcript", ())))
        _account(call, record, kept.get("requests", ()))
        call.disclosed, call.consent = record.get("disclosed"), record.get("consent")
        call.transfers = [_transfer(row) for row in record.get("transfers", ())]
        for row in record.get("resumed", ()):
            call.go_on(Resumption(row["at"], row["away"]))
        call.go_on(Resumption(self.seconds, self.away))
        return lost


def entries(rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Read a transcript, as `Transcript.to_dict` gave it.

    Replies that were being said are cut where the caller had heard them; those of which nothing
    was heard are left out, as after any interruption. Pieces of interpreted sessions are, too.
    """
    found = (_entry(row) for row in rows)
    return [entry for entry in found if entry is not None]


def unanswered(transcript: Transcript) -> Entry | None:
    """Return what the agent still owed a reply to: the caller's words, a tool's result, news.

    Returns:
        None where the agent spoke last, or nobody has spoken.
    """
    for entry in reversed(transcript.entries):
        match entry:
            case Reply() if not entry.aside:
                return None
            case Utterance() | ToolUse() | News() | HandOver():
                return entry
            case _:
                pass
    return None


def _entry(row: Mapping[str, Any]) -> Entry | None:
    match row.get("kind"):
        case "caller":
            return Utterance(
                **_some(row, "text", "started", "ended", "why_ended", "told", "served", "written")
            )
        case "agent":
            heard, generated = str(row.get("heard", "")), str(row.get("generated", ""))
            if not heard:
                return None
            rest = generated[len(heard) :].strip() if generated.startswith(heard) else ""
            cut = bool(row.get("interrupted") or rest)
            given = _some(row, "started", "ended", "reaction", "aside", "served")
            if given.get("started") is not None:
                given.setdefault("ended", given["started"])
            latency = _latency(row["latency"]) if row.get("latency") else None
            return Reply(generated, heard, interrupted=cut, closed=True, latency=latency, **given)
        case "tool":
            names = ("id", "name", "arguments", "group", "started", "seconds", "result", "ok")
            given = _some(row, *names)
            return ToolUse(**{"group": 0, **given})
        case "news":
            return News(**_some(row, "text", "at"))
        case "handoff":
            return HandOver(**_some(row, "agent", "previous", "keep_history", "note", "at"))
        case "failure":
            return Failure(**_some(row, "stage", "message", "at"))
        case _:
            return None


def _some(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) is not None}


def _latency(row: Mapping[str, Any]) -> Latency:
    stages = {stage: int(row["stages_us"].get(stage, 0)) for stage in STAGES}
    hidden = {stage: int(row["hidden_us"].get(stage, 0)) for stage in STAGES}
    return Latency(int(row["total_us"]), stages, hidden)


def _account(
    call: Call[Any], record: Mapping[str, Any], requests: Sequence[Mapping[str, Any]]
) -> None:
    """Go on with a call's ledger and usage."""
    ledger = call.ledger
    served: dict[str, str] = {}
    for entry in call.transcript:
        if isinstance(entry, Utterance):
            served = {"hearing": entry.served} if entry.served else {}
        elif isinstance(entry, Reply) and entry.latency is not None:
            ledger.add(entry.latency, {**served, **entry.served})
        if isinstance(entry, Reply) and entry.reaction is not None:
            ledger.health.reactions.append(entry.reaction * 1000)
    ledger.health.underruns = int(record.get("health", {}).get("underruns", 0))
    ledger.speculation = _known(Speculation, record.get("speculation", {}))
    ledger.switches = [_known(Switch, row) for row in record.get("switches", ())]
    ledger.requests = [Request(began=0.0, ended=0.0, outcome="whole", **row) for row in requests]
    call.usage = _known(Usage, record.get("usage", {}))


def _known(kind: type, row: Mapping[str, Any]) -> Any:
    names = {each.name for each in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in row.items() if name in names})


def _transfer(row: Mapping[str, Any]) -> Transfer:
    given: Transfer = _known(Transfer, row)
    if not given.over:
        given.state, given.why = "failed", "the server was lost"
    return given
