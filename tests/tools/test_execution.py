import asyncio
import itertools
import json
from collections import Counter
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from vivavoce.agent import history
from vivavoce.agent.transcript import ToolUse, Utterance
from vivavoce.tools import (
    Executions,
    Outcome,
    Request,
    Secret,
    Toolbox,
    run_named,
    tool,
)

PATIENT = 30.0  # seconds; the machine may be busy
POLICIES = {
    "default": {},
    "lasting": {"cancellable": False},
    "protected": {"interruptible": False},
    "background": {"background": True},
}
# What becomes of each when the caller barges in while it runs.
DURING = {
    "default": "cancelled",
    "lasting": "detached",
    "protected": "running",
    "background": "detached",
}
PAIRS = [(one,) for one in POLICIES] + list(itertools.combinations_with_replacement(POLICIES, 2))


def plain(name, **options):
    return tool(lambda: name, name=name, description="It does.", **options)


BOX = Toolbox([plain(name, **options) for name, options in POLICIES.items()])


def ask(*names, box=BOX, ids=None):
    book = Executions()
    requests = [
        Request(ids[index] if ids else f"abcdefg{index:02d}", name, "{}")
        for index, name in enumerate(names)
    ]
    return book, book.receive(requests, box)


def done(text="fine"):
    return Outcome(True, text, 0.1)


def check_history(executions, news=()):
    """Mistral's own validators take the history, at this moment."""
    uses = []
    for each in executions:
        use = ToolUse(each.id, each.name, each.arguments, 1, 0.0)
        use.result = each.result
        uses.append(use)
    entries = [Utterance("Do it.", 0.0, 1.0), *uses]
    entries += [Utterance(text, 2.0, 2.0) for text in news]
    messages = history.messages("You help.", entries)
    request = ChatCompletionRequest.model_validate({"model": "m", "messages": messages})
    for version in (TokenizerVersion.v7, TokenizerVersion.v13):
        get_validator(version, ValidationMode.serving).validate_request(request)
    answers = [each for each in messages if each["role"] == "tool"]
    assert [each["tool_call_id"] for each in answers] == [each.id for each in executions]
    assert all(each["content"].strip() for each in answers)
    return [each["content"] for each in answers]


# -- the matrix, with tools that really run


class Shop:
    """Tools whose side effects are counted."""

    def __init__(self, names):
        self.begun, self.ended = Counter(), Counter()
        self.running = asyncio.Event()
        self.go = asyncio.Event()
        self.wanted = len(names)
        self.box = Toolbox(
            [self.make(f"{name}{index}", POLICIES[name]) for index, name in enumerate(names)]
        )

    def make(self, name, options):
        async def work() -> str:
            """Work."""
            self.begun[name] += 1
            if self.begun.total() == self.wanted:
                self.running.set()
            await self.go.wait()
            self.ended[name] += 1
            return f"{name} is done"

        return tool(work, name=name, **options)


class Mind:
    """What a pipeline does with the book."""

    def __init__(self, box):
        self.box, self.book, self.tasks = box, Executions(), {}

    def receive(self, requests):
        return self.book.receive(requests, self.box)

    def start(self, executions):
        for each in executions:
            if self.book.start(each):
                self.tasks[each] = asyncio.create_task(self.run(each))

    async def run(self, execution):
        outcome = await run_named(self.box, execution.name, None, execution.arguments)
        self.book.finish(execution, outcome)

    def interrupt(self):
        happened = self.book.interrupt()
        for each in happened.stop:
            self.tasks[each].cancel()
        return happened

    async def settle(self):
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=PATIENT)
        assert all(task.done() for task in self.tasks.values())


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_the_matrix(names, moment):
    shop = Shop(names)
    mind = Mind(shop.box)
    called = [f"{name}{index}" for index, name in enumerate(names)]
    made = mind.receive([Request(f"abcdefg{n:02d}", name, "{}") for n, name in enumerate(called)])
    check_history(made)
    if moment == "before":
        happened = mind.interrupt()
        assert happened.dropped == tuple(made)
        mind.start(made)
        shop.go.set()
    elif moment == "during":
        mind.start(made)
        async with asyncio.timeout(PATIENT):
            await shop.running.wait()
        mind.book.release()
        happened = mind.interrupt()
        check_history(made)
        assert [each.state for each in made] == [DURING[name] for name in names]
        assert happened.kept == mind.book.unsettled
        shop.go.set()
    else:
        mind.start(made)
        shop.go.set()
        await mind.settle()
        happened = mind.interrupt()
        assert happened == type(happened)()
    await mind.settle()

    assert not mind.book.unsettled
    assert not mind.book.at_work
    news = mind.book.take_news()
    told = check_history(made, news)
    # Again: nothing happens twice.
    mind.start(made)
    assert not mind.interrupt().stop
    assert not mind.book.take_news()
    assert len(mind.tasks) == (0 if moment == "before" else len(made))

    for name, use, text in zip(called, names, told, strict=True):
        runs = {"before": 0, "during": 1, "after": 1}[moment]
        completes = runs and not (moment == "during" and use == "default")
        assert shop.begun[name] == runs
        assert shop.ended[name] == int(completes)
        late = moment == "during" and use in {"lasting", "background"}
        if moment == "before":
            assert "was not run" in text
        elif not completes:
            assert "may or may not have taken effect" in text
        elif late:
            assert "at work in the background" in text
        else:
            assert text == f"{name} is done"
        assert sum(f"{name} is done" in each for each in news) == int(bool(late))


