"""Slots that words fill: choices, yes or no, names, places and free text."""

import re
from typing import Any

from vivavoce.sandbox.brain_schema import Param
from vivavoce.sandbox.brain_when import DAYPARTS, WEEKDAYS
from vivavoce.sandbox.brain_words import (
    FILLERS,
    STOP,
    Utterance,
    bag,
    content,
    kin,
    likeness,
    listen,
    name_words,
    stem,
)

YES = bag(
    "yes yeah yep yup sure correct right exactly absolutely definitely certainly indeed please ok "
    "okay fine affirmative"
)
NO = bag("no nope nah not never don't negative without")

_ON = bag("on open enable activate lock start up unmute")
_OFF = bag("off close disable deactivate unlock stop down mute shut")
_SWITCH = bag("on off enabled enable state power open closed locked active")

_BOUNDS = bag(
    "at on for to from with under and please tomorrow today tonight because that which who if then "
    "but so in is are was will by until around about of the a an my i it i'd thanks thank now "
    "tonight's or as this"
)
_ADDRESS = bag("street address")
_STREETS = bag("street road avenue lane square drive place way court close boulevard")
_TITLES = bag("mr mrs ms miss mister missus madam sir")
_NAME_CUES = (
    "my name is", "the name is", "name is", "name's", "under the name of", "in the name of",
    "under the name", "under name", "by the name of", "call me", "named", "called", "under",
)  # fmt: skip
_WEAK_NAME_CUES = ("this is", "i'm", "i am", "it's", "it is", "for", "with")
_PLACE_CUES = ("in", "at", "near", "around", "for", "from", "to")
_TEXT_CUES = (
    "saying that", "that says", "saying", "say that", "say", "to tell", "about", "because of",
    "because", "regarding", "concerning", "called", "titled", "reading", "asking",
    "reminding me to",
    "remind me to", "me to", "search for", "look up", "that",
)  # fmt: skip
_SURE_TEXT_CUES = ("saying that", "that says", "saying", "because of", "because", "regarding")
_LEADS = (
    "it's about", "it is about", "it's", "it is", "the name is", "my name is", "name is", "that's",
    "that is", "that would be", "it would be", "i'd like", "i would like", "i want", "i'll take",
    "make it", "let's say", "let's make it", "how about", "i think", "i'm", "i am", "this is",
    "under the name of", "under the name", "under", "for", "in", "at", "to", "from", "with", "just",
    "please",
    "sorry", "no", "actually", "i mean", "i meant", "yes", "well", "um", "uh", "oh", "okay", "so",
    "ok", "erm", "hmm", "tell them", "tell him", "tell her", "say", "the", "a", "an", "my",
    "in the", "hi", "hello", "and", "call me", "of course", "sure",
)  # fmt: skip
_TAILS = bag("please thanks thank you um uh then instead now")


def match_choice(
    choices: tuple[Any, ...], heard: Utterance, *, all_of: bool = False
) -> list[tuple[int, int, Any]]:
    """Enum values that were said: by their words, their stems or a near spelling.

    Returns:
        First token, one past the last, and the value as it stands in the schema; the most
        sure (longest, latest) first.
    """
    hits: list[tuple[float, int, int, Any]] = []
    words = heard.words
    for choice in choices:
        if isinstance(choice, bool):
            continue
        parts = name_words(str(choice)) if isinstance(choice, str) else (str(choice),)
        if not parts:
            continue
        best: tuple[float, int, int] | None = None
        for i in range(len(words) - len(parts) + 1):
            scores = [
                1.0 if p == w else 0.95 if stem(p) == stem(w) else _near(p, w)
                for p, w in zip(parts, words[i : i + len(parts)], strict=True)
            ]
            score = min(scores)
            if score > 0.6 and (best is None or score >= best[0]):
                best = (score, i, i + len(parts))
        # "livingroom" for living_room, and the other way round.
        glued = "".join(parts)
        for i, word in enumerate(words):
            pair = word + words[i + 1] if i + 1 < len(words) else ""
            if len(glued) > 5 and glued in (word, pair) and best is None:
                best = (0.97, i, i + (1 if word == glued else 2))
        if best is not None:
            hits.append((best[0] + 0.1 * len(parts), best[1], best[2], choice))
    hits.sort(key=lambda h: (-h[0], -h[1]))
    if not all_of:
        return [(s, e, c) for _, s, e, c in hits]
    taken: list[tuple[int, int, Any]] = []
    for _, s, e, c in hits:
        if all(e <= a or s >= b for a, b, _ in taken):
            taken.append((s, e, c))
    return sorted(taken, key=lambda t: t[0])


