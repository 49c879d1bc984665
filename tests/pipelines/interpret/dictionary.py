"""A model that translates by dictionary and rule: what is right is known, and what is lost shows.

It knows the words of `phrases`, and what each language does with them. It is given a piece alone,
as any chat model is, and does its best: what the piece does not hold it cannot know. So where
speech is cut at a wrong place, its translation is wrong: the article of a noun that came later,
a verb that is still to come.
"""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.pipelines.interpret.phrases import (
    ADJECTIVE,
    JOINTS,
    MODALS,
    NOUNS,
    ORDER,
    PERSONS,
    PREPOSITIONS,
    PRONOUNS,
    TIMES,
    VERB,
    Clause,
    Thing,
    adjective,
    article,
    finish,
    genitive,
    number_words,
    thing_words,
    verb_words,
)
from vivavoce.pipelines.interpret import prompt
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thought

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[.,?!]")
_ELIDED = re.compile(r"\b(qu|[ldjn])['’]", re.IGNORECASE)
_WHOLE = {"qu": "que", "l": "le", "d": "de", "j": "je", "n": "ne"}
_PAST = {
    "fr": {"ai": "1s", "a": "3s", "avons": "1p", "ont": "3p"},
    "de": {"habe": "1s", "hat": "3s", "haben": "1p"},
}
_NOT = {"fr": {"ne", "pas"}, "de": {"nicht"}, "en": {"not"}}
_HELPS = {"do", "does", "did"}


@dataclass
class Item:
    """Some words that mean something together."""

    kind: str
    key: str = ""
    words: tuple[str, ...] = ()


@dataclass
class Group:
    """A noun with what belongs to it, as far as it was said."""

    the: bool = False
    number: int = 0
    adjectives: list[str] = field(default_factory=list)
    noun: str = ""
    owner: str = ""


@dataclass
class Verb:
    """A verb with what belongs to it, as far as it was said."""

    key: str = ""
    tense: str = ""
    negated: bool = False
    helped: bool = False


@functools.cache
def lexicon(language: str) -> dict[tuple[str, ...], Item]:
    """What is known of a language, by its words in lower case."""
    at = ORDER.index(language)
    known: dict[tuple[str, ...], Item] = {}

    def learn(words: str, kind: str, key: str) -> None:
        said = tuple(_tokens(words, language))
        known.setdefault(said, Item(kind, key, said))

    for table, kind in ((TIMES, "time"), (PREPOSITIONS, "near"), (JOINTS, "joint")):
        for key, forms in table.items():
            learn(forms[at], kind, key)
    for key, forms in PRONOUNS.items():
        learn(forms[at], "pronoun", key)
    for key, (_, *cells) in MODALS.items():
        for form in [key] if language == "en" else cells[at - 1].split("/"):
            learn(form, "modal", key)
    learn("cannot", "cannot", "can")
    for key, cells in VERB.items():
        forms = cells[at]
        for place, form in enumerate(forms):
            kind = _VERB_KINDS[language][place]
            if not form or not kind:
                continue
            if language == "de" and kind == "finite" and forms[5]:
                learn(forms[5] + form, "finite", key)  # "dass er mitbringt"
                learn(form, "parted", key)
                continue
            learn(form, kind, key)
        if language == "de" and forms[5]:
            learn(forms[5], "prefix", key)
    for number in range(2, 1000):
        if number % 100 < 60 or number % 100 == 0:
            learn(number_words(number, language), "number", str(number))
    for key, noun in NOUNS.items():
        learn(noun.forms[at][0], "noun", key)
        learn(noun.forms[at][1], "noun", key)
        if language == "de":
            learn(genitive(noun.forms[at][0]), "noun", key)
    for key in ADJECTIVE:
        for gender in "mf" if language in {"fr", "es"} else "m":
            for many in (False, True):
                for case in ("nom", "acc"):
                    form, _ = adjective(key, language, gender or "m", many=many, case=case)
                    learn(form, "adjective", key)
    for word in {"en": "the", "fr": "le la", "de": "der die das den dem des"}[language].split():
        learn(word, "the", "")
    return known


