"""Who sits in a session of several people, and whose words go where."""

from __future__ import annotations

import random

import pytest

from vivavoce.pipelines.interpret.seating import (
    EMPTY,
    SPEAKERLESS,
    UNVISITED,
    Route,
    Seating,
    SeatingError,
)


def room(*languages: str, people: int = 10, speakers: int = 10, **given) -> Seating:
    return Seating(
        languages or ("en", "fr"), people=people, speakers=speakers, longest=3_600.0, **given
    )


def test_two_people_each_hear_the_other_translated():
    seats = room()
    ann = seats.join(0.0, language="en-GB", name="Ann")
    assert seats.routes() == set()  # nobody is there to hear her
    luc = seats.join(1.0, language="fr", name="Luc")
    assert ann.language == "en"  # the session's own form
    assert seats.routes() == {Route(ann.id, "fr"), Route(luc.id, "en")}
    assert seats.heard_by(ann.id) == {Route(luc.id, "en")}
    assert seats.plainly(ann.id) == []


def test_three_people_with_three_languages_and_two_of_one():
    seats = room("en", "fr", "es")
    ann, luc, eva, bob = (
        seats.join(0.0, language=language) for language in ("en", "fr", "es", "en")
    )
    assert len(seats.routes()) == 8  # of four speakers, in the two languages that are not theirs
    assert seats.heard_by(ann.id) == {Route(luc.id, "en"), Route(eva.id, "en")}
    assert seats.plainly(ann.id) == [bob]


def test_a_lecture_has_a_lane_for_each_language_whatever_the_number_of_listeners():
    seats = room("en", "fr", "es", people=60, speakers=1, lecture=True)
    speaker = seats.join(0.0, language="en")
    listeners = [
        seats.join(1.0, language=("fr", "es")[number % 2], speaks=False) for number in range(50)
    ]
    assert seats.routes() == {Route(speaker.id, "fr"), Route(speaker.id, "es")}
    for each in listeners[::2]:
        seats.leave(each.id, 2.0)
    assert seats.routes() == {Route(speaker.id, "es")}


def test_a_listener_chooses_what_to_hear():
    seats = room("en", "fr", "es", speakers=1, lecture=True)
    speaker = seats.join(0.0, language="en")
    one = seats.join(0.0, language="fr", speaks=False)
    route = Route(speaker.id, "fr")
    assert seats.spoken(route)
    seats.choose(one.id, hears="captions")
    assert seats.routes() == {route}
    assert not seats.spoken(route)  # read by one, and heard by nobody
    seats.choose(one.id, language="es", hears="translation")
    assert seats.routes() == {Route(speaker.id, "es")}
    seats.choose(one.id, hears="original")
    assert seats.routes() == set()
    assert seats.plainly(one.id) == [speaker]
    with pytest.raises(SeatingError, match="choose of en, fr, es"):
        seats.choose(one.id, language="de", hears="translation")
    assert one.hears == "original"  # what was refused has changed nothing
    with pytest.raises(SeatingError, match="speaks en: leave, and join again"):
        seats.choose(speaker.id, language="fr")


def test_seats_are_bounded():
    seats = room(people=3, speakers=1)
    speaker = seats.join(0.0, language="en")
    with pytest.raises(SeatingError, match="somebody speaks already") as refused:
        seats.join(0.0, language="fr")
    assert refused.value.code == "taken"
    for _ in range(2):
        seats.join(0.0, language="fr", speaks=False)
    with pytest.raises(SeatingError, match="all 3 seats") as refused:
        seats.join(0.0, language="fr", speaks=False)
    assert refused.value.code == "full"
    seats.leave(speaker.id, 1.0)
    assert seats.join(2.0, language="en").id != speaker.id


@pytest.mark.parametrize("wrong", ["de", "", "klingon"])
def test_a_language_that_is_not_spoken_is_refused(wrong):
    with pytest.raises(SeatingError) as refused:
        room().join(0.0, language=wrong)
    assert refused.value.code == "bad_language"


