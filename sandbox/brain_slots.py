"""From an utterance and a tool's parameters to typed arguments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from vivavoce.sandbox.brain_numbers import plain
from vivavoce.sandbox.brain_schema import Param, Tool
from vivavoce.sandbox.brain_strings import match_boolean, match_choice, match_string, object_of_verb
from vivavoce.sandbox.brain_values import Found, find_values, joined, lone_number
from vivavoce.sandbox.brain_when import UNITS, iso_duration
from vivavoce.sandbox.brain_words import Utterance, bag, listen, stem

Path = tuple[str, ...]

_EVENING = bag("even dinner restaurant night supper tabl bar theatr show cinema concert parti")
_MORNING = bag("alarm wak breakfast morn doctor dentist clinic appointment")
_PEOPLE = bag("people persons person guests guest of adults seats passengers pax covers diners")


@dataclass(slots=True)
class Filled:
    """What one utterance gave a tool's parameters.

    Attributes:
        values: JSON-ready values by path.
        parts: Half of a date-time by path: a `date` or a `time`, until the other is said.
        tokens: Tokens that were used.
    """

    values: dict[Path, Any] = field(default_factory=dict)
    parts: dict[Path, date | time] = field(default_factory=dict)
    tokens: set[int] = field(default_factory=set)


def fill(
    tool: Tool,
    text: str,
    *,
    now: datetime,
    asked: Path | None = None,
    parts: dict[Path, date | time] | None = None,
    hint: str = "",
) -> Filled:
    """Fill what the utterance says, and nothing it does not say.

    Args:
        tool: Whose parameters to fill.
        text: The utterance.
        now: What relative dates refer to.
        asked: The parameter a question was just put for; a lone value then is its value.
        parts: Halves of date-times known from earlier turns.
        hint: More words (the system prompt) that tell whether hours mean the evening.
    """
    heard, out = listen(text), Filled(parts=dict(parts or {}))
    found = list(find_values(heard, now=now, late=_late(tool, hint)))
    wanted = tool.param(asked) if asked is not None else None
    if (
        wanted is not None
        and wanted.kind in {"integer", "number"}
        and not any(f.kind == "number" for f in found)
    ):
        guess = lone_number(heard)
        found += [guess] if guess is not None else []
    _assign(tool, heard, found, out, asked, now)
    for param in tool.params:
        if param.path not in out.values:
            _choose(param, heard, out, asked=param.path == asked)
    for param in tool.params:
        if param.item and param.path not in out.values:
            objects = _objects(param, heard, now)
            if objects:
                out.values[param.path] = objects
    strings = [
        p
        for p in tool.params
        if not p.item and p.kind in {"person", "place", "text", "string", "code", "any"}
    ]
    # Asked first: its answer may be the whole utterance. Then names and places before free text.
    order = {"person": 0, "place": 1, "code": 2, "string": 3, "text": 4, "any": 5}
    strings.sort(key=lambda p: (p.path != asked, order[p.kind]))
    for param in strings:
        if param.path in out.values:
            continue
        value = match_string(param, heard, out.tokens, asked=param.path == asked)
        if value is None or (param.path != asked and value in out.values.values()):
            continue
        out.values[param.path] = _items(value) if param.many else value
        _mark(heard, value, out.tokens)
    # The verb's object serves one free string at most: with two, none would be sure.
    left = [
        p
        for p in strings
        if p.required and p.path not in out.values and p.kind in {"string", "text", "any"}
    ]
    if asked is None and len(left) == 1 and left[0].kind != "any":
        value = object_of_verb(tool.words, tool.description, left[0], heard, out.tokens)
        if value is not None:
            out.values[left[0].path] = _items(value) if left[0].many else value
    return out


def _objects(param: Param, heard: Utterance, now: datetime) -> list[dict[str, Any]]:
    """Items of an array of objects, one for each clause: `two burgers and a cola`."""
    item, out = Tool("", "", param.item), list[dict[str, Any]]()
    for clause in re.split(r",|\band\b|\bplus\b", heard.raw, flags=re.IGNORECASE)[:12]:
        got = fill(item, clause, now=now).values
        if got and all(p.path in got for p in param.item if p.required):
            out.append(nest(got))
    return out


def _late(tool: Tool, hint: str) -> bool | None:
    words = {stem(w) for w in listen(f"{tool.name.replace('_', ' ')} {tool.description}").words}
    words |= {stem(w) for p in tool.params for w in listen(p.description).words}
    if words & _MORNING:
        return False
    if words & _EVENING:
        return True
    if {stem(w) for w in listen(hint).words} & _EVENING:
        return True
    return None


def _assign(
    tool: Tool,
    heard: Utterance,
    found: Sequence[Found],
    out: Filled,
    asked: Path | None,
    now: datetime,
) -> None:
    """Give values to parameters, best pair first, no token twice."""
    pairs: list[tuple[float, int, int, Param, Found, Any]] = []
    for order, param in enumerate(tool.params):
        for item in found:
            score, value = _fit(param, item, heard, found, asked=param.path == asked)
            least = 0.5 if param.required or param.path == asked else 0.8
            if value is not None and score >= least:
                # A self-correction wins over what it corrects, but makes no value more likely.
                score += 0.4 if item.later else 0.0
                pairs.append((score, order, item.start, param, item, value))
    pairs.sort(key=lambda p: (-p[0], p[1], p[2]))
    used: list[Found] = []
    for _, _, _, param, item, value in pairs:
        if any(item.start < u.end and u.start < item.end for u in used if u is not item):
            continue
        if param.kind == "datetime":
            if not _moment(param, value, out, now):
                continue
        elif param.many:
            bucket = out.values.setdefault(param.path, [])
            if value in bucket or item in used:
                continue
            bucket.append(value)
        elif param.path in out.values or item in used:
            continue
        else:
            out.values[param.path] = value
        used.append(item)
        out.tokens |= set(range(item.start, item.end))


def _moment(param: Param, value: Any, out: Filled, now: datetime) -> bool:
    if isinstance(value, datetime):
        if param.path in out.values:
            return False
        out.values[param.path] = value.replace(microsecond=0).isoformat()
        out.parts.pop(param.path, None)
        return True
    if param.path in out.values:
        return False
    half = out.parts.get(param.path)
    if isinstance(half, time) and isinstance(value, date):
        out.values[param.path] = joined(value, half, now)
    elif isinstance(half, date) and isinstance(value, time):
        out.values[param.path] = joined(half, value, now)
    else:
        out.parts[param.path] = value
        return True
    out.parts.pop(param.path, None)
    return True


def _fit(
    param: Param, item: Found, heard: Utterance, found: Sequence[Found], *, asked: bool
) -> tuple[float, Any]:
    """How well a value suits a parameter (0 to about 2), and the value as JSON."""
    base, value = _convert(param, item, heard)
    if value is None:
        return 0.0, None
    score = base * item.weight + (0.5 if asked else 0.0)
    words, before = heard.words, heard.words[max(0, item.start - 3) : item.start]
    near = {stem(w) for w in words[item.end : item.end + 2]}
    near_before = {stem(w) for w in before}
    cues = {c for c in param.cues if len(c) > 2}
    if near & cues:
        score += 0.3
    elif near_before & cues:
        score += 0.2
    if {*param.words} & {"quantity", "count", "qty", "copies"} and item.kind == "number":
        score += 0.2
    if {*param.words} & {
        "people",
        "persons",
        "guests",
        "party",
        "seats",
        "covers",
        "size",
        "adults",
        "passengers",
        "count",
    }:
        if {*words[item.end : item.end + 2]} & _PEOPLE or before[-2:] == ("party", "of"):
            score += 0.35
        elif before[-1:] == ("for",):
            score += 0.2
    leads = {
        "from": {"from", "between", "starting"},
        "to": {"to", "until", "till", "through", "and"},
    }
    if param.role and before:
        other = "to" if param.role == "from" else "from"
        nearest = before[-1] if before[-1] not in {"the", "at", "on"} else before[-2:][0]
        score += 0.3 if nearest in leads[param.role] else -0.3 if nearest in leads[other] else 0.0
    if item.kind in {"number", "code", "ordinal"}:
        # "at eight" is a clock and "the 3rd of May" a date even when no slot wants one.
        for other_item in found:
            around = other_item.start <= item.start and item.end <= other_item.end
            if around and other_item.kind == "code" and other_item.end - other_item.start > 2:
                # "four two seven" is one number, said digit by digit.
                score -= 0.35 if item.end - item.start < other_item.end - other_item.start else 0
            if around and other_item.kind in {
                "date", "time", "duration", "money", "moment", "email", "phone",
            }:  # fmt: skip
                inside = other_item.weight >= 0.8
                if inside and not (asked and other_item.kind == "time"):
                    score -= 0.35
                    break
    return score, value


def _convert(param: Param, item: Found, heard: Utterance) -> tuple[float, Any]:
    """The value for a parameter's type and how natural that is, or None when it cannot be."""
    kind, value = param.kind, item.value
    if kind in {"integer", "number"}:
        return _number(param, item)
    if kind == "date":
        return (1.0, value.isoformat()) if item.kind == "date" else (0.0, None)
    if kind == "time":
        if item.kind == "moment":
            return 0.9, value.time().replace(microsecond=0).isoformat()
        return (1.0, _clock(param, value)) if item.kind == "time" else (0.0, None)
    if kind == "datetime":
        return (1.0, value) if item.kind in {"date", "time", "moment"} else (0.0, None)
    if kind == "duration":
        return (1.0, iso_duration(value)) if item.kind == "duration" else (0.0, None)
    if kind in {"email", "phone", "code"}:
        if item.kind == kind:
            return 1.0, value
        return (
            (0.7, str(value))
            if kind == "phone" and item.kind == "code" and len(value) > 4
            else (0.0, None)
        )
    if (
        kind == "enum"
        and item.kind == "number"
        and value in [c for c in param.choices if not isinstance(c, bool)]
    ):
        return 0.7, next(c for c in param.choices if c == value)
    named = {*param.words}
    if kind == "string":
        # A plain string called "day" or "when" takes the words as they were said.
        wants = {"day": "date", "when": "date", "date": "date", "time": "time",
                 "duration": "duration",
                 "amount": "money", "number": "code"}  # fmt: skip
        for word, wanted in wants.items():
            if word in named and item.kind == wanted:
                return 0.8, heard.said(item.start, item.end)
    return 0.0, None


