"""Synthesis: clauses become sound, several ahead of what is played.

Each clause is one request to the speech model, in a task of its own; so many run at once as the
agent's `Speech.ahead` allows. Where a request fails, its reply says no more: what comes behind a
gap would be out of order.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

from vivavoce.agent.ledger import Span
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Speaking
from vivavoce.pipelines.speech import Speech
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Clause

QUICK = 0.25
"""Seconds to the first audio up to which one word is enough for a first clause: the next clause
is there before it has been said. A slower synthesiser is given more at first, or there is a gap.
"""


class Synthesis:
    """Has the clauses of one call's replies synthesised.

    Args:
        context: The call.
        speaking: Text to speech.
        tasks: Own the requests; closed by who gave them, which ends all.
    """

    def __init__(self, context: Context, speaking: Speaking, tasks: Tasks) -> None:
        self._context, self._speaking, self._tasks = context, speaking, tasks
        self._jobs: dict[Clause, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(context.agent.speech.ahead)
        self._first_audio = QUICK

    @property
    def busy(self) -> bool:
        """Whether a clause is being synthesised, or waits for that."""
        return bool(self._jobs)

    @property
    def first_words(self) -> int:
        """How many words the first clause of a reply has at least, as fast as sound comes."""
        return 1 if self._first_audio <= QUICK else 3

    def begin(self, speech: Speech, clause: Clause) -> None:
        """Have a clause of a reply synthesised; its sound is added to it as it comes."""
        job = self._tasks.spawn(self._run(speech, clause), "speech")
        self._jobs[clause] = job
        # Who is stopped before the first step never comes to its `finally`.
        job.add_done_callback(lambda _: self._over(clause))

    def stop(self, speech: Speech) -> None:
        """End what is being synthesised for a reply, but for the task that this is called in."""
        current = asyncio.current_task()
        for clause in speech.places:
            job = self._jobs.get(clause)
            if job is not None and job is not current:
                job.cancel()

    async def _run(self, speech: Speech, clause: Clause) -> None:
        context, spoken = self._context, speech.spoken[clause]
        context.call.usage.characters += len(spoken.text)
        started = context.clock.now()
        first = True
        try:
            if not spoken.said:
                return  # a picture, or a line of dashes: there is nothing to say
            note = partial(speech.reply.served.__setitem__, "speaking")
            noted = Noting(context, note, characters=len(spoken.text))
            async with self._slots:
                stream = self._speaking.stream(
                    spoken.text, voice=speech.voice, language=speech.language
                )
                with served.listening(noted):
                    async with aclosing(stream) as chunks:
                        async for chunk in chunks:
                            if first:
                                first = False
                                span = Span("speech", started, context.clock.now())
                                self._first_audio += 0.3 * (span.end - started - self._first_audio)
                                speech.causes[clause] = (*speech.causes[clause], span)
                            clause.add(chunk)
        except ModelError as error:
            clause.broken = True
            speech.ended = True
            self.stop(speech)
            if speech.guess is None:
                await context.trouble(error)
            else:
                speech.failed = error
        finally:
            self._over(clause)

    def _over(self, clause: Clause) -> None:
        clause.complete = True
        self._jobs.pop(clause, None)
