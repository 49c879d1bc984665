"""Why calls and sessions end, for people and for programs."""

from __future__ import annotations

from vivavoce.agent import reason


def test_a_reason_of_ours_has_a_code_and_one_of_a_users_has_none() -> None:
    assert reason.code_of(reason.ALL_LEFT) == "left"
    assert reason.code_of("the shop is closed") == ""


def test_every_reason_has_a_code() -> None:
    told = {text for name, text in vars(reason).items() if name.isupper() and name != "CODES"}
    assert told == set(reason.CODES)
