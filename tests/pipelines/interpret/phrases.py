"""A small world that can be said in four languages: words, and how sentences are made of them.

Each language has its own order: adjectives behind the noun, "ne … pas" around the verb, verbs at
the end of German clauses, prefixes that part from them. The sentences are made from the same
thoughts, so what one means in the other language is known and not translated.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace

PEOPLE = """
teacher|professeur m|Lehrer m|profesor m
neighbour|voisin m|Nachbar m|vecino m
doctor|médecin m|Arzt m|médico m
sister|sœur f|Schwester f|hermana f
daughter|fille f|Tochter f|hija f
woman|femme f|Frau f|mujer f
"""
THINGS = """
house/houses|maison/maisons f|Haus/Häuser n|casa/casas f
garden/gardens|jardin/jardins m|Garten/Gärten m|jardín/jardines m
car/cars|voiture/voitures f|Auto/Autos n|coche/coches m
book/books|livre/livres m|Buch/Bücher n|libro/libros m
table/tables|table/tables f|Tisch/Tische m|mesa/mesas f
lamp/lamps|lampe/lampes f|Lampe/Lampen f|lámpara/lámparas f
bicycle/bicycles|vélo/vélos m|Fahrrad/Fahrräder n|bicicleta/bicicletas f
letter/letters|lettre/lettres f|Brief/Briefe m|carta/cartas f
"""
PLACES = """
station|gare f|Bahnhof m|estación f
school|école f|Schule f|escuela f
kitchen|cuisine f|Küche f|cocina f
office|bureau m|Büro n|despacho m
"""
# French: masculine/feminine, + where it stands before the noun; Spanish: masculine/feminine.
ADJECTIVES = """
red|rouge/rouge|rot|rojo/roja
blue|bleu/bleue|blau|azul/azul
old|vieux/vieille +|alt|viejo/vieja
big|grand/grande +|groß|grande/grande
beautiful|beau/belle +|schön|bonito/bonita
expensive|cher/chère|teuer/teur|caro/cara
"""
# English base/past/third person; French je/il/nous/ils/infinitive/participle; German ich/er/wir,
# participle, infinitive, prefix; Spanish yo/él/nosotros/ellos/infinitive, then the past.
VERBS = """
see/saw/sees|vois/voit/voyons/voient/voir/vu|sehe/sieht/sehen/gesehen/sehen/|veo/ve/vemos/ven/ver/vi/vio/vimos/vieron
buy/bought/buys|achète/achète/achetons/achètent/acheter/acheté|kaufe/kauft/kaufen/gekauft/kaufen/|compro/compra/compramos/compran/comprar/compré/compró/compramos/compraron
sell/sold/sells|vends/vend/vendons/vendent/vendre/vendu|verkaufe/verkauft/verkaufen/verkauft/verkaufen/|vendo/vende/vendemos/venden/vender/vendí/vendió/vendimos/vendieron
find/found/finds|trouve/trouve/trouvons/trouvent/trouver/trouvé|finde/findet/finden/gefunden/finden/|encuentro/encuentra/encontramos/encuentran/encontrar/encontré/encontró/encontramos/encontraron
paint/painted/paints|peins/peint/peignons/peignent/peindre/peint|male/malt/malen/gemalt/malen/|pinto/pinta/pintamos/pintan/pintar/pinté/pintó/pintamos/pintaron
bring/brought/brings|apporte/apporte/apportons/apportent/apporter/apporté|bringe/bringt/bringen/mitgebracht/mitbringen/mit|traigo/trae/traemos/traen/traer/traje/trajo/trajimos/trajeron
clean/cleaned/cleans|nettoie/nettoie/nettoyons/nettoient/nettoyer/nettoyé|räume/räumt/räumen/aufgeräumt/aufräumen/auf|limpio/limpia/limpiamos/limpian/limpiar/limpié/limpió/limpiamos/limpiaron
say/said/says|dis/dit/disons/disent/dire/dit|sage/sagt/sagen/gesagt/sagen/|digo/dice/decimos/dicen/decir/dije/dijo/dijimos/dijeron
"""
MODALS = {
    "can": ("can", "peux/peut/pouvons/peuvent", "kann/kann/können", "puedo/puede/podemos/pueden"),
    "must": ("must", "dois/doit/devons/doivent", "muss/muss/müssen", "debo/debe/debemos/deben"),
}
PRONOUNS = {
    "1s": ("I", "je", "ich", "yo"),
    "3s": ("he", "il", "er", "él"),
    "1p": ("we", "nous", "wir", "nosotros"),
    "3p": ("they", "ils", "sie", "ellos"),
}
TIMES = {
    "today": ("today", "aujourd'hui", "heute", "hoy"),
    "tomorrow": ("tomorrow", "demain", "morgen", "mañana"),
    "evening": ("in the evening", "le soir", "am Abend", "por la noche"),
}
PREPOSITIONS = {
    "near": ("near", "près de", "bei", "cerca de"),
    "with": ("with", "avec", "mit", "con"),
    "behind": ("behind", "derrière", "hinter", "detrás de"),
}
JOINTS = {
    "and": ("and", "et", "und", "y"),
    "but": ("but", "mais", "aber", "pero"),
    "because": ("because", "parce que", "weil", "porque"),
    "when": ("when", "quand", "wenn", "cuando"),
    "that": ("that", "que", "dass", "que"),
    "who": ("who", "qui", "", "que"),
}
HANGING = frozenset({"because", "when", "that", "who"})
ORDER = ("en", "fr", "de", "es")
PERSONS = ("1s", "3s", "1p", "3p")

UNITS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen"
    " fourteen fifteen sixteen seventeen eighteen nineteen".split(),
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze"
    " quinze seize dix-sept dix-huit dix-neuf".split(),
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn"
    " fünfzehn sechzehn siebzehn achtzehn neunzehn".split(),
}
TENS = {
    "en": {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty"},
    "fr": {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante"},
    "de": {20: "zwanzig", 30: "dreißig", 40: "vierzig", 50: "fünfzig"},
}
HUNDRED = {"en": "hundred", "fr": "cent", "de": "hundert"}


@dataclass(frozen=True)
class Noun:
    """A noun in all languages: (singular, plural, gender) by the place in `ORDER`."""

    key: str
    forms: tuple[tuple[str, str, str], ...]
    person: bool = False


def _nouns(table: str, *, person: bool = False) -> dict[str, Noun]:
    made = {}
    for line in table.strip().splitlines():
        forms = []
        for cell in line.split("|"):
            word, _, gender = cell.partition(" ")
            one, _, many = word.partition("/")
            forms.append((one, many or one, gender))
        key = forms[0][0]
        made[key] = Noun(key, tuple(forms), person)
    return made


NOUNS = _nouns(PEOPLE, person=True) | _nouns(THINGS) | _nouns(PLACES)
PEOPLE_KEYS = list(_nouns(PEOPLE))
THING_KEYS = list(_nouns(THINGS))
PLACE_KEYS = list(_nouns(PLACES))
ADJECTIVE = {line.split("|")[0]: line.split("|") for line in ADJECTIVES.strip().splitlines()}
VERB = {
    line.split("/")[0]: [cell.split("/") for cell in line.split("|")]
    for line in VERBS.strip().splitlines()
}
DEEDS = [key for key in VERB if key != "say"]


@dataclass(frozen=True)
class Thing:
    """A noun phrase: "the red house of the teacher", "two hundred and five books"."""

    noun: str
    adjectives: tuple[str, ...] = ()
    number: int = 0
    owner: str = ""
    the: bool = True


@dataclass(frozen=True)
class Clause:
    """Who does what; `subject` is a person ("1s") or a noun; one may hang on it ("who …")."""

    subject: str
    verb: str
    thing: Thing | None
    tense: str = "present"  # or "past", or a modal
    negated: bool = False
    place: tuple[str, str] | None = None
    time: str = ""
    joint: str = ""
    who: Clause | None = field(default=None)

    @property
    def person(self) -> str:
        return self.subject if self.subject in PERSONS else "3s"


# -- saying things


def number_words(number: int, language: str) -> str:
    if number < 20:
        return UNITS[language][number]
    if number < 100:
        tens, unit = TENS[language][number - number % 10], number % 10
        if not unit:
            return tens
        if language == "de":
            return f"{UNITS['de'][unit]}und{tens}"
        joined = f"{tens} et un" if language == "fr" and unit == 1 else ""
        return joined or f"{tens}-{UNITS[language][unit]}"
    hundreds, rest = divmod(number, 100)
    one = "one hundred" if language == "en" else HUNDRED[language]
    words = one if hundreds == 1 else f"{UNITS[language][hundreds]} {HUNDRED[language]}"
    if not rest:
        return words.replace(" ", "") if language == "de" else words
    if language == "de":
        return words.replace(" ", "") + number_words(rest, language)
    link = " and " if language == "en" else " "
    return words + link + number_words(rest, language)


def thing_words(thing: Thing, language: str, case: str = "acc", *, figures: bool) -> list[str]:
    at = ORDER.index(language)
    noun, many = NOUNS[thing.noun], thing.number > 1
    one, several, gender = noun.forms[at]
    word = several if many else one
    words: list[str] = []
    if thing.number:
        words += [str(thing.number)] if figures else number_words(thing.number, language).split()
    elif thing.the:
        words.append(article(language, gender, case))
    before, behind = [], []
    for key in thing.adjectives:
        form, front = adjective(key, language, gender, many=many, case=case)
        (before if front else behind).append(form)
    words += [*before, word, *behind]
    if thing.owner:
        owner = NOUNS[thing.owner].forms[at]
        if language == "en":
            words += ["of", "the", owner[0]]
        elif language == "de":
            words += ["der", owner[0]] if owner[2] == "f" else ["des", genitive(owner[0])]
        else:
            words += ["de", article(language, owner[2]), owner[0]]
    return words


def genitive(noun: str) -> str:
    return "Arztes" if noun == "Arzt" else "Nachbarn" if noun == "Nachbar" else noun + "s"


def article(language: str, gender: str, case: str = "acc") -> str:
    if language == "de":
        table = {"nom": "der die das", "acc": "den die das", "dat": "dem der dem"}[case].split()
        return table["mfn".index(gender)]
    return {"en": {"": "the"}, "fr": {"m": "le", "f": "la"}, "es": {"m": "el", "f": "la"}}[
        language
    ][gender]


def adjective(key: str, language: str, gender: str, *, many: bool, case: str) -> tuple[str, bool]:
    row = ADJECTIVE[key]
    if language == "en":
        return row[0], True
    if language == "de":
        stem = row[2].split("/")[-1]
        ending = "e" if many or case == "nom" or (case == "acc" and gender != "m") else "en"
        return stem + ending, True
    cell, _, front = row[ORDER.index(language)].partition(" ")
    form = cell.split("/")["mf".index(gender)]
    if many and not form.endswith("x"):
        form += {"azul": "es", "beau": "x"}.get(form, "s")
    return form, bool(front)


def verb_words(clause: Clause, language: str) -> tuple[list[str], list[str]]:
    """The verb where it stands in a main clause, and what of it ends the clause (German)."""
    forms, person = VERB[clause.verb][ORDER.index(language)], PERSONS.index(clause.person)
    modal = MODALS.get(clause.tense)
    no = clause.negated
    if language == "en":
        base, past, third = forms
        if modal:
            return [
                "cannot" if no and modal[0] == "can" else modal[0],
                *(["not"] if no and modal[0] != "can" else []),
                base,
            ], []
        if clause.tense == "past":
            return (["did", "not", base] if no else [past]), []
        if no:
            return ["does" if clause.person == "3s" else "do", "not", base], []
        return [third if clause.person == "3s" else base], []
    if language == "fr":
        pas = (["ne"], ["pas"]) if no else ([], [])
        if modal:
            return [*pas[0], modal[1].split("/")[person], *pas[1], forms[4]], []
        if clause.tense == "past":
            return [*pas[0], "ai a avons ont".split()[person], *pas[1], forms[5]], []
        return [*pas[0], forms[person], *pas[1]], []
    if language == "es":
        pre = ["no"] if no else []
        if modal:
            return [*pre, modal[3].split("/")[person], forms[4]], []
        return [*pre, forms[5 + person if clause.tense == "past" else person]], []
    nicht = ["nicht"] if no else []
    at = min(person, 2)
    if modal:
        return [modal[2].split("/")[at]], [*nicht, forms[4]]
    if clause.tense == "past":
        return ["habe hat haben".split()[at]], [*nicht, forms[3]]
    prefix = [forms[5]] if forms[5] else []
    return [forms[at]], [*nicht, *prefix]


def clause_words(clause: Clause, language: str, *, figures: bool = False) -> list[str]:
    """A clause, with its marks."""
    at = ORDER.index(language)
    joint = JOINTS[clause.joint][at] if clause.joint else ""
    words = joint.split()
    if language == "de" and clause.joint == "who":
        words = [article("de", NOUNS[clause.subject].forms[at][2], "nom")]
    elif clause.joint != "who":
        if clause.subject in PERSONS:
            words.append(PRONOUNS[clause.subject][at])
        else:
            words += thing_words(Thing(clause.subject), language, "nom", figures=figures)
    if clause.who:
        inner = clause_words(replace(clause.who, subject=clause.subject), language, figures=figures)
        if language == "de":
            words[-1] += ","
            inner[-1] += ","
        words += inner
    rest: list[str] = []
    if clause.thing:
        rest += thing_words(clause.thing, language, figures=figures)
    if clause.place:
        rest += [*PREPOSITIONS[clause.place[0]][at].split()]
        rest += thing_words(Thing(clause.place[1]), language, "dat", figures=figures)
    if clause.time:
        rest += TIMES[clause.time][at].split()
    first, last = verb_words(clause, language)
    if language != "de":
        return words + first + rest
    if clause.joint not in HANGING:
        return words + first + rest + last
    # The finite verb comes last, one with its prefix.
    if clause.tense == "present" and VERB[clause.verb][2][5]:
        return words + rest + [*last[:-1], last[-1] + first[0]]
    return words + rest + last + first


def sentence(clauses: list[Clause], language: str, *, figures: bool = False) -> str:
    """A sentence with its marks: a comma before what hangs, in German before "aber", too."""
    words: list[str] = []
    for clause in clauses:
        made = clause_words(clause, language, figures=figures)
        hangs = clause.joint in HANGING and language == "de"
        if words and (hangs or clause.joint == "but"):
            words[-1] += ","
        words += made
    text = finish(" ".join(words), language)
    return text[0].upper() + text[1:] + "."


def finish(text: str, language: str) -> str:
    """Write words that touch as one: "de le" is "du", "le école" is "l'école"."""
    if language == "fr":
        text = re.sub(r"\bde le\b(?= [^aeiouéèêàœh])", "du", text)
        text = re.sub(r"\b([LlDdJjNn])[ea] (?=[aeiouéèêàœh])", r"\1'", text)
        text = re.sub(r"\b([Qq])ue (?=[aeiouéèêàœh])", r"\1u'", text)
    if language == "es":
        text = re.sub(r"\bde el\b", "del", text)
    return text


# -- what is said


def talk(rng: random.Random, count: int, *, long: bool = False) -> list[list[Clause]]:
    """Sentences of one to three clauses, as they are spoken; or `long` ones, as in print."""
    return [[_spoken(each, rng, long=long) for each in _sentence(rng)] for _ in range(count)]


def _spoken(clause: Clause, rng: random.Random, *, long: bool) -> Clause:
    """Leave a clause two of what may be said beside its subject, verb and object."""
    thing = clause.thing
    if long or thing is None:
        return clause
    there = {
        "adjectives": thing.adjectives,
        "number": thing.number,
        "owner": thing.owner,
        "place": clause.place,
        "time": clause.time,
    }
    said = [name for name, value in there.items() if value]
    for name in rng.sample(said, max(0, len(said) - 2)):
        if name in {"place", "time"}:
            clause = replace(clause, **{name: None if name == "place" else ""})
        else:
            empty = {"adjectives": (), "number": 0, "owner": ""}[name]
            thing = replace(thing, **{name: empty})
    return replace(clause, thing=thing)


def _sentence(rng: random.Random) -> list[Clause]:
    first = _clause(rng)
    shape = rng.random()
    if shape < 0.35:
        return [first]
    if shape < 0.6:
        return [first, _clause(rng, joint=rng.choice(["and", "but"]))]
    if shape < 0.85:
        return [first, _clause(rng, joint=rng.choice(["because", "when"]))]
    says = Clause(rng.choice(PEOPLE_KEYS), "say", None)
    return [says, _clause(rng, joint="that")]


def _clause(rng: random.Random, joint: str = "") -> Clause:
    subject = rng.choice([*PERSONS, *rng.sample(PEOPLE_KEYS, 4)])
    number = rng.choice([0, 0, 0, 0, 2, 5, 12, 25, 100, 205, 340])
    thing = Thing(
        rng.choice(THING_KEYS),
        tuple(rng.sample(list(ADJECTIVE), rng.choice([0, 1, 1, 1]))),
        number=number,
        owner=rng.choice(["", "", "", rng.choice(PEOPLE_KEYS)]),
    )
    who = None
    if subject in NOUNS and rng.random() < 0.25:
        who = replace(_simple(rng), joint="who")
    made = Clause(
        subject,
        rng.choice(DEEDS),
        thing,
        tense=rng.choice(["present", "present", "past", "past", "can", "must"]),
        negated=rng.random() < 0.25,
        joint=joint,
        who=who,
    )
    if not who and rng.random() < 0.35:
        made = replace(made, place=(rng.choice(list(PREPOSITIONS)), rng.choice(PLACE_KEYS)))
    if rng.random() < 0.3:
        made = replace(made, time=rng.choice(list(TIMES)))
    return made


def _simple(rng: random.Random) -> Clause:
    return Clause("3s", rng.choice(DEEDS), Thing(rng.choice(THING_KEYS)))