_VERB_KINDS = {
    "en": ["base", "past", "finite"],
    "fr": ["finite"] * 4 + ["infinitive", "participle"],
    "de": ["finite"] * 3 + ["participle", "infinitive"] + [""],
}


def _tokens(text: str, language: str) -> list[str]:
    if language == "fr":
        text = _ELIDED.sub(lambda found: _WHOLE[found[1].lower()] + " ", text)
        text = re.sub(r"\bdu\b", "de le", text)
    return [each.lower() for each in _TOKEN.findall(text)]


def _items(tokens: Sequence[str], language: str) -> list[Item]:
    """Read words as what is known of them, the longest first."""
    known, items, i = lexicon(language), [], 0
    while i < len(tokens):
        for length in range(min(6, len(tokens) - i), 0, -1):
            said = tuple(tokens[i : i + length])
            if said in known:
                items.append(Item(known[said].kind, known[said].key, said))
                break
        else:
            length = 1
            kind = "mark" if tokens[i] in ".,?!" else "word"
            items.append(Item(kind, tokens[i], (tokens[i],)))
        i += length
    return items


# -- nouns


def _groups(items: list[Item], language: str) -> list[Item | Group]:
    """Put nouns together with what belongs to them."""
    made: list[Item | Group] = []
    i = 0
    while i < len(items):
        group, start = Group(), i
        if items[i].kind == "the" and not _relative(items, i, language):
            group.the = True
            i += 1
        while i < len(items) and items[i].kind in {"number", "adjective"} and not group.noun:
            if items[i].kind == "number":
                group.number = int(items[i].key)
            else:
                group.adjectives.append(items[i].key)
            i += 1
        if i < len(items) and items[i].kind == "noun":
            group.noun = items[i].key
            i += 1
            while language == "fr" and i < len(items) and items[i].kind == "adjective":
                group.adjectives.append(items[i].key)
                i += 1
            i = _owned(items, i, group, language)
        if i == start:
            made.append(items[i])
            i += 1
        else:
            made.append(group)
    return made


def _owned(items: list[Item], i: int, group: Group, language: str) -> int:
    """Read "of the teacher" behind a noun."""
    of = {"en": ("of", "the"), "fr": ("de",), "de": ()}[language]
    said = tuple(word for item in items[i : i + len(of)] for word in item.words)
    if said != of:
        return i
    j = i + len(of)
    if language != "en" and j < len(items) and items[j].kind == "the":
        if language == "de" and items[j].words[0] not in {"des", "der"}:
            return i
        j += 1
    elif language != "en":
        return i
    if j < len(items) and items[j].kind == "noun" and NOUNS[items[j].key].person:
        if group.noun in NOUNS and NOUNS[group.noun].person:
            return i
        group.owner = items[j].key
        return j + 1
    return i


def _relative(items: list[Item], i: int, language: str) -> bool:
    """Whether a German "der" is "who": behind a person, before what a noun's article is not."""
    if language != "de" or i + 1 >= len(items):
        return False
    if i == 0:
        # A piece may begin with it.
        return items[1].kind == "the"
    before = i - 1 if items[i - 1].kind != "mark" else i - 2
    person = before >= 0 and items[before].kind == "noun" and NOUNS[items[before].key].person
    return person and items[i + 1].kind in {"the", "number"}


def _group_words(group: Group, target: str, case: str) -> list[str]:
    if group.noun:
        thing = Thing(group.noun, tuple(group.adjectives), group.number, group.owner, group.the)
        return thing_words(thing, target, case, figures=True)
    words = [article(target, "" if target == "en" else "m")] if group.the else []
    words += [str(group.number)] if group.number else []
    many = group.number > 1
    return words + [
        adjective(key, target, "m", many=many, case=case)[0] for key in group.adjectives
    ]


