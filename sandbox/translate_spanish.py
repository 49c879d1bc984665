"""Spanish: conjugation, agreement, contraction and accents, by rule."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

ARTICLE = "\x01"
"""Before an article, which contracts with a preposition; a pronoun alike does not."""

_PRESENT = {
    "a": "o as a amos áis an".split(),
    "e": "o es e emos éis en".split(),
    "i": "o es e imos ís en".split(),
}
_PRETERITE = {
    "a": "é aste ó amos asteis aron".split(),
    "e": "í iste ió imos isteis ieron".split(),
}
_STRONG = "e iste o imos isteis ieron".split()
_IMPERFECT = {
    "a": "aba abas aba ábamos abais aban".split(),
    "e": "ía ías ía íamos íais ían".split(),
}
_FUTURE = "é ás á emos éis án".split()
_CONDITIONAL = "ía ías ía íamos íais ían".split()

# Whole presents; "-" leaves a form to the rules.
_ODD_PRESENT = {
    "ser": "soy eres es somos sois son",
    "estar": "estoy estás está estamos estáis están",
    "haber": "he has ha hemos habéis han",
    "ir": "voy vas va vamos vais van",
    "tener": "tengo tienes tiene tenemos tenéis tienen",
    "venir": "vengo vienes viene venimos venís vienen",
    "decir": "digo dices dice decimos decís dicen",
    "hacer": "hago - - - - -",
    "poner": "pongo - - - - -",
    "salir": "salgo - - - - -",
    "traer": "traigo - - - - -",
    "caer": "caigo - - - - -",
    "saber": "sé - - - - -",
    "dar": "doy das da damos dais dan",
    "ver": "veo - - - veis -",
    "poder": "puedo puedes puede podemos podéis pueden",
    "querer": "quiero quieres quiere queremos queréis quieren",
    "oír": "oigo oyes oye oímos oís oyen",
    "oler": "huelo hueles huele olemos oléis huelen",
    "reír": "río ríes ríe reímos reís ríen",
    "reunir": "reúno reúnes reúne reunimos reunís reúnen",
}
_STEMS = {  # of the preterite
    "estar": "estuv", "tener": "tuv", "hacer": "hic", "poner": "pus", "venir": "vin",
    "decir": "dij",
    "traer": "traj", "saber": "sup", "poder": "pud", "querer": "quis", "haber": "hub",
    "ducir": "duj",
}  # fmt: skip
_ODD_PRETERITE = {
    "ser": "fui fuiste fue fuimos fuisteis fueron",
    "ir": "fui fuiste fue fuimos fuisteis fueron",
    "dar": "di diste dio dimos disteis dieron",
    "ver": "vi viste vio vimos visteis vieron",
    "reír": "reí reíste rio reímos reísteis rieron",
}
_FUTURES = {
    "tener": "tendr", "poner": "pondr", "venir": "vendr", "salir": "saldr", "decir": "dir",
    "hacer": "har", "saber": "sabr", "poder": "podr", "querer": "querr", "haber": "habr",
}  # fmt: skip
_PARTICIPLES = {
    "hacer": "hecho", "decir": "dicho", "poner": "puesto", "ver": "visto", "volver": "vuelto",
    "abrir": "abierto", "cubrir": "cubierto", "escribir": "escrito", "morir": "muerto",
    "romper": "roto", "resolver": "resuelto", "freír": "frito", "scribir": "scrito", "ir": "ido",
}  # fmt: skip
_GERUNDS = {
    "reír": "riendo",
    "ir": "yendo",
    "poder": "pudiendo",
    "decir": "diciendo",
    "venir": "viniendo",
    "ser": "siendo",
}
_SUBJUNCTIVE = {
    "ser": "sea", "estar": "esté", "ir": "vaya", "dar": "dé", "saber": "sepa", "haber": "haya",
}  # fmt: skip
_WEAK_IAR = frozenset("enviar esquiar confiar continuar actuar graduar variar".split())
_REFLEXIVE = ("me", "te", "se", "nos", "os", "se")
_IRREGULAR_WHOLE = frozenset(
    {"ser", "ir", "dar", "ver", "oír", "haber", "estar", "saber", "caer", "poder"}
)


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb taken apart: the infinitive that is conjugated, what stands behind it, and "se"."""

    head: str
    tail: str
    reflexive: bool
    stem: str


