"""Compliance: whatever the two parties say, it flags what it must and never makes a sound."""

from vivavoce.agent.testing import expect, simulate


async def listened(example, called, *lines):
    compliance = example("compliance")
    async with simulate(compliance.agent) as caller:
        caller.call.called = called
        for line in lines:
            await caller.says(line)
        await caller.silent(60)
    assert caller.transcript.heard == ""
    assert not any(reply.started is not None for reply in caller.transcript.replies)
    expect(caller).no_failures()
    return caller.call.deps.flags


async def test_what_an_adviser_must_not_say(example):
    flags = await listened(
        example,
        "adviser-17",
        "Hello, this call is recorded.",
        "The return is guaranteed, you cannot lose.",
        "But it is only today.",
        "Please tell me your password.",
    )
    assert [(flag.party, flag.rule, flag.words) for flag in flags] == [
        ("adviser", "promises a return", "guaranteed"),
        ("adviser", "presses the customer", "only today"),
        ("adviser", "asks for a password", "your password"),
    ]
    assert [flag.at for flag in flags] == sorted(flag.at for flag in flags)
    assert flags[0].at > 1


async def test_customers_may_say_it(example):
    lines = ("Is it guaranteed?", "Otherwise I will complain.")
    flags = await listened(example, "customer-17", *lines)
    assert [(flag.party, flag.rule) for flag in flags] == [("customer", "wants to complain")]


async def test_what_is_owed_and_not_said(example):
    flags = await listened(example, "adviser-17", "Hello, how are you?")
    assert [flag.rule for flag in flags] == ["did not say that the call is recorded"]


async def test_nothing_to_flag(example):
    lines = ("Good morning, this conversation is being recorded.", "Funds rise, and fall.")
    assert await listened(example, "adviser-17", *lines) == []


async def test_both_sides_may_share_a_desk(example):
    compliance = example("compliance")
    desk = compliance.Desk()
    for called, line in (
        ("adviser-1", "It is recorded, and risk free"),
        ("customer-1", "I complain"),
    ):
        async with simulate(compliance.agent, deps=desk) as caller:
            caller.call.called = called
            await caller.says(line)
    assert [flag.party for flag in desk.flags] == ["adviser", "customer"]


async def test_a_browser_sees_a_flag_at_once(example, browser):
    async with simulate(example("compliance").agent) as caller:
        await caller.says("This is recorded, and your password, please")
        (message,) = browser
        assert message["flag"]["rule"] == "asks for a password"
