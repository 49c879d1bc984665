"""`vivavoce sandbox`: the embedded models by themselves."""

from __future__ import annotations

import sys

from vivavoce.cli.models import SandboxMissingError


def serve(port: int) -> int:
    """Serve until Ctrl-C; return the exit code."""
    try:
        from vivavoce.sandbox.process import run
    except ImportError as error:
        raise SandboxMissingError(
            f"{error.name} is not installed: pip install 'vivavoce[sandbox]'"
        ) from error
    print(
        "Embedded stand-ins, no models: what interprets is a phrase book with a dictionary"
        " (English, French, Spanish).",
        file=sys.stderr,
    )
    print(
        "The next line holds url and key. Use it elsewhere with VIVAVOCE_SANDBOX_URL and"
        " VIVAVOCE_SANDBOX_KEY.",
        file=sys.stderr,
    )
    run(port)
    return 0