# -- verbs


def _verbs(items: list[Item | Group], language: str) -> list[Item | Group | Verb]:
    """Put the words of English and French verbs together."""
    made: list[Item | Group | Verb] = []
    verb: Verb | None = None
    for item in items:
        if not isinstance(item, Item) or not _take(verb := verb or Verb(), item, language):
            verb = None
            made.append(item)
        elif not any(each is verb for each in made):
            made.append(verb)
    return made


def _take(verb: Verb, item: Item, language: str) -> bool:
    """Take a word of a verb, if it is one and can still be one of this verb."""
    word = item.words[0]
    if word in _NOT[language]:
        verb.negated = True
    elif item.kind in {"modal", "cannot"} and not verb.key:
        verb.tense, verb.helped = item.key, True
        verb.negated = verb.negated or item.kind == "cannot"
    elif language == "en" and word in _HELPS and not verb.key:
        verb.tense, verb.helped = "past" if word == "did" else "present", True
    elif word in _PAST.get(language, {}) and not verb.key:
        verb.tense, verb.helped = "past", True
    elif item.kind in _VERB_FORMS and not verb.key:
        verb.key = item.key
        verb.tense = verb.tense or ("past" if item.kind in {"past", "participle"} else "present")
    else:
        return False
    return True


_VERB_FORMS = {"base", "past", "finite", "parted", "infinitive", "participle"}


def _verb_words(verb: Verb, person: str, target: str) -> list[str]:
    if verb.key:
        clause = Clause(person, verb.key, None, verb.tense or "present", verb.negated)
        first, last = verb_words(clause, target)
        return first + last
    words = []
    if verb.tense in MODALS:
        at = ORDER.index(target)
        forms = MODALS[verb.tense][at]
        words = [forms.split("/")[PERSONS.index(person)] if target in {"fr", "es"} else forms]
    no = {"fr": ["ne", "pas"], "es": ["no"], "en": ["not"]}[target] if verb.negated else []
    return words + no


# -- German


def _clauses(items: list[Item | Group]) -> list[list[Item | Group]]:
    """Take German speech apart into clauses, by its marks, its conjunctions and its verbs."""
    clauses: list[list[Item | Group]] = [[]]
    hangs = over = finite = False
    for i, item in enumerate(items):
        following = items[i + 1] if i + 1 < len(items) else None
        mark = isinstance(item, Item) and item.kind == "mark"
        joint = isinstance(item, Item) and item.kind == "joint"
        who = isinstance(item, Item) and item.kind == "the"
        verb = isinstance(item, Item) and item.kind in {"finite", "parted", "modal", "helps"}
        subject = _is_subject(item) and isinstance(following, Item)
        subject = (
            subject
            and following is not None
            and following.kind in {"finite", "parted", "modal", "helps"}
        )
        more = False
        if isinstance(item, Item) and item.kind in {"modal", "helps"} and over and clauses[-1]:
            # "kaufen muss", "gekauft hat": "findet muss" are two clauses.
            before = clauses[-1][-1]
            word = before.words[0] if isinstance(before, Item) else ""
            asks = isinstance(clauses[-1][0], Item) and clauses[-1][0].kind == "the"
            more = word.endswith("en") or "ge" in word or (word == "verkauft" and not asks)
        new = joint or who or (hangs and over and not more)
        new = new or (subject and finite and not hangs)
        if new and not mark and clauses[-1]:
            clauses.append([])
            hangs = over = finite = False
        if joint or who:
            hangs = who or (isinstance(item, Item) and item.key in {"because", "when", "that"})
        clauses[-1].append(item)
        if verb:
            finite = True
            over = hangs
        if mark:
            clauses.append([])
            hangs = over = finite = False
    return [clause for clause in clauses if clause]


