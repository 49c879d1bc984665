"""Languages: which ones the agent can speak, and which one the caller does."""

from __future__ import annotations

import re
from collections.abc import Sequence

SPOKEN = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "nl": "Dutch",
    "pt": "Portuguese",
    "it": "Italian",
    "hi": "Hindi",
    "ar": "Arabic",
}
"""What Voxtral TTS speaks, by code."""

_CODE = re.compile(r"[a-z]{2}(-[A-Za-z0-9]{2,8})?")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

# Words that are frequent in speech and rare in the other languages of the table.
_TELLING: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": """
        the and you i i'm i'd is are was what how can could would please thanks thank hello hi yes
        my your this that with for have it it's do don't want need my we they of book at good
        morning evening sorry english speak there be like
        """,
        "fr": """
        le les des est et je j'ai j'aimerais vous nous une du au aux avec pour dans pas oui bonjour
        bonsoir merci s'il plaît c'est qu'est voudrais suis mon ma mes quel quelle sur français
        parlez ce cette il elle peut ça allô ne désolé
        """,
        "de": """
        der das ist und ich nicht ein eine einen für mit auf sie wir bitte danke guten tag ja nein
        möchte hätte gern können haben zu den dem von wie heute morgen abend deutsch sprechen mein
        meine hallo es gibt auch noch entschuldigung
        """,
        "es": """
        el los las es y yo usted quiero quisiera para con por favor gracias hola buenos buenas días
        tardes noches sí qué cómo está estoy tengo una del al mi español habla puedo puede muy hay
        reservar perdón cuánto dónde
        """,
        "nl": """
        het een en ik niet wij voor met graag dank dankje bedankt goedemorgen goedenavond ja nee
        zou willen kunnen heb hebben van wat hoe mijn nederlands spreekt alstublieft is dat deze er
        ook goedendag dag sorry
        """,
        "pt": """
        o os é eu você quero queria gostaria para com por favor obrigado obrigada olá bom boa dia
        tarde noite sim não uma do da ao meu minha português fala posso pode muito está estou
        tenho há
        """,
        "it": """
        il gli è e io lei vorrei per con per favore grazie ciao buongiorno buonasera sì no una del
        della al mio mia italiano parla posso può molto sono ho che cosa come prenotare c'è di
        scusi prego
        """,
    }.items()
}
_SCRIPTS = {
    "hi": re.compile(r"[\u0900-\u097f]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
}


class LanguageError(ValueError):
    """A language cannot be spoken; the message names those that can."""


def base(language: str) -> str:
    """Return a code without its region: "fr" for "fr-CA"."""
    return language.split("-", maxsplit=1)[0].lower()


def check(language: object) -> str:
    """Return a language's code as it was given.

    Raises:
        LanguageError: If it is no code, or one that Voxtral TTS does not speak.
    """
    if not isinstance(language, str) or not _CODE.fullmatch(language):
        raise LanguageError(f'{language!r} is no code: write it as "en", "fr" or "pt-BR"')
    if base(language) not in SPOKEN:
        known = ", ".join(f"{code} ({name})" for code, name in SPOKEN.items())
        raise LanguageError(f"Voxtral TTS does not speak {language!r}: choose among {known}")
    return language


def follow(text: str, languages: Sequence[str], current: str) -> str:
    """Return the language that a caller speaks now.

    Args:
        text: What they said.
        languages: Those to choose from.
        current: The one that was spoken so far; it stays where the words do not tell clearly.
    """
    scores = {language: hints(text, language) for language in languages}
    best = max(scores, key=lambda language: scores[language], default=current)
    now = scores.get(current, 0)
    # One shared word ("no", "hotel") is no evidence; two more than the present one are.
    return best if scores.get(best, 0) >= 2 and scores[best] >= now + 2 else current


def hints(text: str, language: str) -> int:
    """Count what tells a language: its frequent words, or the letters of its own script."""
    language = base(language)
    script = _SCRIPTS.get(language)
    if script is not None:
        return len(script.findall(text))
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    return sum(word in _TELLING.get(language, ()) for word in words)
