"""French: conjugation, agreement, elision and contraction, by rule."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

Tense = str
"""One of "present", "imperfect", "past", "perfect", "pluperfect", "future", "conditional",
"imperative"."""

ARTICLE = "\x01"
"""Before an article, which contracts with a preposition; a pronoun alike does not."""

_ENDINGS = {
    "imperfect": "ais ais ait ions iez aient".split(),
    "future": "ai as a ons ez ont".split(),
    "conditional": "ais ais ait ions iez aient".split(),
}
# Ending of the infinitive: six forms of the present, stems of imperfect and future, participle.
_IRREGULAR = {
    "être": "suis es est sommes êtes sont|ét|ser|été",
    "avoir": "ai as a avons avez ont|av|aur|eu",
    "aller": "vais vas va allons allez vont|all|ir|allé",
    "faire": "fais fais fait faisons faites font|fais|fer|fait",
    "pouvoir": "peux peux peut pouvons pouvez peuvent|pouv|pourr|pu",
    "vouloir": "veux veux veut voulons voulez veulent|voul|voudr|voulu",
    "devoir": "dois dois doit devons devez doivent|dev|devr|dû",
    "savoir": "sais sais sait savons savez savent|sav|saur|su",
    "falloir": "faut faut faut faut faut faut|fall|faudr|fallu",
    "pleuvoir": "pleut pleut pleut pleut pleut pleut|pleuv|pleuvr|plu",
    "voir": "vois vois voit voyons voyez voient|voy|verr|vu",
    "prévoir": "prévois prévois prévoit prévoyons prévoyez prévoient|prévoy|prévoir|prévu",
    "cevoir": "çois çois çoit cevons cevez çoivent|cev|cevr|çu",
    "asseoir": "assieds assieds assied asseyons asseyez asseyent|assey|assiér|assis",
    "prendre": "prends prends prend prenons prenez prennent|pren|prendr|pris",
    "mettre": "mets mets met mettons mettez mettent|mett|mettr|mis",
    "battre": "bats bats bat battons battez battent|batt|battr|battu",
    "dire": "dis dis dit disons dites disent|dis|dir|dit",
    "interdire": "interdis interdis interdit interdisons interdisez interdisent"
    "|interdis|interdir|interdit",
    "prédire": "prédis prédis prédit prédisons prédisez prédisent|prédis|prédir|prédit",
    "lire": "lis lis lit lisons lisez lisent|lis|lir|lu",
    "crire": "cris cris crit crivons crivez crivent|criv|crir|crit",
    "uire": "uis uis uit uisons uisez uisent|uis|uir|uit",
    "rire": "ris ris rit rions riez rient|ri|rir|ri",
    "boire": "bois bois boit buvons buvez boivent|buv|boir|bu",
    "croire": "crois crois croit croyons croyez croient|croy|croir|cru",
    "plaire": "plais plais plaît plaisons plaisez plaisent|plais|plair|plu",
    "aître": "ais ais aît aissons aissez aissent|aiss|aîtr|u",
    "naître": "nais nais naît naissons naissez naissent|naiss|naîtr|né",
    "indre": "ins ins int ignons ignez ignent|ign|indr|int",
    "soudre": "sous sous sout solvons solvez solvent|solv|soudr|solu",
    "clure": "clus clus clut cluons cluez cluent|clu|clur|clu",
    "suivre": "suis suis suit suivons suivez suivent|suiv|suivr|suivi",
    "vivre": "vis vis vit vivons vivez vivent|viv|vivr|vécu",
    "rompre": "romps romps rompt rompons rompez rompent|romp|rompr|rompu",
    "enir": "iens iens ient enons enez iennent|en|iendr|enu",
    "partir": "pars pars part partons partez partent|part|partir|parti",
    "sortir": "sors sors sort sortons sortez sortent|sort|sortir|sorti",
    "sentir": "sens sens sent sentons sentez sentent|sent|sentir|senti",
    "mentir": "mens mens ment mentons mentez mentent|ment|mentir|menti",
    "dormir": "dors dors dort dormons dormez dorment|dorm|dormir|dormi",
    "servir": "sers sers sert servons servez servent|serv|servir|servi",
    "courir": "cours cours court courons courez courent|cour|courr|couru",
    "mourir": "meurs meurs meurt mourons mourez meurent|mour|mourr|mort",
    "vrir": "vre vres vre vrons vrez vrent|vr|vrir|vert",
    "ffrir": "ffre ffres ffre ffrons ffrez ffrent|ffr|ffrir|ffert",
    "cueillir": "cueille cueilles cueille cueillons cueillez cueillent|cueill|cueiller|cueilli",
    "bouillir": "bous bous bout bouillons bouillez bouillent|bouill|bouillir|bouilli",
    "envoyer": "envoie envoies envoie envoyons envoyez envoient|envoy|enverr|envoyé",
}
_WITH_BE = frozenset(
    "aller venir revenir devenir arriver partir entrer rentrer sortir monter descendre"
    " rester tomber"
    " naître mourir retourner repartir passer".split()
)
_DOUBLING = ("appeler", "jeter", "épeler", "rejeter")
_IMPERATIVE = {"être": "soyez", "avoir": "ayez", "savoir": "sachez", "vouloir": "veuillez"}
_REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")
# Before these the article keeps its vowel.
_ASPIRATED = re.compile(
    r"(?:h(?:aine|all|amac|ameau|anche|andicap|aricot|asard|âte|aut|ero|éros|ibou|ockey|ollande|omard"
    r"|onte|ors|uit|urle|arde|ac|aï)|on[zc]|ouate?|oui|yaourt|yacht|y[aeo])"
)
_VOWEL = re.compile(r"[aeiouyàâäéèêëîïôöùûühœæ]")
_ELIDED = frozenset("je me te se le la de ne que ce jusque lorsque puisque".split())


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb taken apart.

    Attributes:
        head: The infinitive that is conjugated.
        tail: What stands behind it: "besoin de", "d'accord".
        reflexive: It has "se".
    """

    head: str
    tail: str
    reflexive: bool

    @property
    def with_be(self) -> bool:
        """Whether its past is made with être."""
        return self.reflexive or self.head in _WITH_BE