def _is_subject(item: Item | Group) -> bool:
    if isinstance(item, Group):
        return bool(item.noun) and NOUNS[item.noun].person
    return item.kind == "pronoun"


def _turned(clause: list[Item | Group]) -> list[Item | Group | Verb]:
    """Bring a German clause into the order of an English one."""
    verb = Verb()
    head: list[Item | Group | Verb] = []
    rest: list[Item | Group | Verb] = []
    subject: Item | Group | None = None
    said = False
    for item in clause:
        if isinstance(item, Item) and (item.kind in {"joint", "the"} and not said):
            head.append(Item("joint", "who") if item.kind == "the" else item)
        elif isinstance(item, Item) and item.kind == "helps":
            verb.tense, said = verb.tense if verb.tense in MODALS else "past", True
        elif isinstance(item, Item) and item.kind in {"prefix", "modal", "not", *_VERB_FORMS}:
            said = True
            if item.kind == "not":
                verb.negated = True
            elif item.kind == "modal":
                verb.tense = item.key
            elif item.kind == "prefix":
                verb.key = verb.key or item.key
            else:
                verb.key = item.key
                if not verb.tense and item.kind == "participle":
                    verb.tense = "past"
        elif subject is None and _is_subject(item):
            subject = item
        else:
            rest.append(item)
    if subject is not None:
        head.append(subject)
    if said:
        head.append(verb)
    return head + rest


def _german(items: list[Item]) -> list[Item | Group | Verb]:
    marked: list[Item] = []
    for item in items:
        kind = "not" if item.key == "nicht" else item.kind
        kind = "helps" if item.words[0] in _PAST["de"] else kind
        if item.words == ("mit",):
            kind = "near"
        marked.append(Item(kind, item.key, item.words))
    for i, item in enumerate(marked):
        # A prefix is last in its clause; a preposition has a noun behind it.
        ahead = marked[i + 1].kind if i + 1 < len(marked) else "mark"
        if item.words == ("mit",) and ahead not in {"the", "number", "adjective", "noun"}:
            item.kind, item.key = "prefix", "bring"
        elif item.words == ("mit",):
            item.key = "with"
    return [item for clause in _clauses(_groups(marked, "de")) for item in _turned(clause)]


# -- all of it


def translate(text: str, source: str, target: str) -> str:
    """Translate a text, or a piece of one."""
    items = _items(_tokens(text, source), source)
    ordered = _german(items) if source == "de" else _verbs(_groups(items, source), source)
    words: list[str] = []
    person, at = "3s", ORDER.index(target)
    for item in ordered:
        if isinstance(item, Group):
            person = "3s" if item.noun in NOUNS and NOUNS[item.noun].person else person
            words += _group_words(item, target, "acc")
        elif isinstance(item, Verb):
            words += _verb_words(item, person, target)
        elif item.kind == "mark":
            words[-1:] = [words[-1] + item.key] if words else []
        else:
            if item.kind == "pronoun":
                person = item.key
            if item.words in {("of",), ("de",)}:
                # A piece may begin with it: "of the teacher".
                words.append({"en": "of", "fr": "de", "es": "de"}[target])
                continue
            table = {"time": TIMES, "near": PREPOSITIONS, "joint": JOINTS, "pronoun": PRONOUNS}
            known = table.get(item.kind, {}).get(item.key)
            words += known[at].split() if known else list(item.words)
    return finish(" ".join(words), target)


class Dictionary:
    """`Thinking` that translates: what a chat model is, with these rules behind it.

    Attributes:
        asked: All requests, as they came.
    """

    def __init__(self) -> None:
        self.asked: list[Sequence[dict[str, Any]]] = []

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        self.asked.append(messages)
        between = prompt.languages(messages[0]["content"])
        assert between is not None
        for word in translate(messages[-1]["content"], *between).split(" "):
            yield TextDelta(word + " ")
        yield Finished("stop")
