"""Where a trunk is right now: its addresses, looked up, kept for a while, and waited for."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from vivavoce.phone.sip.auth import Authenticator
from vivavoce.phone.sip.decisions import Address, Resolve
from vivavoce.phone.sip.exchange import Exchange
from vivavoce.phone.sip.resolve import Records, targets
from vivavoce.phone.sip.timers import Alarm
from vivavoce.phone.sip.trunk import Trunk

KEPT = 300.0  # s that a look-up is good for
PATIENCE = 10.0  # s that one may take

Then = Callable[[float], None]


class Place:
    """One trunk's addresses.

    Args:
        exchange: Alarms, and which transports and IP versions we have.
        trunk: The trunk.
        learn: Told the addresses that a name resolved to: the trunk may send from them.

    Raises:
        ValueError: We have no listener of the trunk's transport.
    """

    def __init__(
        self,
        exchange: Exchange,
        trunk: Trunk,
        learn: Callable[[str, Iterable[str]], None],
    ) -> None:
        self._exchange, self._trunk, self._learn = exchange, trunk, learn
        if trunk.transport is not None and not exchange.reaches(trunk.transport):
            raise ValueError(
                f"trunk {trunk.name!r} needs a {trunk.transport} listener: add a local address"
            )
        self._waiting: list[tuple[Then, Then]] = []
        self._asking = False
        self._limit: Alarm | None = None
        self._until = float("-inf")
        self._targets: list[Address] = []
        self.authenticator = (
            Authenticator(trunk.credentials, lambda: exchange.token(8))
            if trunk.credentials is not None
            else None
        )
        if not trunk.named:
            self._until = float("inf")
            self._set(Records())

    def targets(self) -> list[Address]:
        """Return the addresses known, in the order to try them; none before the first look-up."""
        return list(self._targets)

    def ask(self, then: Then | None, otherwise: Then | None, now: float) -> None:
        """Call `then(now)` once there are addresses, or `otherwise(now)` if there are none.

        Known addresses that have grown old are used while they are looked up again.
        """
        if now >= self._until and not self._asking:
            self._asking = True
            trunk = self._trunk
            self._exchange.emit(Resolve(trunk.name, trunk.host, trunk.port, trunk.transport))
            self._limit = self._exchange.alarms.at(now + PATIENCE, self._given_up)
        if then is None or otherwise is None:
            return
        if self._targets:
            then(now)
        else:
            self._waiting.append((then, otherwise))

    def found(self, records: Records, now: float) -> None:
        """Take what was looked up; what was known stays when it is nothing."""
        self._asking = False
        if self._limit is not None:
            self._limit.cancel()
        if self._set(records):
            self._until = now + KEPT
        waiting, self._waiting = self._waiting, []
        for then, otherwise in waiting:
            (then if self._targets else otherwise)(now)

    def _set(self, records: Records) -> bool:
        trunk, exchange = self._trunk, self._exchange
        families = {ipaddress.ip_address(mine.host).version for mine in exchange.local}
        found = targets(
            trunk.host, trunk.port, trunk.transport, records, exchange.random, sorted(families)
        )
        usable = [target for target in found if exchange.reaches(target.transport)]
        if usable:
            self._targets = usable
            self._learn(trunk.name, {target.host for target in usable})
        return bool(usable)

    def _given_up(self, now: float) -> None:
        if self._asking:
            self.found(Records(), now)
