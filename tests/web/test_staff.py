"""Who answers at a desk."""

from __future__ import annotations

import pytest

from vivavoce.agent import Agent
from vivavoce.web.live import DeskError, Wish
from vivavoce.web.staff import Staff, in_voice

FRONT = Agent(name="front", languages=["en", "fr"])
BACK = Agent(name="back")


@pytest.fixture
def staff() -> Staff:
    return Staff([FRONT, BACK])


def test_it_is_all_of_them_by_name_in_order(staff: Staff):
    assert list(staff) == ["front", "back"]
    assert staff["back"] is BACK
    assert "front" in staff
    assert "desk" not in staff
    assert len(staff) == 2


def test_the_first_answers_who_asks_for_nobody(staff: Staff):
    assert staff.pick(Wish()) is FRONT
    assert staff.pick(Wish(agent="back")) is BACK
    assert staff.pick(Wish(language="fr-CA")) is FRONT


@pytest.mark.parametrize(
    ("wish", "status", "code", "why"),
    [
        (Wish(agent="cook"), 404, "no_agent", "known: front, back"),
        (Wish(language="de"), 400, "bad_language", "known: en, fr"),
        (Wish(voice="fr_marie_neutral"), 403, "bad_voice", "choose the voice"),
    ],
)
def test_what_cannot_be_wished_for(staff: Staff, wish: Wish, status: int, code: str, why: str):
    with pytest.raises(DeskError, match=why) as refused:
        staff.pick(wish)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_voice_may_be_chosen_where_it_is_let():
    assert Staff([FRONT], choose_voice=True).pick(Wish(voice="x")) is FRONT


def test_others_take_their_place(staff: Staff):
    staff.use([BACK])
    assert list(staff) == ["back"]
    with pytest.raises(ValueError, match="name"):
        staff.use([BACK, Agent(name="back")])


def test_who_stands_only_in_a_tool_is_found_by_name(staff: Staff):
    elsewhere = Agent(name="elsewhere-of-the-staff")
    assert staff.find("front") is FRONT
    assert staff.find("elsewhere-of-the-staff") is elsewhere
    assert staff.find("nobody-of-the-staff") is None


def test_a_voice_is_the_calls_and_not_the_agents():
    spoken = in_voice(FRONT, "fr_marie_neutral")
    assert spoken.voice == "fr_marie_neutral"
    assert spoken.tools is FRONT.tools
    assert FRONT.voice is None
    assert in_voice(FRONT, "") is FRONT
