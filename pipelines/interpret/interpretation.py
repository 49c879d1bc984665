"""An interpretation: a session of one line, at which is heard what was said there."""

from __future__ import annotations

from vivavoce.agent.interpreter import Interpreter
from vivavoce.pipelines.interpret.piece import Voices
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.transport import Transport


class Interpretation(Seat):
    """A session of one line: a file, a microphone, one browser or one telephone.

    Whoever speaks there is heard there in the other language; with `both_ways` two people at one
    microphone speak a language each, and every utterance is translated into the other one. The
    speaker's own voice is not played back to them, whatever `Interpreter.original` says.

    Args:
        interpreter: How it is to be done. Of several targets one is spoken, and the others are
            captions.
        models: With what.
        transport: What carries the call.
        hears: Which of the targets is spoken; the first if None.
        call_id: Names the call; made up if None.
        caller: Who calls, where that is known.
        called: What they called, likewise.
        voices: Whose voice speaks; the interpreter's if None.
        simulated: Whether time is simulated.

    Raises:
        ValueError: If `hears` is none of the targets.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        models: Models,
        transport: Transport,
        *,
        hears: str | None = None,
        call_id: str | None = None,
        caller: str = "",
        called: str = "",
        voices: Voices | None = None,
        simulated: bool = False,
    ) -> None:
        heard = hears or interpreter.targets[0]
        if heard not in interpreter.targets:
            raise ValueError(
                f"Interpretation(hears={hears!r}): choose {' or '.join(interpreter.targets)}"
            )
        super().__init__(
            interpreter,
            models,
            transport,
            speaks="" if interpreter.both_ways else interpreter.source,
            hears=heard,
            call_id=call_id,
            caller=caller,
            called=called,
            voices=voices,
            simulated=simulated,
        )
        assert self.ear is not None
        for target in interpreter.languages if interpreter.both_ways else interpreter.targets:
            lane = self.ear.lane(target)
            if interpreter.both_ways or target == heard:
                self.listen(lane.outlet())
