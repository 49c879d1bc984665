from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call, LineError
from vivavoce.agent.events import TransferMoved
from vivavoce.agent.transfer import Transfer, TransferRequest


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"to": "1", "mode": "cold"}, "refer, bridge or warm"),
        ({"to": " "}, "give the number"),
        ({"to": "1", "mode": "warm", "briefing": " "}, "what it is about"),
        ({"to": "1", "ring_time": 0}, "callers give up"),
    ],
)
def test_requests_that_make_no_sense(given, why):
    with pytest.raises(ValueError, match=why):
        TransferRequest(**given)


def test_a_transfer_as_json():
    assert Transfer("1", "refer", 1.23456).to_dict() == {
        "to": "1",
        "mode": "refer",
        "state": "calling",
        "began": 1.235,
    }
    joined = Transfer("1", "warm", 1, "done", "they hung up", 2.0, 3.0, [{"kind": "agent"}])
    assert joined.to_dict()["briefing"] == [{"kind": "agent"}]
    assert (joined.to_dict()["joined"], joined.to_dict()["ended"]) == (2.0, 3.0)


class FakeLine:
    """A line that refuses, or joins."""

    def __init__(self, call: Call, *, joins: bool) -> None:
        self.call, self.joins = call, joins
        self.aside: bool | None = None

    def now(self) -> float:
        return 5.0

    async def transfer(self, request: TransferRequest) -> None:
        self.aside = self.call.on_hold
        if not self.joins:
            raise LineError("nobody answered")
        if request.mode != "refer":
            self.call.transfer_moved("joined")


@pytest.mark.parametrize(("mode", "aside"), [("refer", False), ("bridge", True)])
async def test_how_far_it_came_is_told(mode, aside):
    call = Call(Agent())
    line = FakeLine(call, joins=False)
    call.connect(line)
    with pytest.raises(LineError, match="nobody answered"):
        await call.transfer("1", mode=mode)
    assert line.aside is aside
    assert not call.on_hold
    assert not call.joined
    line.joins = True
    await call.transfer("2", mode=mode)
    assert call.joined
    states = [(e.transfer.to, e.transfer.state) for e in call.past if type(e) is TransferMoved]
    last = "done" if mode == "refer" else "joined"
    assert states == [("1", "calling"), ("1", "failed"), ("2", "calling"), ("2", last)]
    assert call.transfers[0].why == "nobody answered"