# -- the machine by itself


def test_a_call_starts_once():
    book, (one,) = ask("default")
    assert book.unsettled == (one,)
    assert "still at work" in one.result
    assert book.start(one)
    assert not book.start(one)
    assert book.finish(one, done())
    assert not book.start(one)
    assert (one.state, one.result, book.unsettled) == ("done", "fine", ())


def test_the_first_outcome_counts():
    book, (one,) = ask("default")
    book.start(one)
    assert book.finish(one, done("first"))
    assert not book.finish(one, done("second"))
    assert one.result == "first"


def test_an_outcome_without_a_beginning_is_refused():
    book, (one,) = ask("default")
    with pytest.raises(ValueError, match="start it"):
        book.finish(one, done())


def test_what_had_ended_as_the_interruption_came_is_told_as_it_was():
    book, (one,) = ask("default")
    book.start(one)
    book.interrupt()
    assert "may or may not" in one.result
    assert not book.finish(one, Outcome.cancelled("default"))
    assert book.finish(one, done("booked"))
    assert (one.state, one.result) == ("done", "booked")


def test_what_never_began_stays_so():
    book, (one,) = ask("default")
    book.interrupt()
    assert not book.start(one)
    assert not book.finish(one, done("ghost"))
    assert "was not run" in one.result
    assert one.ran is False


def test_a_failure_is_an_answer():
    book, (one,) = ask("protected")
    book.start(one)
    book.interrupt()
    assert book.finish(one, Outcome(False, "no", 1.0, kind="error"))
    assert one.result == "no"


def test_a_tool_that_cancels_itself():
    book, (one,) = ask("background")
    book.start(one)
    book.release()
    assert book.finish(one, Outcome.cancelled("background"))
    assert one.state == "cancelled"
    (news,) = book.take_news()
    assert "may or may not" in news


def test_a_quick_background_tool_answers_at_once():
    book, (one, two) = ask("background", "default")
    book.start(one)
    book.start(two)
    book.finish(one, done("quick"))
    assert book.release() == ()
    assert (one.result, book.take_news()) == ("quick", [])
    assert two.state == "running"


def test_barge_in_does_not_stop_what_is_in_the_background():
    book, (one,) = ask("background")
    book.start(one)
    happened = book.interrupt()  # before it was released
    assert (happened.stop, happened.detached) == ((), (one,))
    assert one.state == "detached"
    book.finish(one, done("Two rooms."))
    assert len(book.take_news()) == 1


def test_a_slow_one_is_news():
    book, (one,) = ask("background")
    book.start(one)
    assert book.unsettled == (one,)
    assert book.release() == (one,)
    assert book.unsettled == ()
    assert book.at_work == (one,)
    answer = one.result
    assert book.finish(one, done("Two rooms."))
    # The history stays as the model knows it.
    assert one.result == answer
    assert book.take_news() == ["(News of background, which was called with {}: Two rooms.)"]
    assert book.take_news() == []


def test_a_repeated_call_runs_once_and_is_answered_each_time():
    book = Executions()
    requests = [
        Request("abcdefghi", "default", '{"a": 1, "b": 2}'),
        Request("abcdefghi", "default", '{"b":2,"a":1}'),
        Request("abcdefghi", "protected", "{}"),
        Request("abcdefghi", "default", '{"a": 2}'),
    ]
    made = book.receive(requests, BOX)
    assert [book.start(each) for each in made] == [True, False, True, True]
    assert len({each.id for each in made}) == 4
    assert all(len(each.id) == 9 and each.id.isalnum() for each in made)
    assert made[0].id == "abcdefghi"
    for each in (made[0], made[2], made[3]):
        book.finish(each, done(each.arguments))
    assert made[1].result == made[0].result == '{"a": 1, "b": 2}'
    assert len(check_history(made)) == 4


