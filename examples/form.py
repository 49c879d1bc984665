"""A claim form, filled in by telephone: the model talks, `call.ask` takes exact answers."""

from dataclasses import dataclass, field
from typing import Any

from vivavoce.agent import Agent, Call, NoAnswer, choice, date, digits, spelling, yes_no
from vivavoce.agent.answers import Answer
from vivavoce.agent.control import end_call

Claim = dict[str, Any]  # the form: what was answered so far

DAMAGES = {"water": ["water", "a leak", "a flood"], "fire": ["fire", "smoke"], "theft": ["theft"]}
FIELDS: dict[str, tuple[str, Answer[Any]]] = {
    "policy": ("What is your policy number? It has six digits.", digits(6)),
    "name": ("Please spell your family name.", spelling(2)),
    "day": ("On which day did it happen?", date()),
    "damage": ("Was it water, fire, or theft?", choice(DAMAGES)),
}


def read_back(claim: Claim) -> str:
    text = "Policy {policy}, {name}, {damage} damage on {day:%B %-d}. Is that right?"
    policy, name = " ".join(claim["policy"]), claim["name"].title()
    return text.format_map(claim | {"policy": policy, "name": name})


@dataclass
class Archive:
    """Where finished claims go."""

    claims: list[Claim] = field(default_factory=list[Claim])


agent: Agent[Archive, Claim] = Agent(
    "You take claims for an insurance. To take one, call take_claim: it asks all the questions.",
    name="form",
    greeting="Claims desk, hello. Would you like to report a damage?",
    deps=Archive,
    state=dict,
    tools=[end_call],
)


@agent.tool(interruptible=False, timeout=900)
async def take_claim(call: Call[Archive, Claim]) -> str:
    """Take a claim: report a damage. Ask nothing yourself, all questions are asked by this."""
    claim = call.state
    try:
        for name, (question, answer) in FIELDS.items():
            if name not in claim:  # at a second try, only what is missing
                claim[name] = await call.ask(question, answer)
        while not await call.ask(read_back(claim), yes_no()):
            wrong = await call.ask("Which of these is wrong?", choice(list(FIELDS)))
            claim[wrong] = await call.ask(*FIELDS[wrong])
    except NoAnswer as why:
        return f"The claim is not complete: {why}. Offer to try again, or to be called back."
    call.deps.claims.append(claim)
    return "The claim is complete and was sent. Thank the caller."
