import pytest

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.transcription.request import retry_after
from vivavoce.pipelines.models.transcription.retry import Backoff


def error(kind="broken", asked=None):
    return ModelError("hearing", kind, "x", retry_after=asked)


def test_waits_double_up_to_the_longest():
    backoff = Backoff(attempts=9, first=1, longest=10)
    assert [backoff.wait(error(), n, 1.0) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert backoff.wait(error(), 3, 0.0) == 2
    assert backoff.wait(error(), 9, 1.0) is None


@pytest.mark.parametrize("kind", ["auth", "refused"])
def test_what_would_fail_again_is_not_tried_again(kind):
    assert Backoff().wait(error(kind), 1, 0.5) is None


def test_a_server_that_names_a_time_is_obeyed_and_not_beaten_to_it():
    assert Backoff().wait(error("busy", 7), 1, 0.0) == 7
    assert 7 < Backoff().wait(error("busy", 7), 1, 1.0) <= 8
    assert Backoff(longest=5).wait(error("busy", 300), 1, 0.0) == 300
    assert Backoff().wait(error("busy", 86_400), 1, 0.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, 1_795_262_400.0) == seconds
