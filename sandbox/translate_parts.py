"""Parts of a sentence, as the English says them and the other language puts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Language, Word
from vivavoce.sandbox.translate_numbers import spelled

Person = int
"""0 to 5: I, thou, he, we, you, they."""
Role = Literal["subject", "object", "liked", "after", "with", "predicate"]

PRONOUNS: dict[str, tuple[Person, bool, bool]] = {
    "i": (0, False, False), "you": (4, False, False), "he": (2, False, False),
    "she": (2, True, False), "it": (2, False, False), "we": (3, False, True),
    "they": (5, False, True),
}  # fmt: skip
"""English subject pronouns: person, feminine, plural."""
_SUBJECTS = {
    "fr": {
        "i": "je",
        "you": "vous",
        "he": "il",
        "she": "elle",
        "it": "il",
        "we": "nous",
        "they": "ils",
    },
    "es": {"i": "", "you": "usted", "he": "él", "she": "ella", "it": "", "we": "", "they": ""},
}
# Direct and indirect object, and behind a preposition.
_OBJECTS: dict[str, dict[str, tuple[str, str, str]]] = {
    "fr": {
        "me": ("me", "me", "moi"), "you": ("vous", "vous", "vous"), "him": ("le", "lui", "lui"),
        "her": ("la", "lui", "elle"), "it": ("le", "lui", "cela"), "us": ("nous", "nous", "nous"),
        "them": ("les", "leur", "eux"),
    },
    "es": {
        "me": ("me", "me", "mí"), "you": ("le", "le", "usted"), "him": ("lo", "le", "él"),
        "her": ("la", "le", "ella"), "it": ("lo", "le", "eso"), "us": ("nos", "nos", "nosotros"),
        "them": ("los", "les", "ellos"),
    },
}  # fmt: skip
OBJECTS = frozenset(_OBJECTS["fr"])
"""English object pronouns."""
_OWN = {
    "fr": {"my": "mon ma mes", "your": "votre votre vos", "his": "son sa ses", "her": "son sa ses",
           "its": "son sa ses", "our": "notre notre nos", "their": "leur leur leurs"},
    "es": {"my": "mi mi mis", "your": "su su sus", "his": "su su sus", "her": "su su sus",
           "its": "su su sus", "our": "nuestro nuestra nuestros nuestras", "their": "su su sus"},
}  # fmt: skip
_POINTING = {
    "fr": {"this": "ce cette ces", "these": "ce cette ces", "that": "ce cette ces",
    "those": "ce cette ces"},
    "es": {"this": "este esta estos estas", "these": "este esta estos estas",
           "that": "ese esa esos esas", "those": "ese esa esos esas"},
}  # fmt: skip
_QUANTITIES = {
    "fr": {"every": "chaque", "each": "chaque", "all": "tout toute tous toutes",
    "no": "aucun aucune aucun aucune",
           "another": "un_autre une_autre d'autres", "many": "beaucoup_de", "much": "beaucoup_de",
           "few": "peu_de", "little": "peu_de", "several": "plusieurs", "both": "les_deux",
           "enough": "assez_de", "more": "plus_de", "less": "moins_de", "fewer": "moins_de",
           "most": "la_plupart_des", "which": "quel quelle quels quelles",
           "what": "quel quelle quels quelles",
           "how many": "combien_de", "how much": "combien_de", "some": "du de_la des",
           "any": "du de_la des",
           "such": "un_tel une_telle de_tels de_telles"},
    "es": {"every": "cada", "each": "cada", "all": "todo toda todos todas",
    "no": "ningún ninguna ningún ninguna",
           "another": "otro otra otros otras", "many": "mucho mucha muchos muchas",
           "much": "mucho mucha muchos muchas", "few": "poco poca pocos pocas",
           "little": "poco poca pocos pocas", "several": "varios varias varios varias",
           "both": "ambos ambas ambos ambas", "enough": "suficiente suficiente suficientes",
           "more": "más", "less": "menos", "fewer": "menos", "most": "la_mayoría_de",
           "which": "qué", "what": "qué", "how many": "cuántos cuántas cuántos cuántas",
           "how much": "cuánto cuánta cuántos cuántas", "some": "un_poco_de un_poco_de unos unas",
           "any": "algún alguna algunos algunas", "such": "tal tal tales"},
}  # fmt: skip
DETERMINERS = frozenset({"the", "a", "an", *_OWN["fr"], *_POINTING["fr"], *_QUANTITIES["fr"]})
"""English words that begin a noun phrase."""


@dataclass(slots=True)
class Subject:
    """Whom a verb and an adjective agree with.

    Attributes:
        person: 0 to 5.
        feminine: Its gender.
        plural: Whether it is several.
        pronoun: The English pronoun, "" for a noun.
        who: It is a person.
    """

    person: Person = 2
    feminine: bool = False
    plural: bool = False
    pronoun: str = ""
    who: bool = False


@dataclass(slots=True)
class Described:
    """An adjective of a noun phrase: adverbs before it, the word, and its degree."""

    word: Word
    adverbs: list[str] = field(default_factory=list)
    degree: str = ""


@dataclass(slots=True)
class Phrase:
    """A noun phrase.

    Attributes:
        determiner: The English one; "" is none.
        number: What is counted, in words or figures of the target; "" is nothing.
        value: What the number is worth.
        adjectives: In the English order.
        nouns: The words of a compound, its head last.
        plural: Whether it is several.
        name: It is a proper name, without an article.
        owner: Whose it is: words that come behind.
        place: A country, which has an article in French only.
        more: It is one more, or two.
    """

    determiner: str = ""
    number: str = ""
    value: float = 0
    adjectives: list[Described] = field(default_factory=list)
    nouns: list[Word] = field(default_factory=list)
    plural: bool = False
    name: bool = False
    owner: list[str] = field(default_factory=list)
    place: bool = False
    more: bool = False

    @property
    def feminine(self) -> bool:
        """The gender of its head."""
        return bool(self.nouns) and self.nouns[-1].feminine

    @property
    def subject(self) -> Subject:
        """What a verb agrees with."""
        who = self.name or (bool(self.nouns) and self.nouns[-1].link in {"who", "job"})
        return Subject(5 if self.plural else 2, self.feminine, self.plural, who=who)


def subject_pronoun(pronoun: str, language: Language) -> str:
    """Return a subject pronoun; Spanish leaves most of them out."""
    return _SUBJECTS[language][pronoun]


def object_pronoun(pronoun: str, language: Language, *, dative: bool = False) -> str:
    """Return an object pronoun that stands at the verb."""
    return _OBJECTS[language][pronoun][1 if dative else 0]


def stressed_pronoun(pronoun: str, language: Language) -> str:
    """Return a pronoun that stands behind a preposition."""
    return _OBJECTS[language][pronoun][2]


def chosen(forms: str, *, feminine: bool, plural: bool) -> str:
    """Choose among "mon ma mes" or four forms."""
    some = forms.split()
    if len(some) == 1:
        return some[0].replace("_", " ")
    place = (3 if feminine and len(some) > 3 else 2) if plural else 1 if feminine else 0
    return some[min(place, len(some) - 1)].replace("_", " ")


def rendered(phrase: Phrase, language: Language, role: Role, *, negated: bool = False) -> list[str]:
    """Return a noun phrase's words.

    Args:
        phrase: What to put.
        language: Into which language.
        role: Where it stands: what has no article in English has one there, or not.
        negated: It is the object of a verb that is negated.
    """
    if language == "fr":
        return _french(phrase, role, negated=negated)
    return _spanish(phrase, role, negated=negated)


def _french(phrase: Phrase, role: Role, *, negated: bool) -> list[str]:
    feminine, plural = phrase.feminine, phrase.plural
    head = phrase.nouns[-1] if phrase.nouns else None
    noun = "" if head is None else french.plural(head.text, head.other) if plural else head.text
    before, behind = [], []
    for each in phrase.adjectives:
        text = french.adjective(each.word.text, each.word.other, feminine=feminine, plural=plural)
        extra = {"more": ["plus"], "most": ["plus"]}.get(each.degree, [])
        if each.word.before and not each.adverbs:
            before += [*extra, text]
        elif each.degree == "most" and phrase.determiner:
            behind += [
                french.article(definite=True, feminine=feminine, plural=plural),
                "plus",
                text,
            ]
        else:
            behind += [*each.adverbs, *extra, text]
    of = [word for other in reversed(phrase.nouns[:-1]) for word in ("de", other.text)]
    det = _french_determiner(phrase, role, negated=negated, before=bool(before))
    if phrase.more:
        behind += ["de", "plus"]
    number = [phrase.number] if phrase.number else []
    if phrase.number == "un" and feminine:
        number = ["une"]
    return [*det, *number, *before, *([noun] if noun else []), *of, *behind, *phrase.owner]


def _french_determiner(phrase: Phrase, role: Role, *, negated: bool, before: bool) -> list[str]:
    feminine, plural, det = phrase.feminine, phrase.plural, phrase.determiner
    definite = french.article(definite=True, feminine=feminine, plural=plural)
    if det in _OWN["fr"]:
        return [chosen(_OWN["fr"][det], feminine=feminine, plural=plural)]
    if det in _POINTING["fr"]:
        return [chosen(_POINTING["fr"][det], feminine=feminine, plural=plural)]
    if det == "the" or (phrase.owner and not det):
        return [definite]
    if det in {"a", "an"}:
        if (
            role == "predicate"
            and phrase.nouns
            and not phrase.adjectives
            and phrase.nouns[-1].link == "job"
        ):
            return []
        return ["de"] if negated else ["une" if feminine else "un"]
    if det == "all":
        return [chosen(_QUANTITIES["fr"]["all"], feminine=feminine, plural=plural), definite]
    if det == "some" and plural and role == "subject":
        return ["certaines" if feminine else "certains"]
    if det in {"some", "any"}:
        if negated or (det == "any" and role == "after"):
            return ["de"]
        return ["des"] if plural else ["de", definite]
    if det == "no" and negated:
        return ["aucune" if feminine else "aucun"]
    if det in _QUANTITIES["fr"]:
        return [chosen(_QUANTITIES["fr"][det], feminine=feminine, plural=plural)]
    if phrase.place:
        return [definite]
    if phrase.name or phrase.number or role in {"predicate", "with"}:
        return []
    if role in {"subject", "liked"}:
        return [definite]
    if negated:
        return ["de"]
    if role == "after":
        return [definite]
    return (["de"] if before else ["des"]) if plural else ["de", definite]


def _spanish(phrase: Phrase, role: Role, *, negated: bool) -> list[str]:
    feminine, plural = phrase.feminine, phrase.plural
    head = phrase.nouns[-1] if phrase.nouns else None
    noun = "" if head is None else spanish.many(head.text, head.other) if plural else head.text
    before, behind = [], []
    for each in phrase.adjectives:
        text = spanish.adjective(each.word.text, feminine=feminine, plural=plural)
        compared = bool(each.degree) and each.word.text not in {"mejor", "peor"}
        if (
            each.word.before
            and not each.adverbs
            and not each.degree
            and head is not None
            and each.word.text in _FRONT
        ):
            before.append(text if plural else spanish.shortened(text, feminine=feminine))
        else:
            behind += [*each.adverbs, *(["más"] if compared else []), text]
    of = [word for other in reversed(phrase.nouns[:-1]) for word in ("de", other.text)]
    number = [phrase.number] if phrase.number else []
    if phrase.number == "un" and feminine:
        number = ["una"]
    elif (
        phrase.value and phrase.value == int(phrase.value) and feminine and phrase.number.isalpha()
    ):
        number = [spelled(int(phrase.value), "es", feminine=True)]
    first = (before or [noun])[0]
    det = _spanish_determiner(phrase, role, first)
    if negated and phrase.determiner == "any":
        det = []
    if phrase.more:
        behind.append("más")
    return [*det, *number, *before, *([noun] if noun else []), *of, *behind, *phrase.owner]


_FRONT = frozenset(
    "bueno malo grande mismo otro único primero segundo tercero próximo varios mejor peor"
    " último".split()
)


def _spanish_determiner(phrase: Phrase, role: Role, first: str) -> list[str]:
    feminine, plural, det = phrase.feminine, phrase.plural, phrase.determiner
    definite = spanish.article(definite=True, feminine=feminine, plural=plural, noun=first)
    if det in _OWN["es"]:
        return [chosen(_OWN["es"][det], feminine=feminine, plural=plural)]
    if det in _POINTING["es"]:
        return [chosen(_POINTING["es"][det], feminine=feminine, plural=plural)]
    if det == "the" or (phrase.owner and not det):
        return [definite]
    if det in {"a", "an"}:
        job = role == "predicate" and bool(phrase.nouns) and not phrase.adjectives
        if first.startswith("otr") or (job and phrase.nouns[-1].link == "job"):
            return []
        return [spanish.article(definite=False, feminine=feminine, plural=False, noun=first)]
    if det == "all":
        return [chosen(_QUANTITIES["es"]["all"], feminine=feminine, plural=plural), definite]
    if det == "some" and plural and role == "subject":
        return ["algunas" if feminine else "algunos"]
    if det in _QUANTITIES["es"]:
        return [chosen(_QUANTITIES["es"][det], feminine=feminine, plural=plural)]
    if phrase.place or phrase.name or phrase.number:
        return []
    return [definite] if role in {"subject", "liked"} else []


def manner(word: Word, language: Language) -> str:
    """Make the adverb of an adjective: "easily" is facilement, fácilmente."""
    if language == "es":
        return spanish.adjective(word.text, feminine=True, plural=False) + "mente"
    if word.text.endswith("ant"):
        return word.text[:-3] + "amment"
    if word.text.endswith("ent") and word.text != "lent":
        return word.text[:-3] + "emment"
    if word.text.endswith(("ai", "i", "é", "u")):
        return word.text + "ment"
    return french.adjective(word.text, word.other, feminine=True, plural=False) + "ment"