@functools.lru_cache(maxsize=2048)
def verb(text: str) -> Verb:
    """Take a verb of the dictionary apart."""
    reflexive = text.startswith(("se ", "s'"))
    text = re.sub(r"^(?:se |s')", "", text)
    head, _, tail = text.partition(" ")
    if head == "ne":  # "ne pas être d'accord"
        head, tail = "être", "d'accord"
    return Verb(head, tail, reflexive)


@functools.lru_cache(maxsize=2048)
def _irregular(head: str) -> tuple[list[str], str, str, str] | None:
    for start in range(len(head)):
        if (row := _IRREGULAR.get(head[start:])) is None:
            continue
        ending = head[start:]
        # "mettre" is no "être", and "revoir" no "avoir": short ones stand alone.
        if start and ending in {"être", "avoir", "aller", "dire", "devoir", "enir", "naître"}:
            known = ending == "enir" and head[start - 1] in "vt"
            if not known and not (ending == "dire" and head == "redire"):
                continue
        prefix = head[:start]
        present, imperfect, future, participle = row.split("|")
        if head == "inclure":
            participle = "clus"
        return (
            [prefix + form for form in present.split()],
            prefix + imperfect,
            prefix + future,
            prefix + participle,
        )
    return None


def conjugated(head: str, tense: Tense, person: int) -> str:
    """Return a simple form of a verb.

    Args:
        head: An infinitive of one word.
        tense: "present", "imperfect", "future", "conditional" or "imperative".
        person: 0 to 5: je, tu, il, nous, vous, ils.
    """
    if tense == "imperative":
        return _IMPERATIVE.get(head) or conjugated(head, "present", person)
    irregular = _irregular(head)
    if irregular is not None:
        present, imperfect, future, _ = irregular
    else:
        present, imperfect, future = _regular(head)
    if tense == "present":
        return present[person]
    stem = imperfect if tense == "imperfect" else future
    ending = _ENDINGS[tense][person]
    if tense == "imperfect":
        if stem.endswith("g") and head.endswith("er") and ending[0] == "a":
            stem += "e"
        if stem.endswith("c") and head.endswith("er") and ending[0] == "a":
            stem = stem[:-1] + "ç"
    return stem + ending


def _regular(head: str) -> tuple[list[str], str, str]:
    stem = head[:-2]
    if head.endswith("er"):
        strong = _strong(head)
        ours = stem + {"g": "e", "c": ""}.get(stem[-1:], "")
        ours = ours[:-1] + "ç" if stem.endswith("c") else ours
        present = [
            strong + "e",
            strong + "es",
            strong + "e",
            ours + "ons",
            stem + "ez",
            strong + "ent",
        ]
        # é stays in the future (espérerai), è and doubled consonants are there (achèterai).
        future = head if "é" in stem[-3:] and "è" in strong[-3:] else strong + "er"
        return present, stem, future
    if head.endswith("ir"):
        endings = "is is it issons issez issent".split()
        return [stem + ending for ending in endings], stem + "iss", head
    endings = "s s  ons ez ent".split(" ")
    return [stem + ending for ending in endings], stem, head[:-1]


def _strong(head: str) -> str:
    """Return the stem of an -er verb before a mute e."""
    stem = head[:-2]
    if head.endswith(_DOUBLING):
        return stem + stem[-1]
    if head.endswith(("oyer", "uyer", "ayer")):
        return stem[:-1] + "i"
    if match := re.search(r"[eé]([^aeiouéèy]|gn|tr|br|ch|gu)$", stem):
        return stem[: match.start()] + "è" + match[1]
    return stem


