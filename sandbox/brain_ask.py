"""Questions: for a missing slot, for a confirmation; and what the tools can do, in words."""

import re
from collections.abc import Sequence

from vivavoce.sandbox.brain_schema import Param, Tool
from vivavoce.sandbox.brain_words import bag, name_words, spoken_list

_PEOPLE = bag("people persons person guests party covers diners pax adults")
_THIRD = {
    "finds": "find", "gets": "get", "returns": "look up", "return": "look up", "books": "book",
    "checks": "check", "sends": "send", "retrieves": "look up", "retrieve": "look up",
    "fetches": "look up", "fetch": "look up", "creates": "create", "sets": "set", "lists": "list",
    "makes": "make", "cancels": "cancel", "turns": "turn", "adds": "add", "transfers": "transfer",
    "looks": "look", "searches": "search", "starts": "start", "stops": "stop", "gives": "give",
    "tells": "tell", "shows": "show", "ends": "end", "plays": "play", "converts": "convert",
    "reads": "read", "calculates": "calculate", "updates": "update", "deletes": "delete",
    "removes": "remove", "schedules": "schedule", "reserves": "reserve", "orders": "order",
}  # fmt: skip
_NOUNS = bag("the a an current all information details this these whether some")
_QUESTION = re.compile(
    r"^(how many|how much|how long|how often|what|which|when|where|who|whose|whom|why)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\s*(?:\([^)]*\)|,?\s*\b(?:e\.?g\.?|i\.e\.|for example|such as|in the form|in iso|"
    r"as yyyy|format)\b.*|[;:,—–].*|\.(?:\s.*)?$)",
    re.IGNORECASE | re.DOTALL,
)


def question(param: Param, *, half: str = "") -> str:
    """Ask for one parameter, worded from its description and name.

    Args:
        param: What is missing.
        half: For a date-time of which one half is known, the half that is not: `date` or `time`.
    """
    words, about = {*param.words}, _brief(param.description)
    noun = " ".join(w for w in name_words(param.path[-1]) if w not in {"the", "of"})
    put = _as_question(about)
    timed = param.kind in {"date", "time", "datetime"}
    # "When to ring" asks the wrong thing of a caller; "which evening" does not.
    if put and not (timed and (half or put.startswith("When"))):
        return put
    if param.kind == "enum":
        return _which(param, noun)
    if param.kind == "boolean":
        return _whether(about, noun)
    if param.kind in {"date", "datetime"} or half:
        return _when(param, half, about)
    if param.kind == "time":
        return "At what time?"
    if param.kind == "duration":
        return "For how long?"
    if param.kind in {"integer", "number"}:
        return _how_many(param, words, about, noun)
    if param.kind == "email":
        return "What is the e-mail address?"
    if param.kind == "phone":
        return "What is the phone number?"
    if param.kind == "person":
        if param.role == "to":
            return "Who is it for?"
        if words <= {
            "name",
            "customer",
            "guest",
            "caller",
            "client",
            "full",
            "booking",
            "person",
            "under",
        }:
            return "What name shall I use?"
        return f"What is the {_noun(noun)}?" if "name" in words else f"Who is the {_noun(noun)}?"
    if param.kind == "place":
        if param.role == "from":
            return "Where from?"
        if param.role == "to":
            return "Where to?"
        return f"Which {_noun(noun)}?"
    described = re.sub(r"^(the|a|an)\s+", "", about, flags=re.IGNORECASE)
    if param.many:
        return f"What are the {_noun(noun)}?"
    if described and len(described.split()) <= 8 and not described.split()[0].endswith("s"):
        return f"What is the {described[0].lower()}{described[1:]}?"
    return f"What is the {_noun(noun)}?"


def _as_question(about: str) -> str:
    """`How many will come` is a question, `what to play` nearly one, `when it starts` is none."""
    if not _QUESTION.match(about) or not 2 <= len(about.split()) <= 9:
        return ""
    wish = re.match(r"^((?:how|what|which|who|where|when)\b.*?) to (\w.*)$", about, re.IGNORECASE)
    if wish is not None:
        about = f"{wish[1]} do you want to {wish[2]}"
    elif re.match(
        r"^(?:when|where|why|how (?:long|often)) (?!do|does|is|are|will|shall|should)"
        r"|^\w+(?: many| much)? (?:it|they|he|she|you|the|this|that|a)\b",
        about,
        re.IGNORECASE,
    ):
        return ""
    return about[0].upper() + about[1:] + "?"


