"""What a call looks like in the terminal."""

from vivavoce.agent import Agent, Call
from vivavoce.cli.show import health_line


def test_how_well_a_call_ran_is_told_in_a_line():
    call = Call(Agent("Be brief."))
    assert health_line(call) == ""
    call.ledger.health.partials += [400.0, 420.0]
    call.ledger.health.reactions += [90.0]
    call.ledger.health.lag = {"p50": 0.2, "p99": 1.0, "max": 7.0}
    call.ledger.health.underruns = 2
    call.ledger.speculation.guesses, call.ledger.speculation.hits = 3, 2
    call.ledger.speculation.wasted_tokens = 9
    assert health_line(call) == (
        "first words understood after 400 ms; silent 90 ms after being cut;"
        " 2 of 3 guesses came true (9 tokens wasted);"
        " 2 gaps where speech was synthesised too slowly;"
        " event loop late by 1 ms at most in 99 %"
    )
