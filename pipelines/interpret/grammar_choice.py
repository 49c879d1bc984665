"""Choice: at which of the places where speech could be cut it is cut now.

Good places are taken at once; the longer the first word has waited, the worse one will do. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vivavoce.pipelines.interpret.grammar_tokens import Seam

Terms = Mapping[Seam, tuple[int, float]]
"""For each seam: the words that a piece has at least, and the share of the target lag that its
first word has to have waited."""

SOON: Terms = {
    Seam.SENTENCE: (3, 0.0),
    Seam.COMMA: (3, 0.0),
    Seam.CLAUSE: (3, 0.2),
    Seam.PHRASE: (4, 0.4),
    Seam.LOOSE: (4, 0.8),
    Seam.HELD: (6, 1.25),
    Seam.TIGHT: (8, 2.0),
}
LATE: Terms = {**SOON, Seam.HELD: (6, 2.5), Seam.TIGHT: (8, 3.0)}
"""Where a verb may be waited for that is still to come."""
NEAR = 2
"""Words within which a good seam is waited for rather than a bad one taken."""
REST = 2
"""Words from which on a sentence ends a piece that goes on with it."""


def choose(
    ready: Sequence[Seam],
    found: Sequence[Seam],
    age: float,
    terms: Terms,
) -> int:
    """Return how many words to cut off now; 0 for none.

    Args:
        ready: The seams behind the words that have settled.
        found: The same, and those that are known of the words behind them.
        age: How long the first word has waited, in target lags.
        terms: What each seam asks of a piece.
    """

    def fits(i: int, seam: Seam) -> bool:
        least, share = terms[seam]
        return i + 1 >= least and age >= share

    for i, seam in enumerate(ready):
        if seam >= Seam.CLAUSE and fits(i, seam):
            return i + 1
    near = found[len(ready) : len(ready) + NEAR]
    for wanted in (Seam.PHRASE, Seam.LOOSE, Seam.HELD, Seam.TIGHT):
        if wanted > Seam.HELD and any(seam >= Seam.CLAUSE for seam in near):
            continue
        for i in range(len(ready) - 1, -1, -1):
            if ready[i] is wanted and fits(i, wanted):
                return i + 1
    return 0


def best(ready: Sequence[Seam]) -> int:
    """Return how many words to cut off where a cut has to be made: at the best seam, late."""
    late = range(len(ready) - 1, (len(ready) - 1) // 3, -1)
    return 1 + max(late, key=lambda i: (ready[i], i), default=len(ready) - 1)
