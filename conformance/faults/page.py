"""The fault table as a page of the documentation."""

from __future__ import annotations

from typing import Any

HEAD = """# What fails, and what then

`make faults` holds a whole call for every row: a caller who asks three questions over a real
connection (a websocket, WebRTC, SIP), the real pipeline and call server or telephone with records,
metrics, traces and health, and the [sandbox](sandbox.md) as provider. At one moment one thing
breaks; for a provider it breaks for one turn. What stands here was measured at the three ends of
that call:

- **the caller heard** is recognised by its sound: the embedded voice says each sentence at a pitch
  of its own. A caller who is not answered within 22 s, or hears an apology, asks again;
- **the operator saw** are the counters in `/metrics` that moved, `/healthz` and `/readyz` while it
  was broken and after, the [trace](observe.md), and the warnings in the log;
- **was kept** is the [record](records.md): how many of the utterances that the caller finished
  stand in the transcript, how many the record accounts for otherwise (the failure it names), turns
  whose stages sum to their latency exactly, and whether the recording plays. An utterance stands in
  the transcript where an entry of its time, or two or three that follow one another, has 60 % of
  its words, or of its letters: "part" for "park" is what a recogniser makes of a bad line. Where
  packets were lost the sound itself is damaged: then an entry of the very seconds in which it was
  said accounts for it, and the page tells what was understood.

Every row must hold that **nothing is lost**: each utterance that was finished is in the transcript
or explained by the record; the call does not drop unless its caller's own line did; no secret and
no stack trace is logged; no task, socket or call is left; and the next call on the same server is
answered. Time-outs are the [default ones](settings.md).

Waits are those of a machine of two cores that held several such calls at once, beside other work.
Rows are not shown that were not run to their end on it, in whose call something went amiss
before anything was broken, or that came out wrong with a caller whom that machine was too slow for
(words took 1.3 times as long as they are, or half a second of sound was concealed that nothing had
been done to):
`python -m conformance.faults --list` names all of them, and `--only TEXT` runs some.
"""


def page(kept: dict[str, Any]) -> str:
    """Return the page.

    Args:
        kept: What `table.load` gives.
    """
    rows = kept["rows"]
    good = sum(not row["wrong"] for row in rows)
    parts = [HEAD, f"{len(rows)} faults; in {good} of them nothing was lost.\n"]
    for group in dict.fromkeys(row["group"] for row in rows):
        parts.append(f"## {group[0].upper()}{group[1:]}\n")
        parts.append("| fault | when | the caller heard | the operator saw | was kept |")
        parts.append("|---|---|---|---|---|")
        for row in rows:
            if row["group"] == group:
                kept_ = row["kept"]
                if row["wrong"]:
                    kept_ += f". **Wrong: {'; '.join(row['wrong'])}**"
                cells = (row["fault"], row["when"], row["heard"], row["seen"], kept_)
                parts.append(f"| {' | '.join(map(_cell, cells))} |")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
