from __future__ import annotations

import pytest

from vivavoce.pipelines.models.refusals import closed_kind, error_kind


@pytest.mark.parametrize(
    ("code", "text", "useful", "kind"),
    [
        (3804, "Timeout waiting for response from streaming transcription.", True, "timeout"),
        (1500, "Invalid model: x", False, "refused"),
        (1500, "Audio chunk too large", True, "broken"),  # one message; the next is not
        (401, "No.", False, "auth"),
        (None, "Unauthorized", False, "auth"),
        (7, "Invalid API key", False, "auth"),
        (429, "Slow down", True, "busy"),
        ("model_not_found", "The model `x` does not exist.", False, "refused"),
        ("processing_error", "CUDA out of memory", True, "broken"),
        ({"odd": 1}, "?", False, "broken"),
    ],
)
def test_error_events(code, text, useful, kind):
    assert error_kind(code, text, useful=useful) == kind


@pytest.mark.parametrize(
    ("code", "reason", "useful", "again", "kind"),
    [
        (1006, "", True, False, "broken"),
        (1011, "internal error", False, True, "broken"),
        (1008, "", True, True, "broken"),  # it had served us: another connection may
        (1008, "", False, False, "broken"),
        (1008, "", False, True, "refused"),
        (1008, "Invalid API key", False, False, "auth"),
        (1013, "try again later", False, False, "busy"),
        (1000, "", True, False, "broken"),
    ],
)
def test_close_codes(code, reason, useful, again, kind):
    assert closed_kind(code, reason, useful=useful, again=again) == kind
