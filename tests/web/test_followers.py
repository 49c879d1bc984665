"""Who follows a server's calls is told of each in order, and only of calls there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vivavoce.web.followers import Followers


def live(*, reached: bool = True, kept: bool = True) -> Any:
    """A live call, as far as its followers look at it."""
    return SimpleNamespace(
        line=SimpleNamespace(leg=SimpleNamespace(kind="webrtc")),
        conversation=SimpleNamespace(call="call") if reached else None,
        agent=SimpleNamespace(name="desk"),
        record={"call": "c1"},
        kept=kept,
        past=None,
        resumable=False,
        figures=lambda: (None, {}),
        make_record=lambda models, growing: {"models": models, "growing": growing},
    )


def make(told: list[Any]) -> Followers:
    def kept(call: Any, record: Any, **about: Any) -> None:
        told.append(("kept", call, record(), about["revive"], about["events"]))

    keeper: Any = SimpleNamespace(
        began=kept, ended=lambda call, record: told.append(("record", call, record))
    )
    observer: Any = SimpleNamespace(
        began=lambda _, kind, *, figures, agent: told.append(("observed", kind, agent)),
        ended=lambda _: told.append("observed to its end"),
    )
    models: Any = SimpleNamespace(names={"thinking": "m"})
    return Followers(
        models, keeper, observer, lambda _: told.append("hook"), lambda _: told.append("last hook")
    )


def test_each_is_told_in_order():
    told: list[Any] = []
    followers, call = make(told), live()
    followers.began(call)
    growing = {"models": {"thinking": "m"}, "growing": True}
    assert told == [("kept", "call", growing, None, ()), ("observed", "webrtc", "desk"), "hook"]
    told.clear()
    followers.over(call)
    followers.finished(call)
    followers.gone(call)
    assert told == ["observed to its end", ("record", "call", {"call": "c1"}), "last hook"]


def test_who_only_listens_leaves_no_record_behind():
    told: list[Any] = []
    make(told).began(live(kept=False))
    assert [each[0] for each in told] == ["observed", "h"]


@pytest.mark.parametrize("step", ["began", "over", "finished", "gone"])
def test_of_a_call_that_was_never_reached_nobody_is_told(step: str):
    told: list[Any] = []
    getattr(make(told), step)(live(reached=False))
    assert not told


def test_nobody_has_to_follow():
    models: Any = SimpleNamespace(names={})
    followers, call = Followers(models, None, None, None, None), live()
    for step in (followers.began, followers.over, followers.finished, followers.gone):
        step(call)
