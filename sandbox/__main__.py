"""``python -m vivavoce.sandbox``: the sandbox by itself."""

from __future__ import annotations

import argparse
import os
import sys

from vivavoce.sandbox.launch import KEY_VARIABLE


def main() -> int:
    """Serve until told to stop; 1 when it could not start."""
    parser = argparse.ArgumentParser("python -m vivavoce.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, does")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin does")
    given = parser.parse_args()

    from vivavoce.sandbox.hearing import EngineMissingError
    from vivavoce.sandbox.process import run

    # From the environment, as a command line can be read by every user of the machine.
    key = os.environ.pop(KEY_VARIABLE, None)
    try:
        run(given.port, key, given.host, parent=given.parent, watch_stdin=given.watch_stdin)
    except (EngineMissingError, OSError, ValueError) as error:
        print(f"the sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
