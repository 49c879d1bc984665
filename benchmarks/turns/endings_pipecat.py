"""smart-turn alone, as pipecat's stop strategy uses it, on the clock of the samples.

The voice detector is pipecat's own, with its thresholds of loudness and its 200 ms of silence; the
segment that the model hears, the wait after "not yet" and what is cleared when follow
`TurnAnalyzerUserTurnStopStrategy` and `BaseSmartTurn` of pipecat 1.14, whose clock is the wall's.
"""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState

from benchmarks.latency.wire import BLOCK, RATE
from benchmarks.turns.endings import MODEL, TEXT, Ended, Heard
from vivavoce.pipelines.benching.clip import Samples


class SmartTurnAlone:
    """One question at each stop of the voice; "not yet" waits for another stop, or 3 s."""

    def __init__(self, model: Callable[[Samples], float]) -> None:
        """Prepare it.

        Args:
            model: smart-turn v3.2: the file that pipecat ships.
        """
        self._model = model
        self._turn = SmartTurnParams()
        self._voice = VADParams()
        logger.disable("pipecat")

    async def ends(self, heard: Heard) -> list[Ended]:
        """Return what it takes for ends in an utterance, up to one behind the true end."""
        vad = SileroVADAnalyzer(sample_rate=RATE, params=self._voice)
        vad.set_sample_rate(RATE)
        before = round((self._turn.pre_speech_ms / 1000 + self._voice.start_secs) * RATE)
        longest = round(self._turn.max_duration_secs * RATE)
        found: list[Ended] = []
        speaking = False
        cleared, begun, silence = 0, None, 0.0
        try:
            for now, block in heard.blocks():
                state = await vad.analyze_audio(block.tobytes())
                here = round(now * RATE)
                if not speaking and state is VADState.SPEAKING:
                    speaking = True
                elif speaking and state is VADState.QUIET:
                    speaking = False
                    start = max(cleared, 0 if begun is None else begun - before)
                    probability = self._model(heard.audio[start:here][-longest:])
                    if probability > 0.5:
                        # The final text, asked for at the stop, has to be there as well.
                        why = f"voice {probability:.2f}"
                        found.append(Ended(now + max(MODEL, TEXT), why))
                        cleared, begun, silence = here, None, 0.0
                if speaking:
                    begun = here - BLOCK if begun is None else begun
                    silence = 0.0
                elif begun is not None:
                    silence += BLOCK / RATE
                    if silence >= self._turn.stop_secs:
                        found.append(Ended(now, f"silence {self._turn.stop_secs:g} s"))
                        cleared, begun, silence = here, None, 0.0
                if found and found[-1].at >= heard.end:
                    break
        finally:
            await vad.cleanup()  # type: ignore[no-untyped-call]
        return found
