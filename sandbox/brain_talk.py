"""Small talk: greetings, thanks, the clock, sums, and honesty about being a rule engine."""

import re
from datetime import datetime

from vivavoce.sandbox.brain_numbers import number_at, plain
from vivavoce.sandbox.brain_when import spoken_date, spoken_time
from vivavoce.sandbox.brain_words import FILLERS, Utterance, bag, likeness, listen

HONEST = "I am a small rule engine, not a language model"

# Greeting and confession in the languages that voices exist for; English has its own sentences.
FOREIGN: dict[str, tuple[str, str]] = {
    "fr": (
        "Bonjour ! Comment puis-je vous aider ?",
        (
            "Je ne suis qu'un petit moteur de règles, pas un modèle de langue, et je ne comprends "
            "que l'anglais."
        ),
    ),
    "es": (
        "¡Hola! ¿En qué puedo ayudarle?",
        "Solo soy un pequeño motor de reglas, no un modelo de lenguaje, y solo entiendo inglés.",
    ),
    "de": (
        "Guten Tag! Wie kann ich Ihnen helfen?",
        "Ich bin nur eine kleine Regelmaschine, kein Sprachmodell, und verstehe nur Englisch.",
    ),
    "it": (
        "Buongiorno! Come posso aiutarla?",
        (
            "Sono solo un piccolo motore di regole, non un modello linguistico, e capisco solo "
            "l'inglese."
        ),
    ),
    "pt": (
        "Olá! Como posso ajudar?",
        "Sou apenas um pequeno motor de regras, não um modelo de linguagem, e só entendo inglês.",
    ),
    "nl": (
        "Goedendag! Hoe kan ik u helpen?",
        "Ik ben maar een kleine regelmachine, geen taalmodel, en ik versta alleen Engels.",
    ),
}

_TONGUES = {
    "fr": bag(
        "je vous est une le les des pour avec voudrais bonjour bonsoir merci et que quelle "
        "quel demain table personnes êtes tu il dans c'est s'il où réponds réponse toujours "
        "parle français salut d'une j'aimerais pouvez combien ce"
    ),
    "es": bag(
        "el los las una por para con quiero quisiera hola gracias mañana que qué cómo usted "
        "es eres buenos buenas días dónde mesa personas está español responde siempre cuál "
        "del al y"
    ),
    "de": bag(
        "ich der das und ist ein eine einen für mit möchte guten tag danke bitte morgen wie "
        "wo sie du bist antworte immer deutsch hallo nicht zu den personen tisch sind was "
        "können kann auf"
    ),
    "it": bag(
        "il di che per con vorrei ciao grazie buongiorno domani sei una sono dove quanto "
        "rispondi sempre italiano tavolo persone buonasera del della è cosa gli"
    ),
    "pt": bag(
        "eu uma para com quero gostaria olá obrigado obrigada amanhã que você é dos não onde "
        "responda sempre português bom dia pessoas mesa está quanto do da os"
    ),
    "nl": bag(
        "ik het een voor met wil graag hallo dank morgen wat waar jij bent u niet antwoord "
        "altijd nederlands goedendag personen tafel van en op zijn kunt de"
    ),
}
_ENGLISH = bag(
    "the is are of and to you your what when where how a an i my we it this that for with please "
    "on in can do have want like at be not answer caller callers keep from there at yes no"
)

