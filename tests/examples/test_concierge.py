"""The concierge follows the caller's language, in the words, the voice and the instructions."""

from datetime import time

from vivavoce.agent.testing import call_tool, expect, simulate


async def test_it_follows_the_caller(example):
    replies = ["Of course.", "Bien sûr, à sept heures.", "And good night."]
    async with simulate(example("concierge").agent, replies) as caller:
        agent = caller.call.agent
        await caller.says("When is breakfast, please?")
        assert agent.voice_for(caller.call.language) == "gb_jane_neutral"
        await caller.says("Bonjour, je voudrais un taxi pour sept heures, merci")
        assert caller.call.language == "fr"
        assert agent.voice_for(caller.call.language) == "fr_marie_neutral"
        await caller.says("OK")  # of no language: it stays
        assert caller.call.language == "fr"
    told = [messages[0]["content"] for messages, _ in caller.requests]
    assert "Speak English" in told[0]
    assert "Speak French" in told[-1]


async def test_an_order_is_kept_and_the_room_is_remembered(example):
    replies = [call_tool("order", service="taxi", room="12", at="07:00"), "Um sieben.", "Gern."]
    async with simulate(example("concierge").agent, replies) as caller:
        await caller.says("Ich möchte bitte ein Taxi für Zimmer zwölf")
        assert caller.call.language == "de"
        await caller.says("Danke")
    assert caller.call.deps.orders == [("taxi", "12", time(7, 0))]
    assert "room: 12" in caller.requests[-1][0][0]["content"]


async def test_what_the_hotel_does_not_have_is_not_ordered(example):
    replies = [call_tool("order", service="helicopter", room="12", at="07:00"), "Sorry, no."]
    async with simulate(example("concierge").agent, replies) as caller:
        await caller.says("A helicopter, please")
    assert caller.call.deps.orders == []
    assert "taxi" in (caller.tool_calls[0].result or "")


async def test_another_language_on_request(example):
    replies = [call_tool("set_language", language="es"), "Con mucho gusto."]
    async with simulate(example("concierge").agent, replies) as caller:
        await caller.says("Could we switch to Spanish?")
        assert caller.call.language == "es"
    expect(caller).no_failures()
