"""Which tool an utterance asks for: weighted words, stems, synonyms and character n-grams."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from vivavoce.sandbox.brain_schema import Tool
from vivavoce.sandbox.brain_strings import match_choice
from vivavoce.sandbox.brain_values import Found, find_values
from vivavoce.sandbox.brain_words import STOP, bag, content, kin, likeness, listen, name_words, stem

ACT = 0.42
"""From this score on a tool is used without asking back."""
CONFIRM = 0.24
"""From here to `ACT` the caller is asked whether this is meant."""

# What a question asks for when it does not say the noun: "how much do I have".
_ASKS = (
    (("how", "much"), ("balance", "price")),
    (("how", "long"), ("duration",)),
    (("how", "hot"), ("temperature",)),
    (("how", "cold"), ("temperature",)),
    (("where",), ("location",)),
    (("when",), ("schedule",)),
    (("what", "time"), ("time", "clock")),
    (("what's", "on"), ("schedule",)),
)
_DULL = bag(
    "one ones thing way day today tomorrow tonight week good great nice fine sure right morning "
    "evening afternoon night day's back take put new old sir madam check"
)
# Verbs that so many tools begin with that they tell little.
_COMMON = frozenset(stem(w) for w in ("get", "set", "find", "show", "check", "make", "list", "book",
                                      "fetch", "retrieve", "return", "give", "use", "start",
                                      "add"))  # fmt: skip


_BEFORE_NAMES = bag("from to in near called named mr mrs")


@dataclass(frozen=True, slots=True)
class Route:
    """A tool and how well it fits, 0 to about 1."""

    tool: Tool
    score: float


@lru_cache(maxsize=512)
def _fields(tool: Tool) -> dict[str, float]:
    """Stems of a tool with the weight of the best place they stand in; synonyms discounted."""
    out: dict[str, float] = {}

    def put(words: Sequence[str], weight: float) -> None:
        for stemmed in content(words):
            for other in kin(stemmed):
                worth = weight if other == stemmed else 0.7 * weight
                out[other] = max(out.get(other, 0.0), worth)

    put(tool.words, 1.0)
    # The first sentence says what a tool does, later ones when and how.
    first, *rest = re.split(r"(?<=[.!?])\s", tool.description, maxsplit=1)
    put(listen(first).words, 0.9)
    put(listen(" ".join(rest)).words, 0.6)
    for param in (*tool.params, *(inner for p in tool.params for inner in p.item)):
        put(param.words, 0.55)
        put(listen(param.description).words, 0.45)
        for choice in param.choices[:40]:
            if isinstance(choice, str):
                put(name_words(choice), 0.6)
    return out


def _match(stemmed: str, fields: dict[str, float]) -> float:
    exact = fields.get(stemmed, 0.0)
    if exact or len(stemmed) < 4:
        return exact
    # A misheard or unknown inflection: the nearest word by its character n-grams.
    near = 0.0
    for other, weight in fields.items():
        if len(other) > 3 and other[0] == stemmed[0] and abs(len(other) - len(stemmed)) < 4:
            like = likeness(stemmed, other)
            if like >= 0.6:
                near = max(near, 0.8 * like * weight)
    return near


def keywords(text: str, now: datetime) -> list[tuple[str, float]]:
    """Stems that tell what an utterance is about with their weights; values said are left out."""
    heard = listen(text)
    hidden = {
        i
        for f in find_values(heard, now=now)
        if f.weight >= 0.7 and f.kind != "ordinal"
        for i in range(f.start, f.end)
    }
    out: dict[str, float] = {}
    for i, word in enumerate(heard.words):
        if i in hidden or word in STOP or word in _DULL or not word[0].isalpha() or len(word) < 2:
            continue
        # A name or a place (a capital inside the sentence) is a slot's filling, not a topic.
        token = heard.tokens[i]
        named = i and heard.raw[token.start].isupper() and not heard.tokens[i - 1].stop
        weight = 0.35 if named and not heard.raw.isupper() else 1.0
        if i and heard.words[i - 1] in _BEFORE_NAMES:
            weight = min(weight, 0.5)
        stemmed = stem(word)
        out[stemmed] = max(out.get(stemmed, 0.0), weight)
    for cue, topics in _ASKS:
        if any(heard.words[i : i + len(cue)] == cue for i in range(len(heard.words))):
            for topic in topics:
                out.setdefault(stem(topic), 0.4)
    if any(f.kind == "money" for f in find_values(heard, now=now)):
        out.setdefault("money", 0.6)
    return list(out.items())


def route(text: str, tools: Sequence[Tool], *, now: datetime) -> list[Route]:
    """Rank tools for an utterance, best first; ties keep the request's order."""
    words = keywords(text, now)
    if not words or not tools:
        return [Route(t, 0.0) for t in tools]
    fields = [_fields(t) for t in tools]
    table = [[_match(w, f) for w, _ in words] for f in fields]
    count = len(tools)
    weights = []
    for column, (word, said) in enumerate(words):
        df = sum(1 for line in table if line[column] >= 0.4)
        rare = math.log(1 + (count + 1) / (df + 0.5)) if df else 0.55 * math.log(1 + (count + 1))
        rare = min(rare, 2.6) if count > 1 else 1.0
        weights.append(said * rare * (0.55 if word in _COMMON else 1.0))
    total = sum(weights) + 0.25
    # "search for ...": after a tool's own verb, unknown words are what its free text takes.
    unknown = sum(w for i, w in enumerate(weights) if not any(line[i] >= 0.3 for line in table))
    heard = listen(text)
    found = find_values(heard, now=now)
    out = []
    for tool, line in zip(tools, table, strict=True):
        whole = total - 0.75 * unknown if _takes_rest(tool, words[0][0]) else total
        cover = sum(w * m for w, m in zip(weights, line, strict=True)) / whole
        own = [stem(w) for w in tool.words if w not in STOP]
        strong = {w for (w, _), m in zip(words, line, strict=True) if m >= 0.5}
        named = sum(1 for o in own if kin(o) & strong) / len(own) if own else 0.0
        score = 0.78 * cover + 0.22 * named * min(1.0, cover * 2)
        if score > 0.1:
            score += _evidence(tool, found, text)
        out.append(Route(tool, score))
    out.sort(key=lambda r: -r.score)
    return out


def _takes_rest(tool: Tool, first: str) -> bool:
    if not any(p.required and p.kind in {"string", "text"} for p in tool.params):
        return False
    verbs = {stem(w) for w in (*tool.words[:1], *listen(tool.description).words[:1])}
    return bool(kin(first) & verbs)


def _evidence(tool: Tool, found: Sequence[Found], text: str) -> float:
    """A little more when the utterance holds values that the tool takes."""
    kinds = {f.kind for f in found if f.weight >= 0.7}
    extra = 0.0
    for param in tool.params:
        takes = {
            "date": {"date"}, "time": {"time"}, "datetime": {"date", "time", "moment"},
            "duration": {"duration"}, "integer": {"number", "money", "percent"},
            "number": {"number", "money", "percent"}, "email": {"email"}, "phone": {"phone"},
        }.get(param.kind, set())  # fmt: skip
        enum = param.kind == "enum" and match_choice(param.choices, listen(text))
        if takes & kinds or enum:
            extra += 0.06 if param.required else 0.03
    return min(extra, 0.15)
