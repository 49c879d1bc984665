"""What a system prompt tells: facts to answer with, who speaks, how to greet, whether to echo."""

import math
import re
from datetime import datetime
from functools import lru_cache

from vivavoce.sandbox.brain_route import keywords
from vivavoce.sandbox.brain_words import bag, content, kin, likeness, listen, sentence

FACT = 0.4
"""From this score on a sentence of the prompt answers a question."""

_ORDERS = bag(
    "keep answer be never always do don't use speak ask say greet repeat respond reply avoid if "
    "when remember help you your make talk offer let stay write try only act pretend please "
    "introduce confirm call mention translate echo begin end do not follow think take"
)
_ECHO = re.compile(
    r"\b(repeat|echo|parrot)\b.{0,40}\b(caller|user|they|everything|back|word for word|"
    r"what(ever)?|verbatim)\b|\bword for word\b|\bverbatim\b",
    re.IGNORECASE,
)
_TRANSLATE = re.compile(r"\b(translate|interpreter|interpret|translator)\b", re.IGNORECASE)
_QUOTE = re.compile(
    r"\b(?:greet|greeting|say|start|begin|open|answer|introduce)\b[^\n\"“«]{0,60}"
    r"[\"“«]\s*([^\"”»]{2,200}?)\s*[\"”»]",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"\b(?:you are|you're|act as)\s+((?:[A-Z]\w*|an? |the )[^.\n;!?]{1,100})", re.IGNORECASE
)
_FOR = re.compile(
    r"\b(?:for|at|of)\s+((?:the\s+)?[A-Z][\w'&’-]*(?:\s+(?:[A-Z&][\w'’-]*|of|de|du|la|le|and|the))*)"
)

# A line that goes on in small letters is the same sentence, wrapped.
_UNWRAP = re.compile(r"(?<=[\w,;])[ \t]*\n[ \t]*(?=[a-z])")


def _seen(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_HINTS = (
    (("when",), _seen(r"\b(am|pm|o'clock|noon|midnight|from|until|monday|[0-9]|daily|day)\b")),
    (("where",), _seen(r"\b(street|road|avenue|square|floor|at|in|near|next|corner|opposite)\b")),
    (("how", "much"), re.compile(r"[0-9€$£]|\b(euro|dollar|pound|cost|free)", re.IGNORECASE)),
    (("how", "many"), _seen(r"[0-9]|\b(one|two|three|four|five|six|seven|eight|nine|ten)\b")),
    (("who",), re.compile(r"\b[A-Z][a-z]+\b")),
)  # fmt: skip


@lru_cache(maxsize=64)
def sentences(system: str) -> tuple[str, ...]:
    """The prompt's sentences in order, without bullets and markdown marks."""
    out: list[str] = []
    for line in _UNWRAP.sub(" ", system).splitlines():
        bare = re.sub(r"^\s*(?:[-*•#>]+|[0-9]+[.)])\s*", "", line).replace("**", "").strip()
        out += [s.strip() for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\"“'0-9])", bare) if s.strip()]
    return tuple(out[:300])


@lru_cache(maxsize=64)
def facts(system: str) -> tuple[str, ...]:
    """Sentences that inform, rather than instruct the assistant."""
    out = []
    for text in sentences(system):
        words = listen(text).words
        if len(words) < 3 or words[0] in _ORDERS or text.endswith((":", "?")):
            continue
        out.append(text)
    return tuple(out)


