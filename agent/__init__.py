"""What a user writes and holds: agents, calls, transcripts and latency; no I/O."""

from vivavoce.agent.agent import Agent
from vivavoce.agent.answers import choice, date, digits, free_text, spelling, yes_no
from vivavoce.agent.asking import NoAnswer
from vivavoce.agent.call import Call
from vivavoce.agent.checks import Refuse
from vivavoce.agent.definition import AgentError
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.interpreter import Interpreter, InterpreterError
from vivavoce.agent.ledger import Latency, Ledger
from vivavoce.agent.line import LineError
from vivavoce.agent.options import Limits, Listening, OptionError, Silence, Speech, Turns
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Failure, HandOver, Reply, ToolUse, Transcript, Utterance
from vivavoce.agent.usage import Usage
from vivavoce.agent.voices import Speaker

__all__ = [
    "Agent",
    "AgentError",
    "Call",
    "Failure",
    "HandOff",
    "HandOver",
    "Interpreter",
    "InterpreterError",
    "Latency",
    "Ledger",
    "Limits",
    "LineError",
    "Listening",
    "NoAnswer",
    "OptionError",
    "Refuse",
    "Reply",
    "Segment",
    "Silence",
    "Speaker",
    "Speech",
    "ToolUse",
    "Transcript",
    "Turns",
    "Usage",
    "Utterance",
    "choice",
    "date",
    "digits",
    "free_text",
    "spelling",
    "yes_no",
]