@functools.lru_cache(maxsize=2048)
def verb(text: str, stem: str = "") -> Verb:
    """Take a verb of the dictionary apart."""
    head, _, tail = text.partition(" ")
    if head == "no":
        head, _, tail = tail.partition(" ")
    reflexive = head.endswith("se")
    return Verb(re.sub("írse$", "ír", head) if reflexive and head.endswith("írse") else head[:-2]
                if reflexive else head, tail, reflexive, stem)  # fmt: skip


@functools.lru_cache(maxsize=2048)
def _model(head: str, table: str) -> tuple[str, str]:
    """Return the verb of a table that this one is made of, and what stands in front of it."""
    rows = _TABLES[table]
    for start in range(len(head)):
        model = head[start:]
        if model in rows and (start == 0 or model not in _IRREGULAR_WHOLE):
            return model, head[:start]
    return "", ""


_TABLES: dict[str, dict[str, str]] = {
    "present": _ODD_PRESENT,
    "preterite": _ODD_PRETERITE,
    "stem": _STEMS,
    "future": _FUTURES,
    "participle": _PARTICIPLES,
    "gerund": _GERUNDS,
    "subjunctive": _SUBJUNCTIVE,
}


def _kind(head: str) -> str:
    return {"ar": "a", "er": "e", "ir": "i", "ír": "i"}[head[-2:]]


def _bent(stem: str, how: str) -> str:
    """Bend the last vowel of a stem: pens, "ie" is piens."""
    vowel = {"ie": "e", "ue": "o", "i": "e"}[how]
    if how == "ue" and stem == "jug":
        return "jueg"
    place = stem.rfind(vowel)
    return stem if place < 0 else stem[:place] + how + stem[place + 1 :]


def conjugated(head: str, tense: str, person: int, stem: str = "") -> str:
    """Return a simple form of a verb.

    Args:
        head: An infinitive of one word, without "se".
        tense: "present", "imperfect", "past" (the preterite), "future", "conditional",
            "imperative" (usted's, whatever the person).
        person: 0 to 5: yo, tú, él or usted, nosotros, vosotros, ellos or ustedes.
        stem: How its stem bends: "ie", "ue", "i" or "".
    """
    if tense == "present":
        return _present(head, person, stem)
    if tense == "past":
        return _preterite(head, person, stem)
    if tense == "imperfect":
        odd = {"ser": "era eras era éramos erais eran", "ir": "iba ibas iba íbamos ibais iban",
               "ver": "veía veías veía veíamos veíais veían"}.get(head)  # fmt: skip
        return (
            odd.split()[person]
            if odd
            else head[:-2] + _IMPERFECT[_kind(head).replace("i", "e")][person]
        )
    if tense == "imperative":
        return _subjunctive(head, stem)
    if head == "querer" and tense == "conditional":
        return "quisiera quisieras quisiera quisiéramos quisierais quisieran".split()[person]
    model, prefix = _model(head, "future")
    whole = prefix + _FUTURES[model] if model else head.replace("ír", "ir")
    return whole + (_FUTURE if tense == "future" else _CONDITIONAL)[person]


def _present(head: str, person: int, stem: str) -> str:
    model, prefix = _model(head, "present")
    if model and (odd := _ODD_PRESENT[model].split()[person]) != "-":
        return prefix + odd
    base, kind = head[:-2], _kind(head)
    ending = _PRESENT[kind][person]
    strong = person not in {3, 4}
    if strong and stem:
        base = _bent(base, stem)
    if strong and head in _WEAK_IAR:
        base = base[:-1] + {"i": "í", "u": "ú"}[base[-1]]
    if strong and head.endswith("uir") and not head.endswith(("guir", "quir")):
        base += "y"
    if person == 0:
        base = _softened(base, kind, head)
    return base + ending


