"""The dialogue: from one caller turn and what is open to a reply and what stays open."""

import re
from dataclasses import replace
from datetime import time

from vivavoce.sandbox import brain_prompt as prompt
from vivavoce.sandbox import brain_talk as talk
from vivavoce.sandbox.brain_ask import abilities, confirm, question
from vivavoce.sandbox.brain_frames import (
    MEND_SIGN,
    QUESTION,
    Frame,
    Scene,
    State,
    carry,
    frames_of,
    mend,
    pick,
    taker,
)
from vivavoce.sandbox.brain_history import BrainCall, Reply
from vivavoce.sandbox.brain_route import ACT, CONFIRM, route
from vivavoce.sandbox.brain_schema import Param, Tool, hangs_up
from vivavoce.sandbox.brain_slots import nest
from vivavoce.sandbox.brain_words import listen, sentence, stem

_LONG = re.compile(
    r"\b(tell me (?:all |more |everything |something )?(?:about|of)|describe|explain|in detail|"
    r"talk to me about|more about|know about|read me)\b",
    re.IGNORECASE,
)


def step(scene: Scene, state: State, text: str) -> tuple[Reply, State]:
    """Answer one caller turn.

    Args:
        scene: System prompt, tools and time.
        state: What earlier turns left open.
        text: The turn's transcript.

    Returns:
        The reply and what it leaves open.
    """
    text = " ".join(text.split())
    if not listen(text).tokens:
        again = _question(state)
        return Reply(f"Sorry, I did not catch that.{' ' + again if again else ''}"), state
    if prompt.echoes(scene.system):
        return Reply(text), state.closed()
    tongue = talk.language(text)
    if tongue != "en":
        hello, honest = talk.FOREIGN[tongue]
        short = len(listen(text).tokens) <= 3
        return Reply(hello if short and not state.answer else honest), state.closed()
    if prompt.translates(scene.system):
        return Reply(f"{talk.HONEST}, so I cannot translate."), state.closed()
    if state.doubt is not None:
        settled = _doubt(scene, state, state.doubt, text)
        if settled is not None:
            return settled
        state = state.closed()
    if state.frames:
        filled = _slot(scene, state, text)
        if filled is not None:
            return filled
        state = state.closed()
    return _fresh(scene, state, text)


def _question(state: State) -> str:
    """The question that is open, as it was put; empty when none is."""
    if state.doubt is not None:
        return confirm(state.doubt[0])
    for frame in state.frames:
        missing = frame.missing()
        if missing is not None:
            half = frame.parts.get(missing.path)
            return question(
                missing, half="" if half is None else "date" if isinstance(half, time) else "time"
            )
    return ""


def _settle(state: State, frames: list[Frame]) -> tuple[Reply, State]:
    """Call what is complete, or ask for the first thing that is missing."""
    for frame in frames:
        carry(frame, state.calls)
    for frame in frames:
        missing = frame.missing()
        if missing is not None:
            held = replace(state.closed(), frames=frames, asked=missing.path)
            return Reply(_question(held)), held
    calls: list[BrainCall] = []
    for frame in frames:
        call = BrainCall(frame.tool.name, nest(frame.values))
        if call not in calls:
            calls.append(call)
    return Reply("", calls), state.closed()


def _doubt(
    scene: Scene, state: State, doubt: tuple[Tool, str], text: str
) -> tuple[Reply, State] | None:
    """A yes or no to "do you want me to ...?"; None when the turn is something else."""
    tool, before = doubt
    if talk.saying(text) == "repeat":
        return Reply(confirm(tool)), state
    if talk.affirms(text):
        frame = Frame(tool)
        for said in (before, text):
            got = scene.fill(tool, said, parts=frame.parts)
            frame.values |= got.values
            frame.parts = got.parts
        return _settle(state, [frame])
    if talk.denies(text) and len(listen(text).tokens) <= 4:
        return Reply("All right. What can I do for you then?"), state.closed()
    return None