def test_calls_without_an_id_are_calls_of_their_own():
    book, made = ask("default", "default", ids=["", ""])
    assert [book.start(each) for each in made] == [True, True]
    assert len({each.id for each in made}) == 2


def test_an_id_that_was_used_in_an_earlier_message():
    book, (one,) = ask("default", ids=["abcdefghi"])
    book.start(one)
    book.finish(one, done())
    (two,) = book.receive([Request("abcdefghi", "default", "{}")], BOX)
    assert two.id != one.id
    assert book.start(two)
    assert book[two.id] is two
    assert len(book) == 2


def test_unknown_tools_and_broken_arguments_are_entered_too():
    book, (one,) = ask("no such tool")
    assert one.tool is None
    assert book.start(one)
    assert book.interrupt().stop == (one,)
    (two,) = book.receive([Request("x", "default", '{"a": ' * 9_999)], BOX)
    assert book.start(two)


def test_the_end_stops_what_may_be_stopped():
    book, made = ask(*POLICIES, *POLICIES)
    for each in made[:4]:
        book.start(each)
    book.release()
    happened = book.end()
    assert [each.name for each in happened.stop] == ["default", "background"]
    assert [each.name for each in happened.detached] == ["lasting", "protected"]
    assert happened.dropped == tuple(made[4:])
    assert book.unsettled == ()
    again = book.end()
    assert (again.stop, again.dropped) == ((), ())
    (late,) = book.receive([Request("", "default", "{}")], BOX)
    assert not book.start(late)
    assert "was not run" in late.result


def test_news_hold_no_secrets_and_are_bounded():
    def pay(card: Annotated[str, Secret()], note: str) -> None:
        """Pay.

        Args:
            card: The card.
            note: A note.
        """

    book = Executions()
    arguments = json.dumps({"card": "4111", "note": "n" * 999})
    (one,) = book.receive([Request("", "pay", arguments)], Toolbox([tool(pay, background=True)]))
    book.start(one)
    book.release()
    book.finish(one, done("paid"))
    (news,) = book.take_news()
    assert "4111" not in news
    assert "[secret]" in news
    assert news.endswith(": paid)")
    assert len(news) < 300


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("receive"),
            st.lists(
                st.tuples(
                    st.sampled_from(["", "abcdefghi", "x"]), st.sampled_from([*POLICIES, "?"])
                ),
                max_size=3,
            ),
        ),
        st.tuples(st.sampled_from(["start", "finish", "fail", "cancelled"]), st.integers(0, 9)),
        st.tuples(st.sampled_from(["interrupt", "release", "news", "end"]), st.none()),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_happens_each_runs_at_most_once_and_has_one_answer(events):
    book, made, started, told = Executions(), [], Counter(), Counter()
    for event, value in events:
        if event == "receive":
            made += book.receive([Request(i, name, "{}") for i, name in value], BOX)
        elif event in {"interrupt", "release", "end"}:
            happened = getattr(book, event)()
            if event == "interrupt":
                assert set(happened.kept) == set(book.unsettled)
            elif event == "end":
                assert not book.unsettled
        elif event == "news":
            told.update(book.take_news())
        elif value < len(made):
            each = made[value]
            if event == "start":
                started[each] += book.start(each)
            elif started[each]:
                outcome = {
                    "finish": done(f"result of {each.id}"),
                    "fail": Outcome(False, f"result of {each.id}", 0.0, kind="error"),
                    "cancelled": Outcome.cancelled(each.name),
                }[event]
                before = each.state
                assert book.finish(each, outcome) or before in {"done", "cancelled"}
    told.update(book.take_news())
    assert max([*started.values(), 0]) <= 1
    assert len({each.id for each in made}) == len(made)
    assert all(each.result for each in made)
    for each in made:
        if each.original is not None:
            assert not started[each]
            assert each.result == each.original.result
        elif each.state == "done":
            # Told in one place: in the history or, if that had another answer, as news.
            mine = f"result of {each.id}"
            news = sum(number for text, number in told.items() if text.endswith(f": {mine})"))
            assert (each.result == mine) + news == 1
