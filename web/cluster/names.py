"""Names of workers, and how whatever a client comes back with tells which worker it belongs to.

A call's id ends in `-WORKER`, as a room's does; a resume token and a connection's name (`pc_id`)
begin with `WORKER.`. So any front sends any later request to the right process, and no table is
shared, kept or lost. A worker that is started again bears a new name: what its forerunner gave out
never reaches it by mistake.
"""

from __future__ import annotations

import re
import secrets

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""What names are made of: nothing that is mistaken for something else when read aloud."""
LENGTH = 6
_NAME = re.compile(r"[a-z0-9]{1,32}")


def new_name() -> str:
    """Return a name that no worker has had: one of 10⁹, by chance."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def is_name(text: str) -> bool:
    """Whether a text may name a worker."""
    return _NAME.fullmatch(text) is not None


def mark_id(ident: str, worker: str) -> str:
    """Return a call's or a room's id as its worker gives it out; unchanged without a worker."""
    return f"{ident}-{worker}" if worker else ident


def mark_token(secret: str, worker: str) -> str:
    """Return a resume token or a connection's name likewise."""
    return f"{worker}.{secret}" if worker else secret


def worker_of_id(ident: str) -> str:
    """Return whose call or room an id names; "" if it does not say."""
    _, dash, name = ident.rpartition("-")
    return name if dash and is_name(name) else ""


def worker_of_token(token: str) -> str:
    """Return whose a resume token or a connection's name is; "" if it does not say."""
    name, dot, _ = token.partition(".")
    return name if dot and is_name(name) else ""
