"""Tool results in spoken sentences."""

import json
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from vivavoce.sandbox.brain_history import Result
from vivavoce.sandbox.brain_numbers import plain
from vivavoce.sandbox.brain_schema import hangs_up
from vivavoce.sandbox.brain_when import spoken_date, spoken_time
from vivavoce.sandbox.brain_words import bag, name_words, sentence, spoken_list

_LONGEST = 900  # characters of a tool's own sentence that are said
_MOST_ITEMS = 5
_ASKING = bag(
    "get find list search check fetch look lookup query show retrieve read what is has "
    "count current"
)
_ERROR_KEYS = ("error", "errors", "detail", "exception")
_TEXT_KEYS = (
    "message",
    "summary",
    "text",
    "answer",
    "description",
    "result",
    "results",
    "value",
    "data",
    "output",
    "content",
    "items",
)
_DULL_KEYS = bag("id uuid type object status ok success code timestamp created updated")
_ERROR_TEXT = re.compile(
    r"^\s*(?:error|exception|failed|failure|traceback|[A-Z]\w+(?:Error|Exception))\b[:\s-]*",
    re.IGNORECASE,
)
_GOOD = bag("ok okay success succeeded successful done completed")


def verbalise(results: Sequence[Result], *, now: datetime) -> str:
    """One or two sentences for each result, errors apologised for; never empty."""
    said: list[str] = []
    for result in results[:8]:
        line = _one(result, now)
        if line and line not in said:
            said.append(line)
    return " ".join(said) or "That is done."


def _one(result: Result, now: datetime) -> str:
    value = _read(result.content)
    fault = _fault(value)
    if fault is not None:
        why = f" {sentence(fault)}" if fault else ""
        return f"I am sorry, that did not work.{why}"
    if hangs_up(result.name):
        return "Goodbye."
    noun, asks = _noun(result.name), _asks(result.name)
    if isinstance(value, str):
        text = " ".join(value.split())
        if not text or text.lower() in _GOOD:
            return "I found nothing." if asks and not text else "That is done."
        spoken = _scalar(text, now)
        if len(text) > _LONGEST:
            text = text[:_LONGEST].rsplit(" ", 1)[0]
        if len(text.split()) < 3 and noun and asks:
            return f"The {noun} is {spoken}."
        return sentence(spoken)
    if value is None:
        return f"I found no {noun or 'answer'}." if asks else "That is done."
    if isinstance(value, bool):
        if asks:
            return "Yes." if value else "No, I am afraid not."
        return "That is done." if value else "I am sorry, that did not work."
    if isinstance(value, int | float):
        return (
            f"The {noun} is {_scalar(value, now)}."
            if noun
            else sentence(f"It is {_scalar(value, now)}")
        )
    if isinstance(value, list):
        return _list(value, noun, now)
    return _dict(value, noun, asks=asks, now=now)


def _read(content: str) -> Any:
    text = content.strip()
    if not text or len(text) > 200_000:
        return text[:_LONGEST]
    if text[0] not in '{["0123456789-tfnN':
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    # An ISO date or a code such as 007 is text although it looks like JSON's beginning.
    return (
        value
        if isinstance(value, dict | list | bool | int | float | str) or value is None
        else text
    )


def _fault(value: Any) -> str | None:
    """The reason when a result is an error (perhaps empty), None when it is none."""
    if isinstance(value, str):
        match = _ERROR_TEXT.match(value)
        return value[match.end() :].strip()[:300] if match is not None else None
    if not isinstance(value, dict):
        return None
    for key in _ERROR_KEYS:
        error = value.get(key)
        if error is None or error is False or error in ("", [], {}):
            continue
        return _reason(error)
    if (
        value.get("ok") is False
        or value.get("success") is False
        or str(value.get("status")).lower() in {"error", "failed", "failure"}
    ):
        return _reason(value.get("message") or value.get("reason") or "")
    return None


def _reason(error: Any, depth: int = 0) -> str:
    if isinstance(error, str):
        return error[:300]
    if isinstance(error, dict) and depth < 4:
        for key in ("message", "msg", "reason", "detail", "description"):
            if error.get(key):
                return _reason(error[key], depth + 1)
    if isinstance(error, list) and error and depth < 4:
        parts = [_reason(e, depth + 1) for e in error[:2]]
        return ", ".join(p for p in parts if p)
    return ""


def _asks(name: str) -> bool:
    words = name_words(name)
    return (
        not words
        or words[0] in _ASKING
        or len(words) == 1
        or words[-1] in {"weather", "balance", "status"}
    )


def _noun(name: str) -> str:
    words = list(name_words(name))
    while words and words[0] in _ASKING:
        words.pop(0)
    return " ".join(words)


