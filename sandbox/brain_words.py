"""Words of an utterance: tokens, stems, character n-grams and a small English thesaurus."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARS = 4000
"""Longer turns are cut here: nobody says more in one breath, and every call stays in its time."""

_TOKEN = re.compile(
    r"""
    [a-z0-9][a-z0-9._+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)+       # e-mail address
    | [0-9]{4}-[0-9]{2}-[0-9]{2}                            # ISO date
    | [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?                     # clock time
    | [0-9]{1,2}/[0-9]{1,2}(?:/[0-9]{2,4})?                 # 3/5/2026
    | [0-9]+(?:,[0-9]{3})+(?:\.[0-9]+)? | [0-9]+(?:\.[0-9]+)?
    | [$€£%+*/=]
    | [^\W\d_]+(?:'[^\W\d_]+)*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_STOP_MARK = re.compile(r"[,.;:!?…—\n]")
_DOTTED = re.compile(r"\b([ap])\.\s?m\b\.?", re.IGNORECASE)


def bag(words: str) -> frozenset[str]:
    """A set of the words in `words`."""
    return frozenset(words.split())


def row(words: str) -> tuple[str, ...]:
    """The words in `words`, in order."""
    return tuple(words.split())


STOP = bag(
    "a an the i i'd i'll i'm i've me my mine we we'd us our you your yours he she it it's its they "
    "them their this that these those there is am are was were be been being do does did doing "
    "have has had can could would will shall should may might must to of in on at by for from "
    "with into about as and or but if then so than too also just please um uh erm hmm well oh "
    "okay ok yeah yes no not like want need wish get got give let let's make some any all hi "
    "hello hey thanks thank what what's which who whom whose when where why how here now much "
    "many give gonna wanna possible tell know think really very up out off over don't doesn't "
    "isn't can't i'm going help hear sorry mean actually rather instead moment "
    "something anything nothing everything someone"
)

FILLERS = bag("um uh uhm erm er ah hmm mm well so okay ok oh like you know please")

# English, not any agent's: words that callers and tool authors use for one another.
_THESAURUS = (
    "book reserve reservation booking",
    "cancel delete remove drop revoke",
    "transfer send pay wire payment",
    "weather forecast rain sunny umbrella snow cloudy windy temperature outside degrees",
    "light lamp bulb lights",
    "find search look lookup seek",
    "buy order purchase",
    "price cost charge fee expensive cheap",
    "call phone dial ring telephone",
    "change modify update move reschedule edit alter postpone",
    "show list display",
    "thermostat heating temperature warmer colder cooler heat degrees radiator",
    "open opening hours close closed closing opens closes opened",
    "address located location street directions",
    "food menu eat dish dishes meal dinner lunch breakfast",
    "balance money account funds",
    "transaction statement spending spent payments",
    "music song track album tune",
    "alarm wake",
    "timer countdown",
    "reminder remind remember",
    "message text sms",
    "mail email e-mail",
    "train bus flight plane departure departures",
    "doctor appointment physician dentist visit",
    "free available availability vacant",
    "block freeze lock",
    "card debit credit",
    "human person agent operator representative colleague someone staff",
    "package parcel delivery shipment",
    "track status progress",
    "translate translation",
    "news headlines",
    "convert exchange currency",
    "car vehicle taxi cab ride",
    "park parking",
    "dog pet animal pets dogs",
    "allergy allergies allergic allergen gluten vegetarian vegan",
    "complaint complain problem issue broken fault ticket",
    "turn switch",
    "start begin",
    "stop end finish",
    "raise increase higher louder volume",
    "lower decrease quieter reduce",
    "blinds shutters curtains",
    "door gate garage",
)

_SUFFIXES = (
    ("izations", 4), ("ization", 4), ("ations", 4), ("ation", 4), ("ments", 4), ("ment", 5),
    ("ities", 4), ("ings", 3), ("ing", 3), ("ions", 4), ("ion", 4), ("ied", 3), ("ies", 3),
    ("edly", 3), ("ably", 4), ("able", 4), ("ed", 3), ("ers", 4), ("er", 5), ("ly", 4),
    ("ance", 5), ("es", 4), ("s", 3),
)  # fmt: skip
_NO_PLURAL = ("ss", "us", "is", "'s")


@dataclass(frozen=True, slots=True)
class Token:
    """One spoken word.

    Attributes:
        text: Lower case, apostrophes straight.
        start: First character in the utterance's text.
        end: One past the last character.
        stop: True when punctuation follows before the next word.
    """

    text: str
    start: int
    end: int
    stop: bool


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a caller said: the text, its tokens and their texts."""

    raw: str
    tokens: tuple[Token, ...]
    words: tuple[str, ...]

    def said(self, start: int, end: int) -> str:
        """The original text of tokens `start` to `end` (exclusive); empty for an empty span."""
        if start >= end:
            return ""
        return self.raw[self.tokens[start].start : self.tokens[end - 1].end]


@lru_cache(maxsize=256)
def listen(text: str) -> Utterance:
    """Split a transcript into tokens. Never fails; text beyond `MAX_CHARS` is not read."""
    raw = unicodedata.normalize("NFC", text[:MAX_CHARS])
    raw = raw.replace("’", "'").replace("‘", "'").replace("`", "'")
    raw = _DOTTED.sub(r"\1m", raw)
    found = list(_TOKEN.finditer(raw))
    tokens = []
    for index, match in enumerate(found):
        after = found[index + 1].start() if index + 1 < len(found) else len(raw)
        stop = bool(_STOP_MARK.search(raw, match.end(), after))
        tokens.append(Token(match.group().lower(), match.start(), match.end(), stop))
    return Utterance(raw, tuple(tokens), tuple(t.text for t in tokens))


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A light suffix stripper: `reservations`, `reserved` and `reserve` all give `reserv`."""
    word = word.removesuffix("'s")
    if len(word) <= 3 or not word.isalpha():
        return word
    for suffix, least in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= least:
            if suffix == "s" and word.endswith(_NO_PLURAL):
                continue
            word = word[: -len(suffix)] + ("y" if suffix in {"ied", "ies"} else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeosz":
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


@lru_cache(maxsize=8192)
def grams(word: str) -> frozenset[str]:
    """Character 3-grams of one word, with its edges marked."""
    edged = f"<{word}>"
    return frozenset(edged[i : i + 3] for i in range(max(1, len(edged) - 2)))


@lru_cache(maxsize=16384)
def likeness(left: str, right: str) -> float:
    """Dice coefficient of two words' 3-grams, 0 to 1: forgives one misheard syllable."""
    if left == right:
        return 1.0
    a, b = grams(left), grams(right)
    return 2 * len(a & b) / (len(a) + len(b))


_KIN: dict[str, frozenset[str]] = {}
for _line in _THESAURUS:
    _stems = frozenset(stem(w) for w in _line.split())
    for _stem in _stems:
        _KIN[_stem] = _KIN.get(_stem, frozenset()) | _stems


def kin(stemmed: str) -> frozenset[str]:
    """Stems that mean much the same as this one, itself included."""
    return _KIN.get(stemmed, frozenset((stemmed,))) | {stemmed}


def content(words: Iterable[str]) -> list[str]:
    """Stems of the words that carry meaning, in order, repeats kept."""
    return [stem(w) for w in words if w not in STOP and (w[0].isalpha() and len(w) > 1)]


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=1024)
def name_words(name: str) -> tuple[str, ...]:
    """Words of an identifier: `get_freeTables` gives `get`, `free`, `tables`."""
    parted = re.sub(r"[\W_]+", " ", _CAMEL.sub(" ", name[:200]))
    return tuple(parted.lower().split())


def spoken_list(items: list[str], last: str = "and") -> str:
    """Join for the ear: `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def sentence(text: str) -> str:
    """Make text a sentence: trimmed, first letter upper case, a full stop when none is there."""
    text = " ".join(text.split())
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…\"'”»" else text.rstrip(",;:") + "."