def find_fact(system: str, question: str, *, now: datetime) -> tuple[float, int]:
    """The fact that answers best: its score (0 to 1) and its index in `facts`, or -1."""
    asked = keywords(question, now)
    known = facts(system)
    if not asked or not known:
        return 0.0, -1
    stems = [_stems(f) for f in known]
    heard = listen(question).words
    weights = []
    for word, said in asked:
        df = sum(1 for s in stems if kin(word) & s)
        rare = math.log(1 + (len(known) + 1) / (df + 0.5))
        weights.append(said * (rare if df else 0.55 * rare))
    total, best = sum(weights) + 0.3, (0.0, -1)
    for index, (fact, known_stems) in enumerate(zip(known, stems, strict=True)):
        got = 0.0
        for (word, _), weight in zip(asked, weights, strict=True):
            if word in known_stems:
                got += weight
            elif kin(word) & known_stems:
                got += 0.8 * weight
            elif len(word) > 3:
                near = max((likeness(word, k) for k in known_stems if k[0] == word[0]), default=0.0)
                got += 0.7 * near * weight if near > 0.6 else 0.0
        score = got / total
        if score > 0:
            for cue, pattern in _HINTS:
                if any(heard[i : i + len(cue)] == cue for i in range(len(heard))):
                    score += 0.12 if pattern.search(fact) else -0.08
        if score > best[0]:
            best = (score, index)
    return best


@lru_cache(maxsize=1024)
def _stems(fact: str) -> frozenset[str]:
    return frozenset(content(listen(fact).words))


def tell(system: str, index: int, *, now: datetime, question: str, long: bool) -> str:
    """Say fact `index`; `long` goes on with what belongs to it, up to six sentences."""
    known = facts(system)
    picked = [index]
    if long:
        order = sentences(system)
        at = order.index(known[index])
        # What follows belongs to it until the prompt turns to instructions.
        for text in order[at + 1 : at + 8]:
            if text not in known or len(picked) >= 6:
                break
            picked.append(known.index(text))
    else:
        # A second sentence that answers as well: "closed on Mondays" beside "open from six".
        asked = {w for w, said in keywords(question, now) if said >= 0.9}
        for other in (index - 1, index + 1):
            if 0 <= other < len(known) and asked:
                both = sum(1 for w in asked if kin(w) & _stems(known[other]))
                if both / len(asked) >= 0.6:
                    picked.append(other)
                    break
    return " ".join(sentence(known[i]) for i in sorted(set(picked)))


def about(system: str, question: str, *, now: datetime) -> bool:
    """Whether a question is about what the prompt as a whole describes, and it tells of it."""
    topics = {w for w, _ in keywords(question, now)}
    own = {*content(listen(system).words)}
    return bool(facts(system)) and any(kin(t) & own for t in topics)


def more_after(system: str, last: str) -> str:
    """The facts after those that were last said, for "tell me more"; empty at the end."""
    known = facts(system)
    said = [i for i, fact in enumerate(known) if fact.rstrip(".!")[:40] in last]
    if not said:
        return ""
    return " ".join(sentence(f) for f in known[said[-1] + 1 : said[-1] + 5])


def echoes(system: str) -> bool:
    """Whether the prompt asks to repeat the caller's words."""
    return bool(_ECHO.search(system)) and "never repeat" not in system.lower()


def translates(system: str) -> bool:
    """Whether the prompt asks for translation, which rules cannot do."""
    return bool(_TRANSLATE.search(system))


def identity(system: str) -> str:
    """How the prompt names the speaker (`Ava, the assistant of Acme`), or empty."""
    match = _WHO.search(system)
    if match is None:
        return ""
    who = re.split(r"\s+(?:who|that|and you|which)\b|,\s*(?:and|who)\b", match[1])[0].strip(" ,")
    return who if len(who.split()) <= 14 else ""


def place(system: str) -> str:
    """The business the prompt speaks for (`Chez Marie`), or empty."""
    match = _FOR.search(system)
    return re.sub(r"\s+(?:of|de|du|la|le|and|the)$", "", match[1]) if match is not None else ""


def greeting(system: str) -> str:
    """A quoted greeting of the prompt, or one made from the name it gives, or empty."""
    quoted = _QUOTE.search(system)
    if quoted is not None:
        return sentence(quoted[1])
    who, where = identity(system), place(system)
    if who and who.split()[0][0].isupper():
        return f"Hello, this is {who}. How may I help you?"
    if where:
        return f"Hello, this is {where}. How may I help you?"
    if who and not who.lower().startswith(("a helpful", "helpful")):
        return f"Hello, I am {who}. How may I help you?"
    return ""
