"""What a user writes and holds: agents, calls, transcripts and latency; no I/O."""

from vivavoce.agent.agent import Agent, AgentError
from vivavoce.agent.call import Call
from vivavoce.agent.ledger import Latency, Ledger
from vivavoce.agent.options import Limits, OptionError, Silence, Turns
from vivavoce.agent.transcript import Failure, Reply, ToolUse, Transcript, Utterance

__all__ = [
    "Agent",
    "AgentError",
    "Call",
    "Failure",
    "Latency",
    "Ledger",
    "Limits",
    "OptionError",
    "Reply",
    "Silence",
    "ToolUse",
    "Transcript",
    "Turns",
    "Utterance",
]
