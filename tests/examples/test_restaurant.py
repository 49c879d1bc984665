"""The restaurant: typed tools, and a day that is full."""

from datetime import date, time

from vivavoce.agent.testing import call_tool, expect, simulate

FRIDAY = date(2026, 11, 27)


async def test_a_table_is_found_and_booked(example):
    replies = [
        call_tool("free_tables", day=FRIDAY, people="4"),
        "At seven, eight and half past nine.",
        call_tool("book_table", day=FRIDAY, at="19:00", people=4, name="Miller"),
        "It is yours.",
    ]
    async with simulate(example("restaurant").agent, replies) as caller:
        await caller.says("A table for four on Friday")
        await caller.interrupts("At seven, for Miller", after=0.8)
        await caller.listens()
        assert caller.heard == "It is yours."
    expect(caller).tool("free_tables", day=FRIDAY).interrupted().no_failures()
    assert caller.call.deps.bookings == [(FRIDAY, time(19, 0), 4, "Miller")]


async def test_what_is_taken_is_not_booked_twice(example):
    book = call_tool("book_table", day=FRIDAY, at="19:00", people=4, name="Miller")
    async with simulate(example("restaurant").agent, [book, "Done.", book, "Sorry."]) as caller:
        await caller.says("Friday at seven for Miller")
        await caller.says("And again")
    assert len(caller.call.deps.bookings) == 1
    assert (caller.tool_calls[1].result or "").startswith("Sorry, no table")


async def test_each_call_has_a_book_of_its_own(example):
    agent = example("restaurant").agent
    book = call_tool("book_table", day=FRIDAY, at="19:00", people=4, name="Miller")
    for _ in range(2):
        async with simulate(agent, [book, "Done."]) as caller:
            await caller.says("Friday at seven for Miller")
        assert caller.tool_calls[0].use.ok
        assert len(caller.call.deps.bookings) == 1