_GREETINGS = (
    "hello", "hi", "hey", "good morning", "good afternoon", "good evening", "hello there",
    "hi there", "hey there", "greetings", "how are you", "how are you doing", "how do you do",
    "nice to meet you", "is anybody there", "are you there", "can you hear me", "good day",
)  # fmt: skip
_SAYINGS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("bye", (r"^(?:(?:ok|okay|thanks|thank you(?: very much)?|great|that's all|that is all|no|"
                r"well|alright|all right|perfect|lovely|right|and|then) )*"
                r"(?:good ?bye|bye|bye bye|good night|see you(?: later| soon| then| tomorrow)?|"
                r"have a (?:nice|good|great) (?:day|evening|night|one|weekend)|take care|"
                r"hang up|you (?:can|may) hang up(?: now)?|end the call|so long|talk to you later|"
                r"cheerio)\b.{0,40}$")),
        ("done", (r"^(?:no )?(?:(?:thanks|thank you|that's it|okay) )*"
                 r"(?:that's all|that is all|that will be all|that'll be all|nothing else|"
                 r"no that's (?:all|it)|that's everything)\b.{0,30}$")),
        ("repeat", (r"^(?:sorry |excuse me |what |pardon )*(?:can |could |would )?"
                   r"(?:you )?(?:please )?"
                   r"(?:repeat(?: (?:that|it|please|the question|yourself|what you said))?|"
                   r"say (?:that|it) again|come again|pardon(?: me)?|what did you say|"
                   r"what was that|i didn't (?:hear|catch|get) (?:that|you|it)|one more time|"
                   r"again|once more|what)(?: please| again| sorry)*$")),
        ("stop", (r"^(?:no |ok |okay |please |oh |just |wait )*"
                 r"(?:stop(?: it| that| talking| please)?|"
                 r"never ?mind|forget (?:it|that|about it)|cancel(?: that| it)?|quiet|be quiet|"
                 r"shut up|drop it|leave it|skip it|enough|hold on|wait|i changed my mind|"
                 r"don't bother)(?: please| then| now| about it)*$")),
        ("who", (r"\bwho (?:are you|am i (?:speaking|talking) (?:to|with)|is this)\b|"
                r"\bwhat are you\b|"
                r"\bare you (?:a |an )?(?:real |human|robot|machine|bot|person|computer|ai|llm|"
                r"language|chat|gpt|intelligent|artificial)|\bwhat(?:'s| is) your name\b|"
                r"\bwhat (?:ai )?model are you\b|\bam i (?:talking|speaking) to (?:a |an )?\w+$|"
                r"\bintroduce yourself\b|\btell me about yourself\b")),
        ("help", (r"\bwhat (?:else )?(?:can|could|do) you (?:do|help|offer)\b|"
                 r"^(?:please )?(?:can you )?help(?: me)?(?: please)?$|\bhow can you help\b|"
                 r"\bwhat (?:are my|are the) options\b|\bwhat (?:can|could) i (?:ask|say|do)\b|"
                 r"\bhow does this work\b|\bwhat are you able to do\b")),
        ("more", (r"^(?:please |and |yes )*(?:tell me more|go on|continue|keep going|more please|"
                 r"what else|carry on|anything else|more)(?: about (?:that|it)| please)*$")),
        ("clock", (r"\bwhat(?:'s| is) the time\b|\bwhat time is it\b|\bdo you have the time\b|"
                  r"\btell me the time\b|\bcurrent time\b")),
        ("calendar", (r"\bwhat day is (?:it|today|tomorrow)\b|\bwhat(?:'s| is) (?:the date|"
                     r"today's date|"
                     r"today|the day)(?: today)?\b|\bwhat date is (?:it|today)\b|"
                     r"\btoday's date\b")),
    )
)  # fmt: skip
_THANKS = re.compile(
    r"^(?:(?:ok|okay|great|perfect|lovely|wonderful|good|fine|oh|yes|no|excellent|alright|"
    r"super|cool|nice) )*"
    r"(?:thanks|thank you|thank you so much|many thanks|cheers|much appreciated)"
    r"(?: (?:a lot|very much|so much|you|for .{0,40}|again|that's (?:great|perfect|kind|lovely)))*$"
)
_AFFIRM = re.compile(
    r"^(?:(?:yes|yeah|yep|yup|sure|right|correct|exactly|please|ok|okay|of course|"
    r"that's right|that is right|"
    r"that's correct|go ahead|please do|do it|do that|i do|definitely|absolutely|certainly|indeed|"
    r"sounds good|yes i (?:do|would)|that would be (?:great|nice|lovely)|fine|perfect)\b ?)+"
)
_DENY = re.compile(
    r"^(?:(?:no|nope|nah|not really|no thanks|no thank you|i don't|don't|not that|wrong|"
    r"that's not (?:it|right|what i (?:meant|want|said)))\b ?)+"
)
_OPERATORS = {"plus": "+", "+": "+", "minus": "-", "-": "-", "times": "*", "x": "*", "*": "*",
              "over": "/", "/": "/", "multiplied": "*", "divided": "/", "add": "+"}  # fmt: skip


def bare(heard: Utterance) -> str:
    """The words without hesitations, one space apart."""
    return " ".join(
        w for w in heard.words if w not in {"um", "uh", "uhm", "erm", "er", "ah", "hmm", "please"}
    )


def saying(text: str) -> str:
    """Which everyday saying an utterance is, or empty.

    Returns:
        `greet`, `thanks`, `bye`, `done`, `repeat`, `stop`, `who`, `help`, `more`, `clock`,
        `calendar` or empty.
    """
    heard = listen(text)
    words = bare(heard)
    if words in _GREETINGS or (
        len(heard.words) <= 6
        and any(words.startswith(g) for g in _GREETINGS)
        and all(w in _SMALL for w in heard.words)
    ):
        return "greet"
    if _THANKS.match(words):
        return "thanks"
    for kind, pattern in _SAYINGS:
        if pattern.search(words):
            return kind
    return ""