def _near(part: str, word: str) -> float:
    # A misheard word keeps its first letter or its length; short words must be exact.
    if min(len(part), len(word)) < 4 or abs(len(part) - len(word)) > 2:
        return 0.0
    score = likeness(part, word)
    return 0.6 + 0.3 * score if score >= 0.5 and (part[0] == word[0] or score > 0.7) else 0.0


def match_boolean(param: Param, heard: Utterance, *, asked: bool) -> bool | None:
    """Yes or no: as an answer when asked, else by naming (`with breakfast`, `turn it off`)."""
    words = {*heard.words}
    if asked:
        if words & NO:
            return False
        if words & YES or words & {"with"}:
            return True
    if {*param.words} & _SWITCH:
        if words & _OFF:
            return False
        if words & _ON:
            return True
    named = {stem(w) for w in param.words if w not in STOP and w not in {"include", "is", "has"}}
    for i, word in enumerate(heard.words):
        if stem(word) in named:
            before = heard.words[max(0, i - 3) : i]
            return not (NO & {*before} or "without" in before)
    return None


def match_string(param: Param, heard: Utterance, taken: set[int], *, asked: bool) -> str | None:
    """Words that fill a string parameter.

    Args:
        param: A parameter of kind person, place, text, string, code or any.
        heard: The utterance.
        taken: Tokens that other slots have used.
        asked: Whether the utterance answers a question for this very parameter.
    """
    value: str | None = None
    if asked and {*name_words(param.path[-1])} & _ADDRESS:
        return whole_answer(heard, set(), free=True)
    if param.kind == "person":
        value = _person(param, heard, taken)
    elif param.kind == "place":
        value = _place(param, heard, taken)
        if value is not None and {*name_words(param.path[-1])} & _ADDRESS and not _street(value):
            value = None
    elif param.kind == "text":
        value = _text(heard, taken, required=param.required)
    if value is None:
        value = _by_name(param, heard, taken)
    if value is None and asked:
        value = whole_answer(heard, taken, free=param.kind == "text")
        if value is not None and param.kind in {"person", "place"}:
            value = _proper(value)
    return value


def _street(value: str) -> bool:
    words = listen(value).words
    return bool({*words} & _STREETS) or any(w[0].isdigit() for w in words)


def whole_answer(heard: Utterance, taken: set[int], *, free: bool = False) -> str | None:
    """The answer to a question, without its lead-in (`it's`) and politeness (`please`)."""
    start, end = 0, len(heard.tokens)
    while end > start and (heard.words[end - 1] in _TAILS or (not free and end - 1 in taken)):
        end -= 1
    moved = True
    while moved and start < end:
        moved = False
        for lead in sorted(_LEADS, key=len, reverse=True):
            parts = tuple(lead.split())
            if heard.words[start : start + len(parts)] == parts and start + len(parts) < end:
                start, moved = start + len(parts), True
                break
    said = heard.said(start, end).strip(' .,;:!?"')
    alone = heard.words[start:end]
    if not said or all(w in FILLERS or w in {"no", "yes"} for w in alone):
        return None
    return said