def _number(param: Param, item: Found) -> tuple[float, Any]:
    value = item.value
    if item.kind == "duration":
        unit = UNITS.get(param.unit, 0) if param.unit else 0
        if not unit or "ago" in param.words:
            return 0.0, None
        value, base = plain(value / unit), 1.1
    elif item.kind == "money":
        base = 1.2 if param.money else 0.4
    elif item.kind == "percent":
        base = (
            1.1
            if "percent" in " ".join((*param.words, param.description.lower()))
            or "%" in param.description
            else 0.75
        )
    elif item.kind == "number":
        base = 0.65
    elif item.kind == "code" and item.value.isdecimal() and len(item.value) < 16:
        if not {*param.words} & {"number", "id", "code", "account", "pin", "room", "table"}:
            return 0.0, None
        value, base = int(item.value), 0.75
    elif item.kind == "ordinal" and {*param.words} & {
        "index",
        "number",
        "position",
        "floor",
        "option",
        "choice",
        "item",
    }:
        base = 1.0
    else:
        return 0.0, None
    if param.kind == "integer" and value != int(value):
        return 0.0, None
    if (param.least is not None and value < param.least) or (
        param.most is not None and value > param.most
    ):
        return 0.0, None
    return base, int(value) if param.kind == "integer" else value