def _slot(scene: Scene, state: State, text: str) -> tuple[Reply, State] | None:
    """An answer to an open question; None when the caller turned to something else."""
    saying, ask = talk.saying(text), _question(state)
    frame = next((f for f in state.frames if f.missing() is not None), state.frames[0])
    wanted = frame.missing()
    boolean = wanted is not None and wanted.kind == "boolean"
    if saying == "repeat":
        return Reply(ask), state
    if saying in {"stop", "done"} or (
        not boolean and talk.denies(text) and len(listen(text).tokens) == 1
    ):
        return Reply("All right, never mind. Is there anything else I can do?"), state.closed()
    if saying == "bye":
        return None
    if saying in {"who", "help", "clock", "calendar"}:
        return Reply(f"{_say(scene, state, saying, text)} {ask}"), state
    routes = route(text, scene.tools, now=scene.now)
    best = routes[0] if routes else None
    got = scene.fill(frame.tool, text, asked=state.asked, parts=frame.parts)
    if state.asked in got.values and not MEND_SIGN.search(text):
        # "Twelve Main Street" answers the question; it does not change how many pizzas.
        got.values = {
            p: v for p, v in got.values.items() if p == state.asked or p not in frame.values
        }
    news = {p: v for p, v in got.values.items() if frame.values.get(p) != v}
    free = wanted is not None and wanted.kind in {
        "person",
        "place",
        "text",
        "string",
        "code",
        "any",
    }
    other = best is not None and best.tool.name not in {f.tool.name for f in state.frames}
    asking = bool(QUESTION.match(text)) and (free or not news)
    if (
        other
        and best is not None
        and best.score >= ACT
        and (not news or free)
        and not _answers(text, wanted)
    ):
        return None
    if asking:
        score, index = prompt.find_fact(scene.system, text, now=scene.now)
        if score >= prompt.FACT:
            fact = prompt.tell(scene.system, index, now=scene.now, question=text, long=False)
            return Reply(f"{fact} {ask}"), state
    if not news and got.parts == frame.parts:
        if best is not None and best.score >= ACT and best.tool.name == frame.tool.name:
            # The same request said once more: ask once more.
            return Reply(ask), state
        return Reply(f"Sorry, I did not get that. {ask}"), state
    frames = []
    for held in state.frames:
        if held is frame:
            frames.append(Frame(held.tool, held.values | got.values, got.parts))
        elif held.tool == frame.tool and state.asked in got.values:
            # Two calls of one tool lacked the same thing: it was asked, and said, once.
            shared = {state.asked: got.values[state.asked]}
            frames.append(Frame(held.tool, shared | held.values, held.parts))
        else:
            frames.append(held)
    return _settle(state, frames)


def _answers(text: str, wanted: Param | None) -> bool:
    """Whether free text is plainly an answer: it was asked for a message, and no new order came."""
    return wanted is not None and wanted.kind == "text" and not QUESTION.match(text)


def _say(scene: Scene, state: State, saying: str, text: str) -> str:
    """What an everyday saying is answered with."""
    can = abilities(scene.tools)
    if saying == "who":
        who = prompt.identity(scene.system)
        where = prompt.place(scene.system)
        self = f"I am {who}. " if who else f"You are speaking with {where}. " if where else ""
        return f"{self}{talk.HONEST}. {can}"
    if saying == "help":
        known = prompt.facts(scene.system)
        also = " You can also ask me what I was told about this place." if known else ""
        return f"{can}{also}"
    if saying == "clock":
        return talk.clock(scene.now)
    if saying == "calendar":
        return talk.calendar(scene.now, text)
    if saying == "repeat":
        return state.answer or "I have not said anything yet. How can I help you?"
    if saying == "more":
        more = prompt.more_after(scene.system, state.answer)
        return more or f"That is all I know about it. {can}"
    if saying == "greet":
        if "how are you" in talk.bare(listen(text)):
            return "I am working well, thank you. How can I help you?"
        if "hear me" in text.lower() or "there" in listen(text).words[-1:]:
            return "Yes, I can hear you. How can I help you?"
        return (
            prompt.greeting(scene.system) if not state.answer else ""
        ) or "Hello! How can I help you?"
    return {
        "thanks": "You are welcome. Is there anything else I can do?",
        "bye": "Goodbye, and thank you for calling.",
        "done": "All right. Thank you for calling, goodbye.",
        "stop": "All right.",
    }.get(saying, "")


