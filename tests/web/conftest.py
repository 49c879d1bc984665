"""A page read back as a browser would, and the record of a short call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

_VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child

    def all(self, tag: str | None = None, cls: str | None = None) -> list[Node]:
        return [
            node
            for node in self
            if tag in (None, node.tag)
            and (cls is None or cls in node.attributes.get("class", "").split())
        ]

    def one(self, tag: str | None = None, cls: str | None = None) -> Node:
        (found,) = self.all(tag, cls)
        return found

    def by_id(self, name: str) -> Node:
        (found,) = (node for node in self if node.attributes.get("id") == name)
        return found

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute stands twice"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


@pytest.fixture
def parse() -> Callable[[str], Node]:
    """Read markup; what is not closed or closed twice fails."""

    def read(markup: str) -> Node:
        parser = _Parser()
        parser.feed(markup)
        parser.close()
        assert len(parser.open) == 1, f"<{parser.open[-1].tag}> is not closed"
        return parser.open[0]

    return read


def latency(*stages_ms: float, **hidden_ms: float) -> dict[str, Any]:
    names = ("endpointing", "transcription", "thinking", "tools", "clause", "speech", "output")
    stages = {
        name: round(ms * 1000)
        for name, ms in zip(names, (*stages_ms, *[0] * (7 - len(stages_ms))), strict=True)
    }
    return {
        "total_us": sum(stages.values()),
        "stages_us": stages,
        "hidden_us": {name: round(ms * 1000) for name, ms in hidden_ms.items()},
    }


@pytest.fixture
def record() -> dict[str, Any]:
    """The record of a call with everything in it: a cut reply, tools, a failure, Arabic."""
    return {
        "call": "c-1",
        "agent": "Chez Marie",
        "began": "2026-11-21T08:38:06+00:00",
        "seconds": 12.0,
        "ended": "the caller hung up",
        "models": {"hearing": "voxtral-mini", "thinking": "mistral-small"},
        "latency_ms": {"p50": 742.0, "p95": 1204.6, "p99": 1204.6},
        "speculation": {"guesses": 3, "hits": 2, "requests": 4, "wasted_tokens": 21},
        "transcript": [
            {
                "kind": "caller",
                "text": "A table for four.",
                "started": 1.0,
                "ended": 2.5,
                "why_ended": "semantic: silence 220 ms",
            },
            {
                "kind": "tool",
                "id": "abc",
                "name": "free_tables",
                "arguments": '{"people":4}',
                "result": '["19:00"]',
                "ok": True,
                "started": 2.8,
                "seconds": 0.25,
            },
            {
                "kind": "agent",
                "generated": "Two are free, at seven and at nine.",
                "heard": "Two are",
                "unheard": "free, at seven and at nine.",
                "interrupted": True,
                "started": 3.5,
                "ended": 4.2,
                "latency": latency(300, 0, 200, 250, 0, 200, 50, thinking=120),
                "reaction": 0.184,
            },
            {
                "kind": "caller",
                "text": "اسمي ليلى",
                "started": 4.0,
                "ended": 5.0,
                "why_ended": "timeout: silence 900 ms",
            },
            {
                "kind": "failure",
                "stage": "tools",
                "message": "book did not answer — raise its timeout",
                "at": 6.0,
            },
            {
                "kind": "agent",
                "generated": "Done.",
                "heard": "Done.",
                "unheard": "",
                "interrupted": False,
                "started": 6.5,
                "ended": 7.0,
                "latency": latency(400.5, 0.123, 99.5),
                "reaction": None,
            },
        ],
    }