def _find(heard: Utterance, cue: str) -> int | None:
    """One past the last (so the latest-said) occurrence of a cue phrase."""
    parts = tuple(cue.split())
    for i in range(len(heard.words) - len(parts), -1, -1):
        if heard.words[i : i + len(parts)] == parts:
            return i + len(parts)
    return None


def _take(
    heard: Utterance, start: int, taken: set[int], most: int, bounds: frozenset[str]
) -> tuple[int, int]:
    """Tokens from `start` to the next boundary: punctuation, a boundary word or a used token."""
    while start < len(heard.tokens) and heard.words[start] in {"the", "a", "an", "my"}:
        start += 1
    end = start
    while end < len(heard.tokens) and end - start < most:
        if end in taken or (heard.words[end] in bounds):
            break
        end += 1
        if heard.tokens[end - 1].stop:
            break
    return start, end


def _proper(said: str) -> str:
    """Give a name its capitals when the recogniser gave none."""
    return said if any(c.isupper() for c in said) else said.title().replace("'S", "'s")


def _capital(heard: Utterance, i: int) -> bool:
    token = heard.tokens[i]
    first = heard.raw[token.start]
    return (
        first.isupper()
        and token.text not in STOP
        and token.text not in WEEKDAYS
        and token.text not in DAYPARTS
    )


def _person(param: Param, heard: Utterance, taken: set[int]) -> str | None:
    spelt = _spelt(heard)
    if spelt is not None:
        return spelt
    for i, word in enumerate(heard.words):
        if word in _TITLES:
            start, end = _take(heard, i + 1, taken, 2, _BOUNDS)
            if end > start:
                return _proper(heard.said(start, end))
    cues = [*_NAME_CUES]
    if param.role == "to":
        cues += ["to my", "to", "pay", "send", "for"]
    for cue in cues:
        at = _find(heard, cue)
        if at is None or at in taken:
            continue
        start, end = _take(heard, at, taken, 3, _BOUNDS)
        if (
            end > start
            and heard.words[start] not in STOP
            and (len(cue.split()) > 1 or _capital(heard, start) or heard.raw.islower())
        ):
            if param.role == "to" and cue in {"pay", "send"}:
                end = start + 1
            return _proper(heard.said(start, end))
    for cue in _WEAK_NAME_CUES:
        at = _find(heard, cue)
        if at is None or at >= len(heard.tokens) or at in taken or not _capital(heard, at):
            continue
        start, end = _take(heard, at, taken, 3, _BOUNDS)
        if end > start:
            return heard.said(start, end)
    return None


def _spelt(heard: Utterance) -> str | None:
    """`spelled S M I T H` joined into a name."""
    for cue in ("spelled", "spelt", "spell"):
        at = _find(heard, cue)
        if at is None:
            continue
        letters = []
        for word in heard.words[at:]:
            if len(word) != 1 or not word.isalpha():
                break
            letters.append(word)
        if len(letters) > 1:
            return "".join(letters).title()
    return None


def _place(param: Param, heard: Utterance, taken: set[int]) -> str | None:
    cues: tuple[str, ...] = _PLACE_CUES
    if param.role:
        cues = ("from", "leaving") if param.role == "from" else ("to", "towards", "into", "for")
    best: tuple[bool, int, str] | None = None
    for rank, cue in enumerate(cues):
        at = _find(heard, cue)
        if at is None or at >= len(heard.tokens):
            continue
        start, end = _take(heard, at, taken, 4, _BOUNDS - {"of"})
        if end == start or heard.words[start] in STOP or heard.words[start] in DAYPARTS:
            continue
        while end > start + 1 and heard.words[end - 1] in STOP:
            end -= 1
        value = heard.said(start, end)
        # A capital outweighs the preposition's rank: "for me in Lisbon".
        choice = (not value[:1].isupper(), rank, value)
        if best is None or choice < best:
            best = choice
    if best is not None and not (
        best[0] and best[1] > 2 and not heard.raw.islower() and not param.role
    ):
        return _proper(best[2])
    if param.role:
        return None
    for i in range(1, len(heard.tokens)):
        if _capital(heard, i) and i not in taken:
            start, end = i, i
            while end < len(heard.tokens) and _capital(heard, end) and end not in taken:
                end += 1
            return heard.said(start, end)
    return None