def _fresh(scene: Scene, state: State, text: str) -> tuple[Reply, State]:
    """A turn with no question open: a saying, a correction, a request, a question, or beyond."""
    saying = talk.saying(text)
    picked = pick(text, state.results)
    routes = route(text, scene.tools, now=scene.now)
    best = routes[0] if routes else None
    if saying == "bye":
        return Reply(_say(scene, state, saying, text), _hang_up(scene)), state
    if saying and not (
        best is not None
        and best.score >= ACT
        and saying in {"stop", "clock", "calendar", "more"}
        and {stem(w) for w in listen(text).words} & {stem(w) for w in best.tool.words}
    ):
        return Reply(_say(scene, state, saying, text)), state
    mended = mend(scene, state, text if picked is None else picked, best)
    if mended is not None:
        return _settle(state, [mended])
    fact_score, fact = prompt.find_fact(scene.system, text, now=scene.now)
    asks = bool(QUESTION.match(text))
    # A question that the prompt answers better than any tool's description fits is a question.
    if asks and fact_score >= prompt.FACT and (best is None or fact_score > best.score + 0.05):
        return _fact(scene, state, text, fact)
    if best is not None and best.score >= ACT:
        return _settle(state, frames_of(scene, text if picked is None else picked, best))
    sum_ = talk.reckon(text)
    if sum_:
        return Reply(sum_), state
    if fact_score >= prompt.FACT:
        return _fact(scene, state, text, fact)
    if state.fresh:
        # "The first one, please": what was just found belongs to the tool that takes it.
        chosen = taker(scene, state, picked or text, picked=picked is not None)
        if chosen is not None:
            return _settle(state, [chosen])
    if state.answer.endswith("?") and best is not None:
        # A question that another voice put (the agent's greeting): its words say the topic.
        joint = route(f"{state.answer} {text}", scene.tools, now=scene.now)[0]
        if joint.score >= ACT and scene.fill(joint.tool, text).values:
            return _settle(state, frames_of(scene, text, joint))
    if best is not None and best.score >= CONFIRM:
        held = replace(state.closed(), doubt=(best.tool, text))
        return Reply(confirm(best.tool)), held
    if talk.affirms(text) or talk.denies(text):
        return Reply("All right. What can I do for you?"), state
    if _LONG.search(text) and prompt.about(scene.system, text, now=scene.now):
        return _fact(scene, state, text, 0)
    return Reply(f"{talk.HONEST}, and I cannot answer that. {abilities(scene.tools)}"), state


def _fact(scene: Scene, state: State, text: str, index: int) -> tuple[Reply, State]:
    said = prompt.tell(
        scene.system, index, now=scene.now, question=text, long=bool(_LONG.search(text))
    )
    return Reply(said), state


def _hang_up(scene: Scene) -> list[BrainCall]:
    """A call of the tool that ends the call, if there is one that needs nothing more."""
    for tool in scene.tools:
        if hangs_up(tool.name) and not any(p.required for p in tool.params):
            return [BrainCall(tool.name, {})]
    return []


def forced(scene: Scene, state: State, text: str, only: str | None) -> Reply:
    """A call whatever was said (`tool_choice` any, required or named).

    Slots that nobody filled are left out rather than made up: the tool then says what it lacks.
    """
    _, after = step(scene, state, text)
    pending = [f for f in after.frames if only is None or f.tool.name == only]
    if pending:
        return Reply("", [BrainCall(f.tool.name, nest(f.values)) for f in pending])
    tools = [t for t in scene.tools if only is None or t.name == only]
    best = route(text, tools, now=scene.now)[0].tool
    frame = Frame(best, scene.fill(best, text).values)
    carry(frame, state.calls)
    return Reply("", [BrainCall(best.name, nest(frame.values))])


def opening(scene: Scene) -> str:
    """The first words of a call."""
    made = prompt.greeting(scene.system)
    if made:
        return made
    tongue = talk.language(scene.system)
    return talk.FOREIGN[tongue][0] if tongue != "en" else sentence("Hello! How can I help you?")