def test_names_are_clean_and_nobody_shares_one():
    seats = room()
    names = [
        seats.join(0.0, language="en", name=name).name
        for name in ("Ann", " Ann\n", "", "\u202eX\x00  Y", "z" * 99)
    ]
    assert names == ["Ann", "Ann 2", "C", "X Y", "z" * 40]


def test_what_somebody_said_last_is_still_heard_when_they_have_left():
    seats = room()
    ann, luc = seats.join(0.0, language="en", name="Ann"), seats.join(0.0, language="fr")
    seats.leave(ann.id, 5.0, fading=True)
    assert seats.routes() == {Route(ann.id, "fr")}  # and nothing is translated for her any more
    assert seats.join(6.0, language="en", name="Ann").name == "Ann"
    seats.gone(ann.id)
    assert Route(ann.id, "fr") not in seats.routes()
    seats.leave(luc.id, 7.0)
    assert seats.routes() == set()


def test_it_ends_when_all_have_left_or_nobody_comes():
    seats = room()
    assert not seats.over(UNVISITED - 1)
    assert seats.over(UNVISITED + 1) == "nobody came"
    one = seats.join(5.0, language="en")
    assert not seats.over(UNVISITED + 1)
    assert seats.over(3_601.0) == "the session reached its longest duration"
    seats.leave(one.id, 100.0)
    assert not seats.over(100.0 + EMPTY)  # they may come back
    back = seats.join(110.0, language="en")
    assert not seats.over(100.0 + EMPTY + 1)
    seats.leave(back.id, 200.0)
    assert seats.over(200.0 + EMPTY + 1) == "everybody has left"
    with pytest.raises(SeatingError, match="everybody has left"):
        seats.join(300.0, language="en")


def test_a_lecture_waits_for_its_speaker_for_a_while():
    seats = room(speakers=1, lecture=True)
    speaker = seats.join(0.0, language="en")
    seats.join(0.0, language="fr", speaks=False)
    seats.leave(speaker.id, 10.0)
    assert not seats.over(10.0 + SPEAKERLESS)
    assert seats.over(11.0 + SPEAKERLESS) == "the speaker has left"


def test_who_is_out_of_reach_keeps_the_seat():
    seats = room()
    one = seats.join(0.0, language="en")
    before = seats.changes
    assert seats.reach(one.id, there=False)
    assert not seats.reach(one.id, there=False)
    assert seats.changes == before + 1
    assert not one.to_dict()["there"]
    assert one.id in seats
    assert not seats.over(1_000.0)
    assert seats.reach(one.id, there=True)


def test_whatever_happens_nobody_hears_themselves_and_no_lane_is_for_nobody():
    chance = random.Random(3)
    seats = room("en", "fr", "es", people=6, speakers=4)
    now = 0.0
    for _ in range(2_000):
        now += 0.01
        seated = [each.id for each in seats]
        try:
            match chance.randrange(4):
                case 0:
                    seats.join(
                        now,
                        language=chance.choice(("en", "fr", "es")),
                        speaks=chance.random() < 0.6,
                        hears=chance.choice(("translation", "original", "captions")),
                    )
                case 1 if seated:
                    seats.leave(chance.choice(seated), now)
                case _ if seated:
                    seats.choose(
                        chance.choice(seated),
                        language=chance.choice(("", "en", "fr", "es")),
                        hears=chance.choice((None, "translation", "original", "captions")),
                    )
        except SeatingError:
            pass
        assert len(seats) <= 6
        assert len(seats.speakers) <= 4
        assert len({each.name for each in seats}) == len(seats)
        routes = seats.routes()
        for route in routes:
            assert seats[route.speaker].language != route.target
            assert any(route in seats.heard_by(each.id) for each in seats)
        for each in seats:
            heard = seats.heard_by(each.id)
            plain = {speaker.id for speaker in seats.plainly(each.id)}
            assert each.id not in plain | {route.speaker for route in heard}
            assert heard <= routes
            assert not plain & {route.speaker for route in heard}
