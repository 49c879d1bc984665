"""Routing by names and descriptions alone: no examples are given, as in a real request."""

from datetime import UTC, datetime

import pytest

from vivavoce.sandbox.brain_route import ACT, CONFIRM, keywords, route
from vivavoce.sandbox.brain_schema import read_tools

NOW = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)

TOOLS = {
    "get_weather": "Get the weather forecast for a city.",
    "get_balance": "Get the balance of one of the caller's accounts.",
    "transfer_money": "Transfer money to another person.",
    "block_card": "Block a lost or stolen card.",
    "find_branch": "Find the nearest branch and its opening hours.",
    "free_tables": "Find the free tables of the restaurant for an evening.",
    "book_table": "Book a table.",
    "cancel_booking": "Cancel an existing reservation.",
    "todays_menu": "Tell what is on the menu and which dishes are vegetarian.",
    "set_light": "Turn a light on or off.",
    "set_thermostat": "Set the heating to a temperature.",
    "play_music": "Play a song, an album or an artist.",
    "set_alarm": "Set an alarm for a time of day.",
    "set_timer": "Start a countdown timer.",
    "create_reminder": "Create a reminder about something.",
    "send_message": "Send a text message to a contact.",
    "track_parcel": "Track where a parcel is.",
    "order_taxi": "Order a taxi to an address.",
    "make_appointment": "Make an appointment with a doctor.",
    "transfer_to_human": "Hand the call over to a human agent.",
    "train_times": "Look up train departures between two stations.",
}

SAID = [
    ("what's the weather like today", "get_weather"),
    ("is it going to rain tomorrow", "get_weather"),
    ("do I need an umbrella", "get_weather"),
    ("how much money is in my account", "get_balance"),
    ("what is my balance", "get_balance"),
    ("I want to send fifty pounds to my sister", "transfer_money"),
    ("pay twenty euros to Bob", "transfer_money"),
    ("I lost my credit card", "block_card"),
    ("somebody stole my card please freeze it", "block_card"),
    ("where is the nearest branch", "find_branch"),
    ("do you have a free table on saturday evening", "free_tables"),
    ("are there any tables free tonight", "free_tables"),
    ("I'd like to reserve a table for four", "book_table"),
    ("book a table tomorrow at eight", "book_table"),
    ("please cancel my reservation", "cancel_booking"),
    ("I need to cancel the booking for tonight", "cancel_booking"),
    ("what's on the menu today", "todays_menu"),
    ("do you have vegetarian dishes", "todays_menu"),
    ("switch off the lamp in the kitchen", "set_light"),
    ("turn the lights on", "set_light"),
    ("it's too cold make it warmer in here", "set_thermostat"),
    ("set the heating to twenty one degrees", "set_thermostat"),
    ("play some music by the beatles", "play_music"),
    ("put on a song", "play_music"),
    ("wake me up at seven", "set_alarm"),
    ("set an alarm for six thirty", "set_alarm"),
    ("set a timer for ten minutes", "set_timer"),
    ("remind me to call mum at five", "create_reminder"),
    ("don't let me forget to set a reminder about the bins", "create_reminder"),
    ("send a message to Anna saying I am late", "send_message"),
    ("text John that I'm on my way", "send_message"),
    ("where is my package", "track_parcel"),
    ("has my delivery been shipped", "track_parcel"),
    ("I need a cab to the airport", "order_taxi"),
    ("can you get me a taxi", "order_taxi"),
    ("I'd like to see a doctor on monday", "make_appointment"),
    ("can I make an appointment for tomorrow", "make_appointment"),
    ("let me talk to a real person", "transfer_to_human"),
    ("I want to speak to a human", "transfer_to_human"),
    ("when does the next train to london leave", "train_times"),
    # as recognisers write them
    ("what's the whether forecast for paris", "get_weather"),
    ("book a tabel for for people", "book_table"),
    ("set a time her for five minutes", "set_timer"),
]

BEYOND = [
    "who won the world cup in nineteen sixty six",
    "what is the meaning of life",
    "sing me something about dragons",
    "do you believe in ghosts",
    "explain quantum physics to me",
    "how old is the queen",
]


@pytest.fixture(scope="module")
def tools():
    return read_tools(
        [
            {"type": "function", "function": {"name": n, "description": d, "parameters": {}}}
            for n, d in TOOLS.items()
        ]
    )


def test_four_of_five_sentences_reach_their_tool(tools):
    wrong = []
    for said, name in SAID:
        best = route(said, tools, now=NOW)[0]
        if best.tool.name != name or best.score < CONFIRM:
            wrong.append((said, name, best.tool.name, round(best.score, 2)))
    right = 1 - len(wrong) / len(SAID)
    assert len(SAID) >= 30
    assert len(TOOLS) >= 12
    assert right >= 0.8, wrong


def test_what_is_acted_on_without_asking_is_right(tools):
    sure = [(said, name, route(said, tools, now=NOW)[0]) for said, name in SAID]
    sure = [(said, name, best) for said, name, best in sure if best.score >= ACT]
    wrong = [(said, best.tool.name) for said, name, best in sure if best.tool.name != name]
    assert len(sure) >= 0.6 * len(SAID)
    assert len(wrong) <= 0.05 * len(sure), wrong


def test_what_no_tool_does_is_not_acted_on(tools):
    scores = {said: route(said, tools, now=NOW)[0].score for said in BEYOND}
    assert max(scores.values()) < ACT, scores
    assert sum(score >= CONFIRM for score in scores.values()) <= 1, scores


def test_values_are_no_keywords():
    found = {w for w, _ in keywords("book a table for four tomorrow at half past seven", NOW)}
    assert found == {"book", "tabl"}


def test_nothing_said_routes_nowhere(tools):
    assert all(r.score == 0 for r in route("um", tools, now=NOW))
    assert route("a table", (), now=NOW) == []