def _clock(param: Param, value: time) -> str:
    return (
        value.strftime("%H:%M")
        if "hh:mm" in param.description.lower() and "ss" not in param.description.lower()
        else value.isoformat()
    )


def _choose(param: Param, heard: Utterance, out: Filled, *, asked: bool) -> None:
    if param.kind == "enum":
        hits = match_choice(param.choices, heard, all_of=param.many)
        if not hits and set(map(str, param.choices)) <= {"True", "False"}:
            flag = match_boolean(param, heard, asked=asked)
            hits = [] if flag is None else [(0, 0, flag)]
        if hits:
            out.values[param.path] = [h[2] for h in hits] if param.many else hits[0][2]
            for start, end, _ in hits if param.many else hits[:1]:
                out.tokens |= set(range(start, end))
    elif param.kind == "boolean":
        flag = match_boolean(param, heard, asked=asked)
        if flag is not None:
            out.values[param.path] = [flag] if param.many else flag


def _items(value: str) -> list[str]:
    parts = value.replace(" and ", ", ").split(",")
    return [p.strip() for p in parts if p.strip()]


def _mark(heard: Utterance, value: str, tokens: set[int]) -> None:
    at = heard.raw.find(value)
    if at >= 0:
        tokens |= {
            i for i, t in enumerate(heard.tokens) if t.start >= at and t.end <= at + len(value)
        }


def nest(values: dict[Path, Any]) -> dict[str, Any]:
    """Arguments by name from values by path: `{("guest", "name"): "Ada"}` gives an object."""
    out: dict[str, Any] = {}
    for path, value in values.items():
        node = out
        for part in path[:-1]:
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            node = inner
        else:
            node[path[-1]] = value
    return out


def unnest(tool: Tool, arguments: dict[str, Any]) -> dict[Path, Any]:
    """Values by path from an earlier call's arguments; what the schema lacks is dropped."""
    out: dict[Path, Any] = {}
    for param in tool.params:
        node: Any = arguments
        for part in param.path:
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            out[param.path] = node
    return out
