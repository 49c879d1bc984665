"""Notes: silent, it knows who has said what, and what they have promised."""

from datetime import date

from vivavoce.agent.testing import call_tool, expect, say, simulate

MEETING = [
    "Good morning, Anna here. The release is late.",
    "I will write to the customers by Friday.",
    "This is Ben. I can test it again on Monday.",
    "And the documentation needs a page.",
]


async def meet(caller):
    for line in MEETING:
        await caller.says(line)
    assert caller.transcript.heard == ""


async def test_it_listens_and_says_nothing(example):
    async with simulate(example("notes").agent, []) as caller:
        await meet(caller)
        await caller.silent(300)
    assert caller.transcript.heard == ""
    assert not caller.call.reason.startswith("nobody")
    expect(caller).no_failures()


async def test_words_belong_to_who_introduced_themselves_last(example):
    notes = example("notes")
    async with simulate(notes.agent, []) as caller:
        await meet(caller)
        assert notes.so_far(caller.call) == [
            "Anna: Good morning, Anna here. The release is late.",
            "Anna: I will write to the customers by Friday.",
            "Ben: This is Ben. I can test it again on Monday.",
            "Ben: And the documentation needs a page.",
        ]


async def test_it_answers_when_it_is_called_and_keeps_the_promises(example):
    notes = example("notes")
    replies = [
        [
            call_tool("follow_up", who="Anna", what="write to the customers", due="2026-11-27"),
            call_tool("follow_up", who="Ben", what="test again"),
        ],
        say("Anna writes to the customers by Friday, and Ben tests again."),
    ]
    async with simulate(notes.agent, replies) as caller:
        await meet(caller)
        await caller.says("Scribe, what have we promised?")
        assert caller.heard == "Anna writes to the customers by Friday, and Ben tests again."
    assert caller.call.deps.follow_ups == [
        notes.FollowUp("Anna", "write to the customers", date(2026, 11, 27)),
        notes.FollowUp("Ben", "test again", None),
    ]
    messages, _ = caller.requests[0]
    assert "Anna: I will write to the customers by Friday." in messages[-1]["content"]
    assert "Ben: And the documentation needs a page." in messages[-1]["content"]


async def test_a_scribe_who_is_talked_about_is_not_called(example):
    async with simulate(example("notes").agent, []) as caller:
        await caller.says("We should ask the scribe later")
    assert caller.transcript.heard == ""