_SMALL = (
    frozenset(w for g in _GREETINGS for w in g.split())
    | FILLERS
    | bag("today to there sir everyone again doing")
)


def affirms(text: str) -> bool:
    """Whether an answer begins with yes."""
    return bool(
        _AFFIRM.match(bare(listen(text)) or ("yes" if listen(text).words == ("please",) else ""))
    )


def denies(text: str) -> bool:
    """Whether an answer begins with no."""
    return bool(_DENY.match(bare(listen(text))))


def clock(now: datetime) -> str:
    """The time of day as an answer."""
    return f"It is {spoken_time(now.time())}."


def calendar(now: datetime, text: str) -> str:
    """The date as an answer."""
    if "tomorrow" in listen(text).words:
        from datetime import timedelta

        return f"Tomorrow is {spoken_date((now + timedelta(days=1)).date())}."
    return f"Today is {spoken_date(now.date())}."


def reckon(text: str) -> str:
    """Work out simple arithmetic that is said (`what is twelve times eight`), else empty."""
    words = listen(
        re.sub(
            r"(?<=[0-9])\s*([x×/÷-])\s*(?=[0-9])",
            lambda m: {"×": " * ", "x": " * ", "÷": " / ", "/": " over "}.get(m[1], " minus "),
            text,
        )
    ).words
    for i in range(len(words)):
        got = number_at(words, i)
        if got is None or (i and words[i - 1] in _OPERATORS):
            continue
        end, value = got
        if words[end : end + 2] == ("percent", "of") or words[end : end + 2] == ("%", "of"):
            whole = number_at(words, end + 2) if end + 2 < len(words) else None
            if whole is not None:
                return (
                    f"{_say(value)} percent of {_say(whole[1])} is {_say(value / 100 * whole[1])}."
                )
        terms: list[float | int | str] = [value]
        while end < len(words) and words[end] in _OPERATORS:
            sign = _OPERATORS[words[end]]
            k = end + 1 + (end + 1 < len(words) and words[end + 1] == "by")
            more = number_at(words, k) if k < len(words) else None
            if more is None:
                break
            terms, end = [*terms, sign, more[1]], more[0]
        if len(terms) > 2:
            return _work(terms[:40])
    return ""


def _work(terms: list[float | int | str]) -> str:
    names = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
    said = " ".join(names[t] if isinstance(t, str) else _say(t) for t in terms)
    total: list[float] = []
    sign = "+"
    for term in terms:
        if isinstance(term, str):
            sign = term
        elif sign in "+-":
            total.append(float(term) if sign == "+" else -float(term))
        elif sign == "*":
            total[-1] *= float(term)
        elif term == 0:
            return "One cannot divide by zero."
        else:
            total[-1] /= float(term)
    value = sum(total)
    return f"{said[0].upper()}{said[1:]} is {_say(value)}." if abs(value) < 1e18 else ""


def _say(value: float) -> str:
    return str(plain(round(value, 4)))


def language(text: str) -> str:
    """`fr`, `es`, `de`, `it`, `pt` or `nl` when a text plainly is that language, else `en`."""
    words: list[str] = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower().replace("’", "'"))
    words = words[:200]
    if not words:
        return "en"
    english = sum(w in _ENGLISH for w in words)
    scores = {tongue: sum(w in known for w in words) for tongue, known in _TONGUES.items()}
    best = max(scores, key=lambda t: scores[t])
    sure = scores[best] >= 2 or (
        len(words) <= 2 and scores[best] == 1 and english == 0 and _shibboleth(words, best)
    )
    return best if sure and scores[best] > english and scores[best] * 5 >= len(words) else "en"


def _shibboleth(words: list[str], tongue: str) -> bool:
    hellos = {"fr": "bonjour bonsoir merci salut", "es": "hola gracias buenos",
              "de": "hallo danke guten",
              "it": "ciao grazie buongiorno buonasera", "pt": "olá obrigado obrigada",
              "nl": "goedendag"}  # fmt: skip
    return any(w in hellos[tongue].split() for w in words)


def alike(left: str, right: str) -> float:
    """Share of words two sentences have in common, 0 to 1; near spellings count half."""
    a, b = listen(left).words, listen(right).words
    if not a or not b:
        return 0.0
    hits = sum(1.0 if w in b else 0.5 * max(likeness(w, o) for o in b) for w in a)
    return hits / max(len(a), len(b))
