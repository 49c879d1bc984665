"""Shows a call in the terminal: the conversation as it happens, the ledger at its end."""

from __future__ import annotations

from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from vivavoce.agent import Call, Latency, Reply
from vivavoce.agent.events import (
    AgentSaid,
    CallerPartial,
    CallerSaid,
    Event,
    Failed,
    ToolEnded,
)
from vivavoce.agent.ledger import STAGES, percentile

WIDE = 110
"""Characters from which the ledger's table has room for everything."""

_HEADS = {
    "endpointing": "turn",
    "transcription": "text",
    "thinking": "think",
    "tools": "tools",
    "clause": "clause",
    "speech": "speech",
    "output": "out",
}


class Show:
    """Prints a conversation line by line; on a terminal, what is being understood too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("listening", spinner="dots")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def event(self, event: Event) -> None:
        """Show what happened."""
        match event:
            case CallerPartial():
                if self._status is not None:
                    self._status.update(f"[dim]{escape(event.text[-100:])}[/]")
            case CallerSaid():
                self._line(event.utterance.ended, "caller", "cyan", escape(event.utterance.text))
            case AgentSaid():
                self._reply(event.reply)
            case ToolEnded():
                use = event.use
                mark = "" if use.ok else " [red]failed[/]"
                self._line(
                    use.started,
                    "tool",
                    "magenta",
                    f"{escape(use.name)}({escape(_short(use.arguments))}) →"
                    f" {escape(_short(use.result or ''))}{mark}",
                )
            case Failed():
                self._line(event.at, "trouble", "red", escape(event.failure.message))
            case _:
                return
        if self._status is not None and not isinstance(event, CallerPartial):
            self._status.update("listening")

    def _reply(self, reply: Reply) -> None:
        text = escape(reply.heard) or ("[dim]…[/]" if reply.generated else "[dim](a signal)[/]")
        if reply.interrupted:
            unheard = escape(reply.unheard)
            if self._console.is_terminal:
                text += f" [strike dim]{unheard}[/] [yellow]cut[/]"
            else:
                text += f" — (cut; not heard: {unheard})"
        if reply.latency is not None:
            text += f"  [green]{reply.latency.total_ms:.0f} ms[/]"
        self._line(reply.started or 0.0, "agent", "green", text)

    def _line(self, at: float, who: str, colour: str, text: str) -> None:
        minutes, seconds = divmod(max(at, 0.0), 60)
        clock = f"[dim]{int(minutes):02d}:{seconds:04.1f}[/]"
        self._console.print(f"{clock}  [{colour}]{who:<8}[/]{text}", soft_wrap=True)


def ledger_table(call: Call[Any], width: int) -> Table | None:
    """Return the call's latencies as a table; None when no reply had one.

    Args:
        call: The call.
        width: Of the terminal (characters); what was hidden is shown where there is room.
    """
    rows = [reply for reply in call.transcript.replies if reply.latency is not None]
    if not rows:
        return None
    wide = width >= WIDE
    table = Table(
        title="Milliseconds from the caller's last word to the agent's first sound",
        caption="In brackets: done meanwhile, behind another stage." if wide else None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("reply", overflow="ellipsis", no_wrap=True, max_width=26 if wide else 20)
    for stage in STAGES:
        table.add_column(_HEADS[stage], justify="right", no_wrap=True)
    table.add_column("total", justify="right", style="bold", no_wrap=True)
    for reply in rows:
        latency = reply.latency
        assert latency is not None
        cells = [_cell(latency, stage, wide=wide) for stage in STAGES]
        table.add_row(escape(reply.heard or reply.generated), *cells, f"{latency.total_ms:.0f}")
    for name, value in call.ledger.percentiles().items():
        table.add_row(f"[dim]{name}[/]", *[""] * len(STAGES), f"{value:.0f}")
    return table


def health_line(call: Call[Any]) -> str:
    """Return how well the call ran, in one line; what did not happen is left out."""
    health, guessed = call.ledger.health, call.ledger.speculation
    told = []
    if health.partials:
        told.append(f"first words understood after {percentile(health.partials, 0.5):.0f} ms")
    if health.reactions:
        told.append(f"silent {percentile(health.reactions, 0.5):.0f} ms after being cut")
    if guessed.guesses:
        told.append(
            f"{guessed.hits} of {guessed.guesses} guesses came true"
            f" ({guessed.wasted_tokens} tokens wasted)"
        )
    if health.underruns:
        told.append(f"{health.underruns} gaps where speech was synthesised too slowly")
    if health.lag:
        told.append(f"event loop late by {health.lag['p99']:.0f} ms at most in 99 %")
    return "; ".join(told)


def _cell(latency: Latency, stage: Any, *, wide: bool) -> str:
    shown, hidden = latency.stages[stage] / 1000, latency.hidden[stage] / 1000
    text = f"{shown:.0f}" if shown >= 0.5 else "·"
    return f"{text} [dim]({hidden:.0f})[/]" if wide and hidden >= 1 else text


def _short(text: str, limit: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class CallShow(Show):
    """Shows one of several calls: each line says whose."""

    def __init__(self, console: Console, who: str) -> None:
        super().__init__(console)
        self._who = escape(who)

    def _line(self, at: float, who: str, colour: str, text: str) -> None:
        super()._line(at, who, colour, f"[dim]{self._who}[/]  {text}")