def participle(head: str) -> str:
    """Return the past participle, masculine singular."""
    irregular = _irregular(head)
    if irregular is not None:
        return irregular[3]
    return head[:-2] + {"er": "é", "ir": "i", "re": "u"}[head[-2:]]


def present_participle(head: str) -> str:
    """Return "en parlant"'s form."""
    odd = {"être": "étant", "avoir": "ayant", "savoir": "sachant"}
    return odd.get(head) or re.sub("ons$", "", conjugated(head, "present", 3)) + "ant"


def adjective(text: str, odd: str, *, feminine: bool, plural: bool) -> str:
    """Agree an adjective or a participle; `odd` is a feminine against the rules."""
    if " " in text or "'" in text:
        return text
    if feminine:
        text = odd or _feminine(text)
    elif plural and text.endswith("eau"):
        return text + "x"
    elif plural and text.endswith("al") and text not in {"final", "fatal", "naval"}:
        return text[:-2] + "aux"
    return text + "s" if plural and not text.endswith(("s", "x", "z")) else text


def _feminine(text: str) -> str:
    for ending, other in (
        ("eux", "euse"), ("er", "ère"), ("if", "ive"), ("el", "elle"), ("eil", "eille"),
        ("en", "enne"), ("on", "onne"), ("teur", "trice"), ("eur", "euse"),
    ):  # fmt: skip
        if text.endswith(ending):
            return text[: -len(ending)] + other
    return text if text.endswith("e") else text + "e"


def plural(text: str, odd: str = "") -> str:
    """Return a noun's plural; of several words the first is bent, and its adjective."""
    if odd:
        return odd
    head, space, tail = text.partition(" ")
    if head.endswith(("s", "x", "z")):
        many = head
    elif head.endswith("ail") and head in {"travail", "bail", "vitrail"}:
        many = head[:-3] + "aux"
    elif head.endswith("al") and head not in {"bal", "festival", "régal"}:
        many = head[:-2] + "aux"
    elif head.endswith(("eau", "eu", "ou")) and (
        head[-2:] != "ou" or head in {"genou", "bijou", "chou"}
    ):
        many = head + "x"
    else:
        many = head + "s"
    if tail and not re.match(r"(?:de|d'|à|en|pour|sans|côté)", tail):
        tail += "" if tail.endswith(("s", "x", "z", "e t")) else "s"
    return many + space + tail


def article(*, definite: bool, feminine: bool, plural: bool) -> str:
    """Return an article, marked as such."""
    if definite:
        return ARTICLE + ("les" if plural else "la" if feminine else "le")
    return "des" if plural else "une" if feminine else "un"


def reflexive(person: int) -> str:
    """Return the pronoun of a reflexive verb."""
    return _REFLEXIVE[person]


def vowel(word: str) -> bool:
    """Whether a word begins with a vowel or a mute h, so that "le" before it is "l'"."""
    word = word.lower()
    return bool(word) and _VOWEL.match(word) is not None and _ASPIRATED.match(word) is None


_SOFT = {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil", "fou": "fol", "ce": "cet"}
_SOFT_OWN = {"ma": "mon", "ta": "ton", "sa": "son"}
_CONTRACTED = {
    ("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux",
}  # fmt: skip


def joined(words: list[str]) -> str:
    """Put words together: contraction (du, aux), elision (l', d'), soft forms (bel, cet)."""
    flat = [piece for word in words for piece in word.split(" ") if piece]
    out: list[str] = []
    for place, word in enumerate(flat):
        following = flat[place + 1] if place + 1 < len(flat) else ""
        bare = following.lstrip(ARTICLE)
        before = out[-1] if out else ""
        if word.startswith(ARTICLE):
            plain = word[1:]
            if plain in {"le", "la"} and vowel(bare):
                out.append("l'")
                continue
            short = _CONTRACTED.get((before, plain))
            if short is not None:
                out[-1] = short
                continue
            out.append(plain)
        elif word in _ELIDED and vowel(bare) and not re.fullmatch(r"y a.*|[\W\d]+", bare):
            out.append(word[:-1] + "'")
        elif word == "si" and bare in {"il", "ils"}:
            out.append("s'")
        elif word in _SOFT_OWN and vowel(bare):
            out.append(_SOFT_OWN[word])
        elif word in _SOFT and vowel(bare) and _followed(flat, place):
            out.append(_SOFT[word])
        else:
            out.append(word)
    text = ""
    for word in out:
        text += (
            word if not text or text.endswith(("'", "(")) or word in {",", ".", ")"} else f" {word}"
        )
    return text


def _followed(flat: list[str], place: int) -> bool:
    """Whether what follows is a noun or adjective that the soft form goes with."""
    word, following = flat[place], flat[place + 1]
    return following not in {"et", "est", "à", "en", "ou", "était"} and (
        word != "ce" or following != "est"
    )
