"""Words: whether what was said so far can stand, judged by its last words.

An end-of-turn model hears the tune; the words say more. A sentence that ends in "the" or "I'd
like" is never over, whatever it sounded like; nor is half a phone number. Closed classes of words
per language do most of it: articles, prepositions, conjunctions, auxiliaries, pronouns that must
be followed by a verb, fillers. What they do not settle is left to the voice.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

# Words after which more must come.
_OPEN: dict[str, str] = {
    "en": """
    a an the this these my your his her its our their some any every each no another
    to of for with at from into onto upon about between among during without within through
    against toward towards until till than as like via per by under over in on near
    and or but so because if when while where which who whom whose that although though unless
    whether since before after nor plus
    i i'm i'd i'll i've we we're we'd we'll we've they they're they'd he's she's you're you'd
    you'll it's that's there's here's what's let's who's
    am is are was were be been being have has had do does did will would shall should can could
    may might must can't don't didn't won't wouldn't couldn't isn't aren't wasn't gonna wanna
    want wants wanted need needs get got give gives make makes made take takes put let say said
    tell ask show send bring find
    very too quite rather really just also only even still about almost nearly such more most
    um uh er erm hmm well okay-so mister mr mrs ms doctor dr
    """,
    "fr": """
    un une des du le la les l' ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre
    vos leur leurs chaque quelques à au aux de d' en dans par pour avec sans sous sur entre vers
    chez depuis pendant avant après contre et ou mais donc car que qu' si quand lorsque parce
    comme où qui dont je j' tu il elle on nous vous ils elles me te se y suis es est sommes êtes
    sont ai as a avons avez ont vais vas va allons allez vont veux veut voudrais voulons peux peut
    pouvez dois doit faut était très trop plus moins assez aussi euh heu ben bah
    """,
    "es": """
    un una unos unas el la los las lo este esta estos estas mi mis tu tus su sus nuestro nuestra
    cada algún alguna a al de del en con sin por para sobre entre hasta desde hacia y e o u pero
    porque que si cuando donde como aunque yo me te se nos le les soy es son está están estoy he
    ha han hay tengo tiene quiero quiere quisiera necesito puedo puede voy va muy más tan eh pues
    """,
    "de": """
    der die das den dem des ein eine einen einem einer eines dieser diese dieses mein meine
    meinen dein sein seine ihr ihre unser unsere kein keine in im an am auf aus bei beim mit nach
    von vom vor zu zum zur für über unter gegen ohne um durch zwischen und oder aber denn weil
    dass wenn als ob damit obwohl wo wer was ich du er wir bin bist ist sind seid war waren habe
    hast hat haben möchte möchten will wollen kann können muss müssen soll werde wird sehr zu
    ganz noch auch nur äh ähm also
    """,
    "it": """
    un uno una il lo la i gli le l' questo questa questi mio mia miei tuo suo sua nostro vostro
    di del della dei delle a al alla ai alle da dal dalla in nel nella con su sul per tra fra e o
    ma perché che se quando dove come io mi ti ci vi sono è sei siamo ho ha hai abbiamo hanno
    vorrei voglio vuole posso può devo deve vado molto più troppo ehm
    """,
    "pt": """
    um uma uns umas o a os as este esta meu minha meus seu sua nosso nossa de do da dos das em no
    na nos nas com sem por para pelo pela sobre entre até desde e ou mas porque que se quando
    onde como eu me te sou é são está estou tenho tem há quero queria preciso posso pode vou vai
    muito mais tão hum
    """,
    "nl": """
    de het een deze dit die dat mijn jouw zijn haar ons onze hun geen in op aan bij met naar van
    voor uit over onder tegen zonder om door tussen en of maar want omdat dat als wanneer waar
    wie wat ik jij hij wij we ben bent is zijn was waren heb hebt heeft hebben wil willen kan
    kunnen moet moeten zou zal wordt heel erg te ook nog euh eh
    """,
}

# What may end a sentence although the class says otherwise ("what are you looking for").
_QUESTION = re.compile(
    r"^(?:(?:and|so|well|okay|ok|hi|hello|sorry|please|good (?:morning|evening)) )*"
    r"(?:what|where|when(?! (?:i|we|you|they|he|she|it|the|my|our)\b)|who|whom|whose|which|why"
    r"|how|is|are|was|were|do|does|did|can|could|will|would|should|shall|may|have|has|am|isn't|aren't|don't|doesn't|can't)\b"
)
_STRANDED = frozenset(
    """
    for to with about at from of in on like by do is are it's
    """.split()
)

_WHOLE = frozenset(
    """
    yes no yeah nope okay ok sure thanks thank you bye goodbye good-bye good hello hi stop
    please correct right exactly morning evening never mind oui non merci bonjour bonsoir
    au-revoir si sí gracias hola adiós ja nein danke hallo tschüss sì grazie ciao sim não
    obrigado obrigada nee dank
    """.split()
)
# What nothing follows.
_FAREWELL = frozenset(
    {
        *"goodbye good-bye bye thanks revoir merci adiós gracias tschüss danke ciao grazie".split(),
        *"tchau obrigado obrigada dankjewel".split(),
        *("thank you", "good bye", "auf wiederhören", "hasta luego", "tot ziens"),
    }
)
# "See you then" can stand, "and then" cannot.
_LINKS = frozenset(
    {
        *("and then", "et puis", "et alors", "y luego", "y después", "und dann"),
        *("e poi", "e depois", "en dan", "en toen"),
    }
)
_DIGITS = frozenset(
    """
    zero oh o one two three four five six seven eight nine double triple zéro un deux trois
    quatre cinq sept huit neuf null eins zwei drei vier fünf sechs sieben acht neun cero uno
    dos tres cuatro cinco seis siete ocho nueve due tre quattro cinque sei sette otto nove um
    dois três sete oito een twee drie vijf zes zeven negen
    """.split()
)
_FRAGMENT = re.compile(
    r"^(?:if|when|because|although|though|unless|since|while|after|before|as soon as|si|quand"
    r"|parce que|wenn|weil|obwohl|cuando|porque|se|quando|als|omdat)\b"
)


@lru_cache(maxsize=16)
def _open_words(language: str) -> frozenset[str]:
    return frozenset(_OPEN.get(language, _OPEN["en"]).split())


LONGEST = 10
"""Digits or letters from which a phone number or a spelling is taken to be over."""
ENDS = (".", "!", "?", "。", "।", "؟", "！", "？")
"""What ends a sentence in writing."""


def completeness(text: str, language: str = "en", *, punctuated: bool = False) -> float:
    """Judge whether the words can stand as they are.

    Args:
        text: What was understood of the turn so far; punctuation is a hint and may be missing.
        language: Of the call ("en", "fr-CA").
        punctuated: Whether this transcriber ends finished sentences with a full stop: then its
            absence says that it expects more.

    Returns:
        From 0 (more must come) to 1 (nothing is missing); about 0.7 where nothing tells.
    """
    stripped = text.strip()
    words = [word.lower().replace("’", "'") for word in _WORD.findall(stripped)]
    if not words:
        return 0.0
    language = language.split("-", maxsplit=1)[0].lower()
    last = words[-1]
    if stripped.endswith((",", ";", ":", "-", "–", "—", "...", "…")):
        return 0.1
    if len(words) <= 4 and all(word in _WHOLE for word in words):
        return 0.95
    if last in _FAREWELL or " ".join(words[-2:]) in _FAREWELL:
        return 0.9
    if dictating(words):
        return 0.25
    if _dictated(words) >= LONGEST:
        # However it is written: a number has no full stop.
        return 0.75
    if " ".join(words[-2:]) in _LINKS:
        return 0.05
    question = bool(_QUESTION.match(" ".join(words)))
    if last in _open_words(language):
        if question and last in _STRANDED and len(words) >= 4:
            return 0.6
        return 0.05
    if stripped.endswith(("?", "؟", "？")):
        return 0.9
    if question and len(words) >= 4 and (stripped.endswith(ENDS) or not punctuated):
        return 0.85
    if (
        not question
        and _FRAGMENT.match(" ".join(words))
        and len(words) <= 7
        and "," not in stripped
    ):
        return 0.3
    if stripped.endswith(ENDS):
        return 0.75
    return 0.4 if punctuated else 0.65


def _dictated(words: list[str]) -> int:
    """Return how many digits or letters stand at the end."""
    run = 0
    for word in reversed(words):
        if not (word in _DIGITS or (word.isdigit() and len(word) <= 4) or len(word) == 1):
            break
        run += 1
    return run


def dictating(words: list[str]) -> bool:
    """Return whether digits, letters or an address are being dictated, and may go on."""
    run = _dictated(words)
    if run >= 3:
        return run < LONGEST
    if words[-1] in {"gmail", "hotmail", "outlook"}:
        return "at" in words[-3:-1]
    return words[-1] in {"dot", "arobase", "point", "punkt", "punto", "slash", "underscore", "dash"}
