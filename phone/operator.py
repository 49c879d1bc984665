"""The operator: calls others, for the application and for those who are on the line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vivavoce.agent import Agent, Call, NoAnswer, yes_no
from vivavoce.agent.line import LineError
from vivavoce.agent.phrases import TAKE_IT, phrase
from vivavoce.agent.transfer import TransferRequest
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.policy import Pace, Policy, Retries, allows
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.uri import Uri
from vivavoce.phone.station import DialError, Station
from vivavoce.phone.transport import Briefed, PhoneTransport
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.connect import Models

log = logging.getLogger("vivavoce")


class Operator:
    """Makes every call of ours, and holds each to the policy. Implements `Switchboard`.

    Args:
        station: Where calls go out.
        models: What somebody is briefed with.
        trunks: By name.
        policy: Whom we may call, when and how often.
    """

    def __init__(
        self, station: Station, models: Models, trunks: Mapping[str, Trunk], policy: Policy
    ) -> None:
        self._station = station
        self._models = models
        self._trunks = trunks
        self.policy = policy
        self._pace = Pace(policy.per_minute)

    def forbids(self, number: str) -> str:
        """Return why a number may not be called now; "" if it may."""
        why = self.policy.forbids(number, datetime.now(UTC))
        wait = self._pace.wait(time.monotonic())
        if not why and wait:
            why = f"{self.policy.per_minute} calls a minute are made already; in {wait:.0f} s"
        return why

    def wait(self, number: str) -> float | None:
        """Return in how many seconds a number may be called; None: never."""
        if self.policy.numbers and not allows(self.policy.numbers, number):
            return None
        return max(self.policy.opens(datetime.now(UTC)), self._pace.wait(time.monotonic()))

    async def call(
        self,
        number: str,
        *,
        trunk: str = "",
        caller: str = "",
        display: str = "",
        ring_time: float = 45.0,
        retries: Retries | None = None,
    ) -> TelephoneLine:
        """Call somebody, again where that is worth it; cancelling hangs up.

        Each attempt is held to the policy anew.

        Raises:
            DialError: The last attempt failed; `code` 0: the policy forbids it.
            vivavoce.phone.exposure.PhoneError: There is no such trunk.
        """
        attempt, again = 1, retries or Retries()
        while True:
            why = self.forbids(number)
            if why:
                raise DialError(0, f"not called: {why}")
            self._pace.made(time.monotonic())
            try:
                return await self._station.dial(
                    number, trunk=trunk, caller=caller, display=display, ring_time=ring_time
                )
            except DialError as error:
                wait = again.after(error.code, attempt)
                if wait is None:
                    raise
                log.info("%s: trying again in %.0f s", error, wait)
            await asyncio.sleep(wait)
            attempt += 1

    # -- for those who are on the line

    def permit(self, to: str) -> None:
        """Let the far end be asked to call a number: it is our call all the same, and is counted.

        Raises:
            LineError: The policy forbids it.
        """
        why = self.forbids(to)
        if why:
            raise LineError(f"{to} is not called: {why}")
        self._pace.made(time.monotonic())

    async def reach(self, line: TelephoneLine, request: TransferRequest) -> TelephoneLine:
        """Call somebody for whoever is on a line; cancelling hangs up.

        Raises:
            LineError: Nobody answered, or they may not be called.
        """
        trunk = request.trunk or (line.trunk if line.trunk in self._trunks else "")
        try:
            return await self.call(request.to, trunk=trunk, ring_time=request.ring_time)
        except (DialError, ValueError) as error:
            raise LineError(f"{request.to} was not reached: {error}") from error

    async def brief(
        self, line: TelephoneLine, call: Call[Any], request: TransferRequest, question: str = ""
    ) -> Briefed:
        """Tell somebody what a call is about; return whether they take it, by voice or key."""
        language, takes, agrees = call.language, False, False
        briefs = f"{request.briefing.strip()} {phrase(TAKE_IT, language)}"
        agent: Agent[Any, Any] = Agent(
            name=f"{call.agent.name[:55]}-briefing", voice=call.agent.voice, languages=language
        )

        async def ask(briefing: Call[Any]) -> bool:
            nonlocal takes, agrees
            try:
                takes = await briefing.ask(briefs, yes_no(), retries=1)
                if takes and question:
                    agrees = await briefing.ask(question, yes_no(), retries=1)
            except NoAnswer as error:
                log.info("%r: %s", line, error)
            await briefing.hang_up("briefed", after_speech=False)
            return False

        conversation = Conversation(
            agent,
            self._models,
            PhoneTransport(line, keep=True),
            call_id=f"{call.id}-briefing",
            caller=line.caller,
            called=line.number,
            opening=ask,
        )
        try:
            await conversation.run()
        finally:
            call.transfers[-1].briefing = conversation.call.transcript.to_dict()
        return Briefed(takes, agrees)

    def follows(self, line: TelephoneLine, target: Uri) -> bool:
        """Whether the far end of a line may have us call a target (REFER)."""
        trunk = self._trunks.get(line.trunk)
        return trunk is not None and allows(trunk.refer, self.number_of(line, target))

    def number_of(self, line: TelephoneLine, target: Uri) -> str:
        """Return how a target is dialled: by its number alone where it is the trunk's own.

        What names another host is another place, and is to be allowed by its whole URI.
        """
        trunk = self._trunks.get(line.trunk)
        own = {trunk.host.lower(), trunk.domain.lower()} if trunk is not None else set()
        if target.user and (target.scheme == "tel" or target.host.lower() in own):
            return target.user
        return str(target)
