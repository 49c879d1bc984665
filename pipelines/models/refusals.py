"""What the error codes and close codes of transcription sockets mean (protocol page §1, §2).

How they tell a wrong key is not established: the HTTP status of the upgrade, an error event, and a
close with 1008 are all known from services of this kind, and all are recognised. Pure.
"""

from __future__ import annotations

from vivavoce.pipelines.models.errors import Kind

TIMED_OUT = 3804
"""Mistral: audio came and no flush, and then nothing for half a minute."""
_CODES: dict[object, Kind] = {
    401: "auth",
    403: "auth",
    1401: "auth",
    429: "busy",
    1300: "busy",
    TIMED_OUT: "timeout",
    # Mistral: an invalid model, or a message that it does not take.
    1500: "refused",
    # vLLM.
    "model_not_found": "refused",
    "model_not_validated": "refused",
    "unknown_event": "refused",
    "invalid_event": "refused",
}
_CLOSES: dict[int, Kind] = {
    1008: "refused",
    1013: "busy",
}
_KEY = ("unauthorized", "unauthorised", "api key", "api-key", "authentication", "credentials")


def error_kind(code: object, text: str, *, useful: bool) -> Kind:
    """Tell what an error event stands for.

    Args:
        code: An integer (Mistral) or a word (vLLM).
        text: Its message.
        useful: Whether the connection had been of use: then a refusal is of one message, and the
            next connection need not meet it.
    """
    kind = _CODES.get(code, "broken") if isinstance(code, int | str) else "broken"
    if kind in {"broken", "refused"} and not useful and _about_key(text):
        return "auth"
    return "broken" if kind == "refused" and useful else kind


def closed_kind(code: int, reason: str, *, useful: bool, again: bool) -> Kind:
    """Tell what a close frame stands for; 1006 is a connection that ended without one.

    Args:
        code: The frame's.
        reason: Likewise.
        useful: Whether the connection had been of use.
        again: Whether the connection before was of no use either: what breaks a policy will do so
            again, but not everything that is told as 1008 does.
    """
    kind = _CLOSES.get(code, "broken")
    if not useful and _about_key(reason):
        return "auth"
    return "broken" if kind == "refused" and (useful or not again) else kind


def _about_key(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _KEY)
