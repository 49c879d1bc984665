"""Verbs in a sentence: tense, negation, pronouns and adverbs, in the order of each language."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Language, Word
from vivavoce.sandbox.translate_parts import Subject, object_pronoun, stressed_pronoun


@dataclass(slots=True)
class Verbal:
    """One verb and what goes with it.

    Attributes:
        word: The verb.
        tense: "present", "imperfect", "past", "perfect", "pluperfect", "future", "going",
            "conditional", "past conditional", "progressive", "past progressive", "imperative",
            "infinitive" or "gerund".
        negation: "", or the English "not", "never", "no longer", "nobody", "nothing".
        passive: It is done to the subject.
        direct: An English object pronoun at it.
        indirect: Another, of whom it is given to or told.
        adverbs: English "always" and the like in the target's words, that belong to the verb.
    """

    word: Word
    tense: str = "present"
    negation: str = ""
    passive: bool = False
    direct: str = ""
    indirect: str = ""
    adverbs: list[str] = field(default_factory=list)


_BE = {"fr": Word("être"), "es": Word("ser")}
_HAVE_FR, _HAVE_ES = "avoir", "haber"
_NEGATIONS = {
    "fr": {
        "not": "pas",
        "never": "jamais",
        "no longer": "plus",
        "nothing": "rien",
        "nobody": "personne",
    },
    "es": {"not": "no", "never": "nunca", "no longer": "ya no", "nothing": "no", "nobody": "no"},
}
_SIMPLE = {"progressive": "present", "past progressive": "imperfect"}
_COMPOUND = {
    "past": "present", "perfect": "present", "pluperfect": "imperfect",
    "past conditional": "conditional", "future perfect": "future",
}  # fmt: skip


def verb_words(given: Verbal, subject: Subject, language: Language) -> list[str]:
    """Return a verb's words, with its pronouns, its negation and its adverbs."""
    return _french(given, subject) if language == "fr" else _spanish(given, subject)


def infinitive_negation(negation: str, language: Language) -> list[str]:
    """Return what stands before a negated infinitive."""
    if not negation:
        return []
    if language == "fr":
        return ["ne", _NEGATIONS["fr"].get(negation, "pas")]
    return [_NEGATIONS["es"].get(negation, "no")]


# -- French


def _french(given: Verbal, subject: Subject) -> list[str]:
    base = _BE["fr"] if given.passive else given.word
    verb = french.verb(base.text)
    tense = _SIMPLE.get(given.tense, given.tense)
    person = 4 if subject.pronoun == "you" else subject.person
    pronouns, tail = _french_pronouns(given, verb, person)
    no = _NEGATIONS["fr"].get(given.negation, "")
    if given.word.text.startswith("ne pas"):
        no = no or "pas"
    done = ""
    if given.passive:
        done = _agreed_fr(french.participle(french.verb(given.word.text).head), subject)
    if tense in {"infinitive", "gerund"}:
        form = verb.head if tense == "infinitive" else french.present_participle(verb.head)
        en = ["en"] if tense == "gerund" else []
        return _filled(
            [*(["ne", no] if no else []), *en, *pronouns, form, done, *given.adverbs, *tail]
        )
    if tense == "imperative":
        form = french.conjugated(verb.head, "imperative", person if person == 3 else 4)
        if no:
            return _filled(["ne", *pronouns, form, no, *given.adverbs, *tail])
        behind = _french_behind(given, verb, person)
        return _filled(["-".join([form, *behind]), *given.adverbs, *tail])
    if tense == "going":
        form = french.conjugated("aller", "present", person)
        return _filled(
            [*(["ne"] if no else []), form, no, *given.adverbs, *pronouns, verb.head, done, *tail]
        )
    aux = _COMPOUND.get(tense)
    if aux is not None:
        helper = "être" if verb.with_be else _HAVE_FR
        form = french.conjugated(helper, aux, person)
        participle = french.participle(verb.head)
        if verb.with_be:
            participle = _agreed_fr(participle, subject)
        rest = [participle, done] if no != "personne" else [participle, done, no]
        middle = "" if no == "personne" else no
        words = [*(["ne"] if no else []), *pronouns, form, middle, *_short(given.adverbs), *rest]
        return _filled([*words, *_long(given.adverbs), *tail])
    form = french.conjugated(verb.head, tense, person)
    return _filled([*(["ne"] if no else []), *pronouns, form, no, *given.adverbs, done, *tail])


def _french_pronouns(given: Verbal, verb: french.Verb, person: int) -> tuple[list[str], list[str]]:
    """Return the pronouns before the verb, and its tail, of which one may take the place."""
    tail = verb.tail.split() if verb.tail else []
    pronouns = [french.reflexive(person)] if verb.reflexive else []
    if given.direct:
        if tail and tail[-1] in {"de", "à"}:
            preposition = tail.pop()
            if given.direct == "it":
                return [*pronouns, "en" if preposition == "de" else "y"], tail
            return pronouns, [*tail, preposition, stressed_pronoun(given.direct, "fr")]
        dative = given.word.dative and given.direct != "it" and not given.indirect
        direct = object_pronoun(given.direct, "fr", dative=dative)
        if given.indirect:
            indirect = object_pronoun(given.indirect, "fr", dative=True)
            first = indirect not in {"lui", "leur"}
            return [*pronouns, *((indirect, direct) if first else (direct, indirect))], tail
        return [*pronouns, direct], tail
    if given.indirect:
        pronouns.append(object_pronoun(given.indirect, "fr", dative=True))
    return pronouns, tail