def _scalar(value: Any, now: datetime) -> str:
    """A value for the ear: ISO dates and times in words, numbers without needless digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return str(plain(round(value, 2))) if abs(value) < 1e15 else "a very large number"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else "a very large number"
    text = " ".join(str(value).split())[:_LONGEST]
    if re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", text):
        try:
            return spoken_time(time.fromisoformat(text))
        except ValueError:
            return text
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return spoken_date(date.fromisoformat(text), now.date())
        except ValueError:
            return text
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}[0-9:.+Z-]*", text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        return f"{spoken_date(moment.date(), now.date())} at {spoken_time(moment.time())}"
    return text.replace("_", " ") if re.fullmatch(r"[a-z]+(_[a-z]+)+", text) else text


def _list(items: list[Any], noun: str, now: datetime) -> str:
    if not items:
        return f"I found no {noun or 'results'}."
    said = [_item(i, now) for i in items[:_MOST_ITEMS]]
    said = [s for s in said if s]
    more = len(items) - _MOST_ITEMS
    if not said:
        return f"I found {len(items)} {noun or 'results'}."
    if more > 0:
        said.append(f"{more} more")
    if len(items) == 1:
        return sentence(f"I found one: {said[0]}")
    if noun.endswith("s"):
        return sentence(f"The {noun} are {spoken_list(said)}")
    return sentence(f"I found {len(items)}: {spoken_list(said)}")


def _item(item: Any, now: datetime) -> str:
    if isinstance(item, dict):
        pairs = [
            (k, v)
            for k, v in item.items()
            if str(k).lower() not in _DULL_KEYS
            and not str(k).endswith("_id")
            and not isinstance(v, dict | list)
        ]
        parts = []
        for key, value in (pairs or list(item.items()))[:4]:
            label = " ".join(name_words(str(key)))
            plainly = str(key).lower() in {
                "name",
                "title",
                "time",
                "date",
                "day",
                "label",
                "text",
                "description",
            }
            if isinstance(value, dict | list):
                continue
            parts.append(
                _scalar(value, now)
                if plainly or isinstance(value, str)
                else f"{label} {_scalar(value, now)}"
            )
        return " ".join(parts) if len(parts) < 3 else ", ".join(parts)
    if isinstance(item, list):
        return " ".join(_scalar(i, now) for i in item[:4] if not isinstance(i, dict | list))
    return _scalar(item, now)


def _dict(value: dict[Any, Any], noun: str, *, asks: bool, now: datetime) -> str:
    texts = {str(k).lower(): v for k, v in value.items()}
    if not texts:
        return f"I found no {noun or 'answer'}." if asks else "That is done."
    if {*texts} <= {"ok", "success", "done"}:
        return "That is done." if all(texts.values()) else "I am sorry, that did not work."
    if len(texts) == 1 or {*texts} <= {*_TEXT_KEYS} | _DULL_KEYS:
        for key in _TEXT_KEYS:
            inner = texts.get(key)
            if isinstance(inner, str) and inner.strip():
                return sentence(_scalar(inner, now))
            if isinstance(inner, list):
                return _list(inner, noun or key, now)
            if isinstance(inner, dict) and inner and len(texts) <= 2:
                return _dict(inner, noun, asks=asks, now=now)
    parts: list[str] = []
    lead = ""
    for key, inner in texts.items():
        label = " ".join(name_words(key)) or key
        if inner is None or (key in _DULL_KEYS and len(texts) > 1 and key != "status"):
            continue
        if isinstance(inner, bool):
            if label.endswith(
                (
                    "ed",
                    "available",
                    "open",
                    "free",
                    "ready",
                    "full",
                    "on",
                    "possible",
                    "valid",
                    "sent",
                    "active",
                )
            ):
                lead = f"It is {'' if inner else 'not '}{label}."
            else:
                parts.append(f"{label} is {_scalar(inner, now)}")
        elif key == "status":
            good = isinstance(inner, str) and inner.lower() in _GOOD
            lead = (
                "That is done."
                if good
                else f"The status is {_scalar(inner, now)}."
                if not isinstance(inner, dict | list)
                else lead
            )
        elif isinstance(inner, list):
            spoken = [s for s in (_item(i, now) for i in inner[:_MOST_ITEMS]) if s]
            extra = [f"{len(inner) - _MOST_ITEMS} more"] if len(inner) > _MOST_ITEMS else []
            parts.append(
                f"the {label} {_be(label)} {spoken_list([*spoken, *extra])}"
                if spoken
                else f"there are no {label}"
            )
        elif isinstance(inner, dict):
            spoken_inner = _item(inner, now)
            if spoken_inner:
                parts.append(f"the {label} is {spoken_inner}")
        elif key in {"message", "summary", "text", "note"}:
            lead = f"{lead} {sentence(_scalar(inner, now))}".strip()
        else:
            parts.append(f"the {label} {_be(label)} {_scalar(inner, now)}")
    body = sentence(spoken_list(parts[:6]))
    return f"{lead} {body}".strip() or "That is done."


def _be(label: str) -> str:
    return "are" if label.endswith("s") and not label.endswith(("ss", "us")) else "is"
