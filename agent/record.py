"""The record of a call, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vivavoce.agent.call import Call


def record(
    call: Call[Any],
    *,
    agent: str,
    began: datetime,
    seconds: float,
    models: dict[str, str],
    growing: bool = False,
) -> dict[str, Any]:
    """Make the record of a call.

    Args:
        call: The call.
        agent: The agent's name.
        began: When it began.
        seconds: How long it took.
        models: Which model served each stage, for the reader ("hearing": "…").
        growing: The call goes on, and its record is made again and again: see `Transcript.rows`.

    Returns:
        JSON: times in seconds since the call began, latencies in whole microseconds.
    """
    entry = {
        "call": call.id,
        "agent": agent,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "ended": call.reason,
        "models": models,
        "latency_ms": {name: round(ms, 1) for name, ms in call.ledger.percentiles().items()},
        "usage": call.usage.to_dict(),
        "cost_usd": None if (cost := call.cost()) is None else round(cost, 6),
        "speculation": call.ledger.speculation.to_dict(),
        "health": call.ledger.health.to_dict(),
        "disclosed": call.disclosed,
        "consent": call.consent,
        "copies": call.copies,
        "transfers": [transfer.to_dict() for transfer in call.transfers],
        "providers": call.ledger.providers,
        "switches": [switch.to_dict() for switch in call.ledger.switches],
        "transcript": call.transcript.rows() if growing else call.transcript.to_dict(),
    }
    if call.resumptions:
        entry["resumed"] = [each.to_dict() for each in call.resumptions]
    return entry
