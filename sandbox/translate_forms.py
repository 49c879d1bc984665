"""Every form of every French and Spanish word of the dictionary, with what it is in English."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Entry, Language, dictionary

_TENSES = ("present", "imperfect", "future", "conditional")
# Of several English words for one, these are meant first.
_MEANT = {
    "fr": {
        "être": "be", "avoir": "have", "faire": "do", "attendre": "wait for", "aimer": "like",
        "partir": "leave", "arriver": "arrive", "trouver": "find", "demander": "ask",
        "savoir": "know",
        "regarder": "look at", "écouter": "listen to", "chercher": "look for", "passer": "pass",
        "entrer": "enter",
        "payer": "pay", "revenir": "come back", "monter": "get on", "gagner": "win", "voler": "fly",
        "livre": "book", "livres": "book", "bureau": "office", "temps": "time", "homme": "man",
        "billet": "ticket",
        "boulot": "job", "travail": "work", "directeur": "manager", "vie": "life",
        "femme": "woman", "fin": "end",
        "rester": "stay", "rentrer": "go home", "se sentir": "feel", "appeler": "call",
        "mettre": "put",
        "jouer": "play", "essayer": "try", "parler": "speak", "fêter": "celebrate",
        "commander": "order",
    },
    "es": {
        "ser": "be", "estar": "be", "tener": "have", "hacer": "do", "esperar": "wait for",
        "gustar": "like",
        "salir": "leave", "llegar": "arrive", "encontrar": "find", "preguntar": "ask",
        "pedir": "ask for",
        "saber": "know", "conocer": "know", "mirar": "look at", "escuchar": "listen to",
        "buscar": "look for",
        "querer": "want", "pagar": "pay", "volver": "come back", "llevar": "carry", "ganar": "win",
        "hablar": "speak", "llamar": "call", "poner": "put", "jugar": "play", "pensar": "think",
        "entrar": "enter",
        "padre": "father", "tiempo": "time", "hombre": "man", "billete": "ticket",
        "trabajo": "work", "piso": "flat",
        "necesitar": "need", "ver": "see", "quedarse": "stay", "probar": "try", "subir": "get on",
        "dejar": "let", "perder": "lose", "pasar": "pass", "sentirse": "feel", "obtener": "get",
    },
}  # fmt: skip
_PLURALS = {
    "fr": {"gens": "person"},
    "es": {
        "padres": "parent",
        "hijos": "child",
        "niños": "child",
        "señores": "gentleman",
        "hermanos": "brother",
    },
}
_ODD = {  # verbs without an entry of their own: their English, which is no verb of the dictionary
    "fr": {"pouvoir": "can", "devoir": "must", "falloir": "must", "habiter": "live"},
    "es": {"poder": "can", "deber": "must", "estar": "be", "haber": "have", "conocer": "know"},
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a foreign form may be.

    Attributes:
        kind: "noun", "verb", "adjective" or the section of a fixed word.
        english: The English entry.
        plural: Of a noun or an adjective.
        tense: Of a verb: "present", "imperfect", "past", "future", "conditional", "imperative",
            "infinitive", "participle" or "gerund".
        persons: Which persons the form is.
    """

    kind: str
    english: str
    plural: bool = False
    tense: str = ""
    persons: tuple[int, ...] = ()


@dataclass(slots=True)
class Forms:
    """All forms of a language; keys are lower case, of up to five words."""

    meanings: dict[str, list[Meaning]] = field(default_factory=dict)

    def find(self, text: str, *kinds: str) -> Meaning | None:
        """Return the first meaning of some kinds (any) that a form has."""
        for meaning in self.meanings.get(text, ()):
            if not kinds or meaning.kind in kinds:
                return meaning
        return None

    def add(self, text: str, meaning: Meaning) -> None:
        """Take in a form; of one kind and tense the first meaning stays, with all persons."""
        found = self.meanings.setdefault(text.lower(), [])
        for place, other in enumerate(found):
            if (other.kind, other.tense) == (meaning.kind, meaning.tense):
                if other.english == meaning.english and meaning.persons:
                    persons = tuple(sorted({*other.persons, *meaning.persons}))
                    found[place] = Meaning(
                        other.kind, other.english, other.plural, other.tense, persons
                    )
                return
        found.append(meaning)