def _brief(description: str) -> str:
    text = _ASIDE.sub("", " ".join(description.split()), count=1).strip(" .")
    return text if len(text) < 120 else ""


def _noun(noun: str) -> str:
    return re.sub(r"\b(id)\b", "number", noun) or "value"


def _which(param: Param, noun: str) -> str:
    options = [str(c).replace("_", " ") for c in param.choices if not isinstance(c, bool)]
    if 1 < len(options) <= 5:
        return f"Which {_noun(noun)}: {spoken_list(options, 'or')}?"
    return f"Which {_noun(noun)}?"


def _whether(about: str, noun: str) -> str:
    match = re.match(
        r"^(?:whether (?:or not )?|if |true if |set to true (?:if|to) )(.*)$", about, re.IGNORECASE
    )
    if match is not None:
        rest = match[1]
        return (
            f"Shall I {rest[3:]}?"
            if rest.lower().startswith("to ")
            else f"Tell me yes or no: {rest}?"
        )
    return f"{noun[:1].upper()}{noun[1:]}, yes or no?"


def _when(param: Param, half: str, about: str) -> str:
    if half == "time":
        return "At what time?"
    part = next(
        (
            w
            for w in ("evening", "night", "morning", "afternoon", "weekend")
            if w in about.lower().split()
        ),
        "day",
    )
    if half == "date" or param.kind == "date":
        named = {*param.words}
        if named & {"birth", "birthday", "birthdate", "dob"}:
            return "What is the date of birth?"
        if param.role == "from" or named & {"start", "arrival"}:
            return f"From which {part}?"
        if param.role == "to" or named & {"end", "departure"}:
            return f"Until which {part}?"
        return f"Which {part}?"
    return f"On which {part}, and at what time?"


def _how_many(param: Param, words: set[str], about: str, noun: str) -> str:
    if words & _PEOPLE or re.search(r"\b(people|guests|persons)\b", about, re.IGNORECASE):
        return "For how many people?"
    if param.money:
        return "What amount?" if "amount" in words else f"What is the {_noun(noun)}?"
    if param.unit:
        return f"How many {param.unit}s?"
    counted = re.match(
        r"^(?:the )?(?:number|count|quantity|amount) of ([a-z ]{2,40})$", about, re.IGNORECASE
    )
    if counted is not None:
        return f"How many {counted[1]}?"
    if words & {"quantity", "count"}:
        return "How many?"
    if param.kind == "integer" and noun.endswith("s") and not noun.endswith("ss"):
        return f"How many {noun}?"
    described = re.sub(r"^(the|a|an)\s+", "", about, flags=re.IGNORECASE)
    if described and len(described.split()) <= 6 and "number" not in described.split()[:1]:
        return f"What is the {described[0].lower()}{described[1:]}?"
    return f"What is the {_noun(noun)}?"


def ability(tool: Tool) -> str:
    """What a tool does, as a verb phrase: `find the free tables`."""
    first = re.split(r"(?<=[.!?])\s", tool.description)[0].strip(" .!")
    first = re.split(
        r"[;:(]|, (?:and )?(?:returning|given|using|with)|\b(?:when|if) the (?:user|caller)\b",
        first,
    )[0].strip(" ,")
    words = first.split()
    if words and len(words) <= 14:
        head = words[0].lower()
        if head in _THIRD:
            return " ".join([_THIRD[head], *words[1:]])
        if (
            head.isalpha()
            and head not in _NOUNS
            and not head.endswith(("s", "ing", "ed"))
            and len(words) > 1
        ):
            return " ".join([head, *words[1:]])
        if head in _NOUNS:
            return f"look up {head} {' '.join(words[1:])}"
    own = list(tool.words)
    return " ".join([_THIRD.get(own[0], own[0]), *own[1:]]) if own else "use a tool without a name"


def abilities(tools: Sequence[Tool], *, most: int = 4) -> str:
    """What the tools can do, as a sentence: `I can find the free tables and book a table`."""
    if not tools:
        return "I can only tell the time and do simple sums."
    named = [ability(t) for t in tools[:most]]
    more = " and more" if len(tools) > most else ""
    return f"I can {spoken_list(named, 'and') if not more else ', '.join(named)}{more}."


def confirm(tool: Tool) -> str:
    """Ask whether a tool is meant."""
    return f"Do you want me to {ability(tool)}?"