def _softened(base: str, kind: str, head: str) -> str:
    """Fit a stem to an ending with o or a."""
    if kind == "a":
        return base
    if re.search(r"[aeiou]c[ei]r$", head) and not head.endswith(
        ("mecer_", "cocer", "hacer", "decir")
    ):
        return base[:-1] + "zc"
    if base.endswith("c"):
        return base[:-1] + "z"
    if base.endswith("gu"):
        return base[:-1]
    return base[:-1] + "j" if base.endswith("g") else base


def _preterite(head: str, person: int, stem: str) -> str:
    model, prefix = _model(head, "preterite")
    if model:
        return prefix + _ODD_PRETERITE[model].split()[person]
    model, prefix = _model(head, "stem")
    if model:
        strong = prefix + _STEMS[model]
        if person == 2 and strong.endswith("hic"):
            return strong[:-1] + "zo"
        ending = _STRONG[person]
        return strong + (ending[1:] if strong.endswith("j") and person == 5 else ending)
    base, kind = head[:-2], _kind(head)
    if kind == "a":
        if person == 0:
            base = re.sub("z$", "c", re.sub("c$", "qu", re.sub("g$", "gu", base)))
        return base + _PRETERITE["a"][person]
    if kind == "i" and stem and person in {2, 5}:
        base = (
            _bent(base, "i")
            if stem in {"ie", "i"}
            else base[: base.rfind("o")] + "u" + base[base.rfind("o") + 1 :]
        )
    ending = _PRETERITE["e"][person]
    if re.search("[aeou]$", base) and not head.endswith(("guir", "quir")):
        ending = {"ió": "yó", "ieron": "yeron", "iste": "íste", "imos": "ímos"}.get(ending, ending)
        if base.endswith("u"):
            ending = {"íste": "iste", "ímos": "imos"}.get(ending, ending)
    return base + ending


def _subjunctive(head: str, stem: str) -> str:
    """Return the third person of the present subjunctive: what usted is asked to do."""
    odd = _SUBJUNCTIVE.get(head)
    if odd is not None:
        return odd
    base, kind = _present(head, 0, stem)[:-1], _kind(head)
    if kind == "a":
        base = re.sub("z$", "c", re.sub("c$", "qu", re.sub("g$", "gu", base)))
    return base + ("e" if kind == "a" else "a")


def participle(head: str) -> str:
    """Return the past participle, masculine singular."""
    model, prefix = _model(head, "participle")
    if model and (model != "ir" or not prefix):
        return prefix + _PARTICIPLES[model]
    base = head[:-2]
    if _kind(head) == "a":
        return base + "ado"
    return base + ("ído" if re.search("[aeo]$", base) else "ido")


def gerund(head: str, stem: str = "") -> str:
    """Return "hablando"'s form."""
    model, prefix = _model(head, "gerund")
    if model and (model not in {"ir", "ser"} or not prefix):
        return prefix + _GERUNDS[model]
    base, kind = head[:-2], _kind(head)
    if kind == "a":
        return base + "ando"
    if kind == "i" and stem:
        base = (
            _bent(base, "i")
            if stem in {"ie", "i"}
            else base[: base.rfind("o")] + "u" + base[base.rfind("o") + 1 :]
        )
    return base + ("yendo" if re.search("[aeou]$", base) and not head.endswith("guir") else "iendo")


def reflexive(person: int) -> str:
    """Return the pronoun of a reflexive verb."""
    return _REFLEXIVE[person]


def adjective(text: str, odd: str = "", *, feminine: bool, plural: bool) -> str:
    """Agree an adjective or a participle."""
    if feminine:
        if odd:
            text = odd
        elif " " not in text and text.endswith("o"):
            text = text[:-1] + "a"
        elif text.endswith(("or", "án", "ón")) and text not in {
            "mejor",
            "peor",
            "mayor",
            "menor",
            "exterior",
            "interior",
            "anterior",
            "superior",
            "marrón",
        }:
            text = _unaccented(text) + "a"
        elif text.endswith("és"):
            text = text[:-2] + "esa"
        elif text in {"español", "encantador"}:
            text += "a"
    return (
        many(text)
        if plural and " " not in text and text not in {"bien", "tarde", "estándar"}
        else text
    )


_ACCENTS = str.maketrans("áéíóú", "aeiou")


def _unaccented(text: str) -> str:
    return text[:-2] + text[-2:].translate(_ACCENTS)


