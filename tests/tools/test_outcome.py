import pytest

from vivavoce.tools import Outcome, Retry, ToolError
from vivavoce.tools.outcome import RETRY_DELAY, RETRY_DELAY_LIMIT, error_words, retry_delay


def test_a_delay_doubles_up_to_its_limit():
    delays = [retry_delay(tried) for tried in range(1, 9)]
    assert delays[:3] == [RETRY_DELAY, 2 * RETRY_DELAY, 4 * RETRY_DELAY]
    assert delays == sorted(delays)
    assert delays[-1] == retry_delay(10**6) == RETRY_DELAY_LIMIT


@pytest.mark.parametrize(
    ("after", "delay"),
    [(0, 0), (1.5, 1.5), (3_600, RETRY_DELAY_LIMIT), (-1, 0), (float("nan"), RETRY_DELAY_LIMIT)],
)
def test_a_tool_may_say_when(after, delay):
    assert retry_delay(1, Retry("Busy.", after=after)) == delay


def test_other_errors_say_nothing_of_it():
    assert retry_delay(1, Retry("Busy.")) == retry_delay(1, TimeoutError()) == RETRY_DELAY


def test_a_retry_speaks_to_the_model_like_any_tool_error():
    assert error_words("x", Retry("Busy.")) == error_words("x", ToolError("Busy.")) == "Busy."
    assert "internal error" in error_words("x", ValueError("password"))


def test_what_was_cancelled():
    during = Outcome.cancelled("pay", 2.0)
    assert (during.ok, during.kind, during.seconds, during.tries) == (False, "cancelled", 2.0, 1)
    assert "may or may not" in during.content
    before = Outcome.cancelled("pay" * 99, started=False)
    assert before.tries == 0
    assert "was not run" in before.content
    assert len(before.content) < 200