def _french_behind(given: Verbal, verb: french.Verb, person: int) -> list[str]:
    """Return the pronouns behind an imperative."""
    out = [french.reflexive(person if person == 3 else 4)] if verb.reflexive else []
    if given.direct:
        dative = given.word.dative and given.direct != "it" and not given.indirect
        if not (verb.tail and verb.tail.split()[-1] in {"de", "à"}):
            out.append(object_pronoun(given.direct, "fr", dative=dative))
    if given.indirect:
        out.append(object_pronoun(given.indirect, "fr", dative=True))
    return ["moi" if word == "me" else word for word in out]


def _agreed_fr(participle: str, subject: Subject) -> str:
    return french.adjective(participle, "", feminine=subject.feminine, plural=subject.plural)


_MIDDLE = frozenset(
    "toujours souvent déjà encore jamais bien mal vraiment presque beaucoup trop vite aussi"
    " même juste"
    " seulement probablement".split()
)


def _short(adverbs: list[str]) -> list[str]:
    return [word for word in adverbs if word in _MIDDLE]


def _long(adverbs: list[str]) -> list[str]:
    return [word for word in adverbs if word not in _MIDDLE]


# -- Spanish


def _spanish(given: Verbal, subject: Subject) -> list[str]:
    base = _BE["es"] if given.passive else given.word
    verb = spanish.verb(base.text, base.stem)
    person = 2 if subject.pronoun == "you" else subject.person
    tail = verb.tail.split() if verb.tail else []
    pronouns, tail = _spanish_pronouns(given, verb, person, tail)
    no = _NEGATIONS["es"].get(given.negation, "")
    if given.word.text.startswith("no "):
        no = no or "no"
    done = ""
    if given.passive:
        own = spanish.verb(given.word.text, given.word.stem)
        done = spanish.adjective(
            spanish.participle(own.head), feminine=subject.feminine, plural=subject.plural
        )
    tense = given.tense
    if tense == "infinitive perfect":
        return _filled(
            [
                no,
                spanish.enclitic("haber", pronouns),
                spanish.participle(verb.head),
                done,
                *given.adverbs,
                *tail,
            ]
        )
    if tense == "infinitive":
        return _filled([no, spanish.enclitic(verb.head, pronouns), done, *given.adverbs, *tail])
    if tense == "gerund":
        return _filled(
            [
                no,
                spanish.enclitic(spanish.gerund(verb.head, verb.stem), pronouns),
                *given.adverbs,
                *tail,
            ]
        )
    if tense == "imperative":
        if person == 3:
            return _filled(
                ["vamos a", spanish.enclitic(verb.head, pronouns), *given.adverbs, *tail]
            )
        form = spanish.conjugated(verb.head, "imperative", 2, verb.stem)
        if no:
            return _filled([no, *pronouns, form, *given.adverbs, *tail])
        return _filled([spanish.enclitic(form, pronouns), *given.adverbs, *tail])
    if tense == "going":
        form = spanish.conjugated("ir", "present", person)
        return _filled(
            [no, *given.adverbs, form, "a", spanish.enclitic(verb.head, pronouns), done, *tail]
        )
    if tense in {"progressive", "past progressive"} and verb.head not in {"ir", "venir"}:
        aux = spanish.conjugated("estar", _SIMPLE[tense], person)
        doing = spanish.gerund(verb.head, verb.stem)
        return _filled([no, *given.adverbs, *pronouns, aux, doing, done, *tail])
    aux_tense = _COMPOUND.get(tense) if tense != "past" else None
    if aux_tense is not None:
        aux = spanish.conjugated(_HAVE_ES, aux_tense, person)
        return _filled(
            [no, *given.adverbs, *pronouns, aux, spanish.participle(verb.head), done, *tail]
        )
    form = spanish.conjugated(verb.head, _SIMPLE.get(tense, tense), person, verb.stem)
    return _filled([no, *given.adverbs, *pronouns, form, done, *tail])


def _spanish_pronouns(
    given: Verbal, verb: spanish.Verb, person: int, tail: list[str]
) -> tuple[list[str], list[str]]:
    pronouns = [spanish.reflexive(person)] if verb.reflexive else []
    if given.direct:
        if tail and tail[-1] in {"a", "de", "en", "con"}:
            return pronouns, [*tail, stressed_pronoun(given.direct, "es")]
        dative = given.word.dative and given.direct != "it" and not given.indirect
        direct = object_pronoun(given.direct, "es", dative=dative)
        if given.indirect:
            indirect = object_pronoun(given.indirect, "es", dative=True)
            if indirect in {"le", "les"}:
                indirect = "se"
            return [*pronouns, indirect, direct], tail
        return [*pronouns, direct], tail
    if given.indirect:
        pronouns.append(object_pronoun(given.indirect, "es", dative=True))
    return pronouns, tail


def _filled(words: list[str]) -> list[str]:
    return [word for word in words if word]