@functools.cache
def forms(language: Language) -> Forms:
    """Return all forms of a language (some 100 ms, once)."""
    made = Forms()
    for form, english in _PLURALS[language].items():
        made.add(form, Meaning("noun", english, plural=True))
    for infinitive, english in _ODD[language].items():
        stem = {"poder": "ue"}.get(infinitive, "")
        _verb(made, infinitive, stem, english, language)
    entries = sorted(dictionary().entries, key=lambda entry: _rank(entry, language))
    for entry in entries:
        word = entry.of(language)
        if entry.kind == "verb":
            _verb(made, word.text, word.stem, entry.english, language)
        elif entry.kind == "noun":
            made.add(word.text, Meaning("noun", entry.english, plural=word.plural))
            many = french.plural if language == "fr" else spanish.many
            if not word.plural:
                made.add(many(word.text, word.other), Meaning("noun", entry.english, plural=True))
        elif entry.kind == "adjective":
            for feminine in (False, True):
                for plural in (False, True):
                    form = (
                        french.adjective(word.text, word.other, feminine=feminine, plural=plural)
                        if language == "fr"
                        else spanish.adjective(
                            word.text, word.other, feminine=feminine, plural=plural
                        )
                    )
                    made.add(form, Meaning("adjective", entry.english, plural=plural))
        else:
            made.add(word.text, Meaning(entry.kind, entry.english))
    return made


def _rank(entry: Entry, language: Language) -> int:
    meant = _MEANT[language].get(entry.of(language).text)
    return 0 if meant == entry.english else 1


def _verb(made: Forms, text: str, stem: str, english: str, language: Language) -> None:
    if text.startswith(("ne ", "no ")):
        return
    if language == "fr":
        verb = french.verb(text)
        head, tail = verb.head, f" {verb.tail}" if verb.tail else ""
        lead = "se " if verb.reflexive else ""
        for tense in _TENSES:
            for person in range(6):
                form = lead + french.conjugated(head, tense, person) + tail
                made.add(form, Meaning("verb", english, tense=tense, persons=(person,)))
        made.add(
            lead + french.participle(head) + tail, Meaning("verb", english, tense="participle")
        )
        for feminine, plural in ((True, False), (False, True), (True, True)):
            form = french.adjective(french.participle(head), "", feminine=feminine, plural=plural)
            made.add(
                lead + form + tail, Meaning("verb", english, tense="participle", plural=plural)
            )
        made.add(lead + head + tail, Meaning("verb", english, tense="infinitive"))
        made.add(
            lead + french.present_participle(head) + tail, Meaning("verb", english, tense="gerund")
        )
        return
    own = spanish.verb(text, stem)
    head, tail = own.head, f" {own.tail}" if own.tail else ""
    lead = "se " if own.reflexive else ""
    for tense in (*_TENSES, "past"):
        for person in range(6):
            form = lead + spanish.conjugated(head, tense, person, own.stem) + tail
            made.add(form, Meaning("verb", english, tense=tense, persons=(person,)))
    imperative = spanish.conjugated(head, "imperative", 2, own.stem)
    made.add(lead + imperative + tail, Meaning("verb", english, tense="imperative", persons=(2,)))
    made.add(lead + spanish.participle(head) + tail, Meaning("verb", english, tense="participle"))
    for feminine, plural in ((True, False), (False, True), (True, True)):
        form = spanish.adjective(spanish.participle(head), feminine=feminine, plural=plural)
        made.add(lead + form + tail, Meaning("verb", english, tense="participle", plural=plural))
    made.add(lead + head + tail, Meaning("verb", english, tense="infinitive"))
    made.add(lead + spanish.gerund(head, own.stem) + tail, Meaning("verb", english, tense="gerund"))