def many(text: str, odd: str = "") -> str:
    """Return a noun's plural; of several words the first is bent."""
    if odd:
        return odd
    head, space, tail = text.partition(" ")
    if head.endswith("z"):
        head = head[:-1] + "ces"
    elif re.search("[áéíóú][ns]$", head):
        head = _unaccented(head) + "es"
    elif head.endswith(("s", "x")):
        pass
    elif head in {"examen", "joven", "origen", "orden", "volumen", "imagen"}:
        head = {"examen": "exámenes", "joven": "jóvenes", "origen": "orígenes", "orden": "órdenes",
                "volumen": "volúmenes", "imagen": "imágenes"}[head]  # fmt: skip
    else:
        head += "s" if re.search("[aeiouáéíóú]$", head) else "es"
    return head + space + tail


_STRESSED_A = frozenset(
    {"agua", "alma", "área", "águila", "arma", "hambre", "aula", "acta", "habla"}
)


def article(*, definite: bool, feminine: bool, plural: bool, noun: str = "") -> str:
    """Return an article, marked as such; "el agua" in spite of its gender."""
    if feminine and not plural and noun.split(" ", maxsplit=1)[0] in _STRESSED_A:
        feminine = False
    if definite:
        return ARTICLE + ({(False, False): "el", (True, False): "la", (False, True): "los"}.get(
            (feminine, plural), "las"))  # fmt: skip
    return ("unas" if feminine else "unos") if plural else ("una" if feminine else "un")


def enclitic(form: str, clitics: list[str]) -> str:
    """Attach pronouns to an infinitive, a gerund or an imperative; the stress keeps its place."""
    if not clitics:
        return form
    added = "".join(clitics)
    infinitive = form.endswith("r")
    needs = len(clitics) > 1 if infinitive else len(re.findall("[aeiouáéíóú]+", form)) > 1
    if needs and not re.search("[áéíóú]", form):
        vowels = [match.start() for match in re.finditer("[aeiou]", form)]
        # The vowel that bears the stress: the last syllable's of an infinitive, else the one
        # before.
        groups = [match.span() for match in re.finditer("[aeiou]+", form)]
        start, end = groups[-1] if infinitive or len(groups) < 2 else groups[-2]
        place = next((at for at in range(start, end) if form[at] in "aeo"), end - 1)
        if vowels:
            form = (
                form[:place]
                + form[place].translate(str.maketrans("aeiou", "áéíóú"))
                + form[place + 1 :]
            )
    if form.endswith("s") and added.startswith("nos"):
        form = form[:-1]
    return form + added


_BEFORE_NOUN = {"bueno": "buen", "malo": "mal", "grande": "gran", "primero": "primer",
"tercero": "tercer",
                "alguno": "algún", "ninguno": "ningún"}  # fmt: skip


def shortened(adjective_text: str, *, feminine: bool) -> str:
    """Return the form in front of a noun: "buen", "gran"."""
    if adjective_text == "grande":
        return "gran"
    return adjective_text if feminine else _BEFORE_NOUN.get(adjective_text, adjective_text)


def joined(words: list[str]) -> str:
    """Put words together: contraction (del, al), "e" before i, "u" before o."""
    flat = [piece for word in words for piece in word.split(" ") if piece]
    out: list[str] = []
    for place, word in enumerate(flat):
        following = flat[place + 1].lstrip(ARTICLE).lower() if place + 1 < len(flat) else ""
        if word == ARTICLE + "el" and out and out[-1] in {"a", "de"}:
            out[-1] = {"a": "al", "de": "del"}[out[-1]]
        elif word == "y" and re.match(r"(?:h?i)(?![aeo])", following):
            out.append("e")
        elif word == "o" and re.match(r"h?o|ocho|8", following):
            out.append("u")
        elif word in {"mí", "ti"} and out and out[-1] == "con":
            out[-1] = {"mí": "conmigo", "ti": "contigo"}[word]
        else:
            out.append(word.removeprefix(ARTICLE))
    text = ""
    for word in out:
        text += (
            word
            if not text or text.endswith(("(", "¿", "¡")) or word in {",", ".", ")"}
            else f" {word}"
        )
    return text