def _text(heard: Utterance, taken: set[int], *, required: bool) -> str | None:
    found: list[tuple[int, int]] = []
    # What may be left out is only filled by words that surely begin it.
    for cue in _TEXT_CUES if required else _SURE_TEXT_CUES:
        parts = tuple(cue.split())
        for i in range(len(heard.words) - len(parts)):
            if heard.words[i : i + len(parts)] == parts and i + len(parts) not in taken:
                found.append((i + len(parts), len(parts)))
                break
    add = re.search(
        r"\b(?:add|put|order|note|write)\b(?: down)? (.+?)"
        r"(?: (?:on|to|in|onto) (?:the|my)\b.*)?[.!?]*$",
        heard.raw,
        re.IGNORECASE,
    )
    if required and add is not None and not found:
        return add[1].strip(" .,") or None
    if required and not found:
        # "remind me in ten minutes | to call mum"
        found += [
            (i + 1, 1)
            for i in range(1, len(heard.words) - 1)
            if heard.words[i] == "to" and i - 1 in taken and i + 1 not in taken
        ]
    if not found:
        return None
    start = min(found, key=lambda f: (f[0] - f[1], -f[1]))[0]
    end = len(heard.tokens)
    while end > start and (
        heard.words[end - 1] in _TAILS
        or end - 1 in taken
        or heard.words[end - 1] in {"at", "on", "by", "in"}
    ):
        end -= 1
    return heard.said(start, end).strip(" .,") or None


def _by_name(param: Param, heard: Utterance, taken: set[int]) -> str | None:
    """`the song called X`, `reference is X`: after a word of the parameter's own name."""
    named = {stem(w) for w in param.words if w not in STOP}
    for i in range(len(heard.words) - 1):
        if stem(heard.words[i]) not in named:
            continue
        j = i + 1
        while j < len(heard.words) - 1 and heard.words[j] in {
            "is",
            "called",
            "named",
            "number",
            "of",
            "to",
            "as",
            "id",
            "code",
            "it's",
        }:
            j += 1
        start, end = _take(heard, j, set() if param.kind == "code" else taken, 6, _BOUNDS)
        if end > start and heard.words[start] not in STOP and not heard.tokens[i].stop:
            return (
                _compact(heard.said(start, end))
                if param.kind == "code"
                else heard.said(start, end).strip(" .,?!")
            )
    return None


def _compact(said: str) -> str:
    """A spoken code as written: `a b one two` is left to the digits' parser, spaces go."""
    return re.sub(r"[\s,.]+", "", said).upper()


def object_of_verb(
    tool_words: tuple[str, ...], description: str, param: Param, heard: Utterance, taken: set[int]
) -> str | None:
    """The words after the verb that chose the tool: `play | hey jude`, when nothing else fits."""
    verbs: set[str] = set()
    for word in (*tool_words[:1], *re.findall(r"[a-z]+", description.lower())[:1]):
        verbs |= kin(stem(word))
    nouns = {stem(w) for w in (*tool_words, *param.words)} | param.cues
    nouns |= {*content(listen(description).words)}
    for i, word in enumerate(heard.words):
        if stem(word) not in verbs:
            continue
        j = i + 1
        while j < len(heard.words) and (
            heard.words[j] in {"the", "a", "an", "some", "me", "for", "up", "my", "to", "about"}
            or stem(heard.words[j]) in nouns
        ):
            j += 1
        start, end = _take(heard, j, taken, 8, frozenset(("please", "at", "tomorrow", "today")))
        value = heard.said(start, end).strip(" .,?!")
        if value and content(heard.words[start:end]):
            return value
    return None
