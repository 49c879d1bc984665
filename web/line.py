"""A web call's line: it carries a conversation over whichever connection the caller has.

A connection may break, or be replaced by another one: the call waits, silent, with all that it
holds, and goes on from the same sample when the caller is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame
from pipecat.utils.time import time_now_iso8601

from vivavoce.agent.events import CallerSaid
from vivavoce.agent.interpreter import Original
from vivavoce.agent.languages import LanguageError
from vivavoce.agent.line import KEYS
from vivavoce.agent.reason import CALLER_HUNG_UP
from vivavoce.agent.transcript import Utterance
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.frames import CallerTurnFrame
from vivavoce.pipelines.interpret.listening import Listener
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.transport import Carried
from vivavoce.web import rtvi
from vivavoce.web.leg import BLOCK, Leg
from vivavoce.web.limits import Bucket
from vivavoce.web.narrator import Narrator
from vivavoce.web.stream import StreamLeg
from vivavoce.web.webrtc import Peer

log = logging.getLogger("vivavoce")

WAIT = 20.0
"""Seconds that a call waits for a caller who is gone."""
TAIL = 3.0
"""Of these, seconds in which silence is heard, so that a turn that was cut off ends."""
WATCH = 0.1
"""Seconds between two looks at what has changed without an event."""
HEARD = 2
"""Looks for each at how much of a reply has been heard."""
NETWORK = 2.0
"""Seconds between two reports of the connection's quality."""
FAREWELL = 2.0
"""Seconds in which the last messages are sent."""
MESSAGES = 50
"""Messages that a client may send in a second; what is more is dropped."""
WAITING = 100
"""Messages that wait to be carried out."""
LOST = "the caller's connection was lost"

_PIPECAT = {entry.value for entry in KeypadEntry}  # A to D are not among them
_LEFT = json.dumps({"type": "signalling", "message": {"type": "peerLeft"}})


class Tap(Protocol):
    """Hears both sides of a call beside them; it returns at once and never raises."""

    def caller(self, pcm: Int16, rate: int) -> None:
        """Hear the caller (int16, mono, at `rate` Hz)."""

    def agent(self, pcm: Int16, rate: int) -> None:
        """Hear what is played to the caller, likewise."""


@runtime_checkable
class CanUncover(Protocol):
    """A talk in which the speaker's own voice can be heard beneath a translation."""

    def set_original(self, original: Original) -> None:
        """Hear it so from now on."""


class Line:
    """Carries one call over its legs. Implements `Transport` and `CanSend`.

    Args:
        leg: The first one.
        version: Ours, for clients.
        recording: Where the call is recorded (stereo: caller left, agent right); None: nowhere.
        wait: Seconds that it waits for a caller who is gone.

    Attributes:
        muted: The caller is not listened to.
        dropped: Messages that came too fast.
        taps: Who listens along.
        deaf: Nobody listens to the caller: they only hear others.
        recording: Where the call is recorded.
        appends: The recording was begun by another server, and goes on.
        about: Tells what a client is to know beside the snapshot; None: nothing.
        hear: Has the caller hear another language of others; None where nobody else is there.
        copy: The caller agrees that their voice is copied, or no more; None where nobody copies.
        voice: Tells how far that is; None likewise.
    """

    def __init__(
        self, leg: Leg, *, version: str = "", recording: Path | None = None, wait: float = WAIT
    ) -> None:
        self._leg: Leg | None = None
        self._version = version
        self.recording = recording
        self.appends = False
        self._left = False
        self._wait = wait
        self._input = Passage("WebInput")
        self._output = Passage("WebOutput")
        self._recorder: Recorder | None = None
        self._resampler: Resampler | None = None
        self._conversation: Talk | None = None
        self._narrator: Narrator | None = None
        self._ready = False
        self._commands: asyncio.Queue[rtvi.Command] = asyncio.Queue(WAITING)
        self._open = asyncio.Event()  # the pipeline runs: before, it would drop what it is given
        self._pace = Bucket(MESSAGES, MESSAGES)
        self._gone: float | None = time.monotonic()  # since when nobody is there
        self._tasks = Tasks()
        self._telling: asyncio.Task[None] | None = None
        self._finished = False
        self.on_text: Callable[[str], None] | None = None
        self.muted = False
        self.dropped = 0
        self.taps: set[Tap] = set()
        self.deaf = False
        self.about: Callable[[], str] | None = None
        self.hear: Callable[..., None] | None = None
        self.copy: Callable[[bool], None] | None = None
        self.voice: Callable[[], str] | None = None
        self.attach(leg)

    # The transport.

    def input(self) -> Passage:
        """Return the processor that pushes the caller's audio, keys and typed turns."""
        return self._input

    def output(self) -> Passage:
        """Return the processor that takes the agent's audio."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """Carry the call until it is over, or its caller stays away; return why it ended."""
        self._open.set()
        if self.recording is not None:
            self._recorder = Recorder(
                self.recording,
                conversation.rate,
                BLOCK,
                lambda why: conversation.fail("recording", why),
                since=self._conversation.now() if self.appends and self._conversation else None,
            )
        silence = np.zeros(round(16_000 * BLOCK), np.int16)
        while not conversation.over:
            leg = self._leg
            if leg is None or leg.closed:
                if self._away() > self._wait:
                    return LOST
                await asyncio.sleep(BLOCK)
                await self._hear(silence, 16_000)
                continue
            blocks = await leg.listen()
            if not leg.alive:
                if self._away() > self._wait:
                    return LOST
                for pcm, rate in blocks:
                    await self._hear(pcm, rate)
                continue
            if self._gone is not None:
                self._gone = None
                log.info("%s: the caller is there", leg.name)
            for pcm, rate in blocks:
                await self._hear(pcm, rate)
            await self._speak(conversation, leg)
        return conversation.over

    async def send(self, message: Any) -> None:
        """Send a message to the page."""
        if self._conversation is not None:
            at = round(self._conversation.call.now, 3)
            self._tell(rtvi.event({"event": "message", "at": at, "message": message}))

    async def close(self) -> None:
        """Finish the recording; the leg stays open until `finish`, to tell of the end."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            await recorder.finish()

    # Legs.

    @property
    def leg(self) -> Leg | None:
        """The connection there is now."""
        return self._leg

    @property
    def there(self) -> bool:
        """Whether the caller is there."""
        return self._gone is None

    def attach(self, leg: Leg) -> None:
        """Go on over another connection; the old one is closed."""
        old, self._leg = self._leg, leg
        self._ready = False
        self._resampler = None
        if self._recorder is not None:
            self._recorder.rejoin()
        leg.told = self._said
        if old is not None and old is not leg:
            old.told = None
            self._tasks.spawn(old.close(), "close an old connection")

    def follow(self, conversation: Talk, narrator: Narrator | None) -> None:
        """Take the call, before it runs, and begin to tell its client what happens.

        Args:
            conversation: The call's.
            narrator: Tells; None where the client speaks another protocol.
        """
        self._conversation = conversation
        self._narrator = narrator
        self._tasks.spawn(self._obey(), "commands")
        if narrator is not None:
            self._telling = self._tasks.spawn(self._narrate(conversation, narrator), "narrator")
            self._tasks.spawn(self._watch(narrator), "watch")

    def leave(self) -> None:
        """Tell the client nothing more, not even that it is over: the call goes on elsewhere."""
        self._left = True
        if isinstance(self._leg, StreamLeg):
            self._leg.goes_on = True

    async def finish(self) -> None:
        """Tell the client that it is over, and close its connection; idempotent."""
        if self._finished:
            return
        self._finished = True
        self._open.set()  # nobody waits for a call that is over
        try:
            if self._telling is not None:
                await asyncio.wait({self._telling}, timeout=FAREWELL)
            leg = self._leg
            if leg is not None:
                if self._narrator is not None and not self._left:
                    leg.write(_LEFT)
                await leg.close()
        finally:
            await self._tasks.close()
            await self.close()

    # Inside: sound.

    def _away(self) -> float:
        """Return for how long nobody has been there (s)."""
        now = time.monotonic()
        if self._gone is None:
            self._gone = now
            log.info("the caller is out of reach; waiting for %g s", self._wait)
        return now - self._gone

    async def _hear(self, pcm: Int16, rate: int) -> None:
        if self.deaf or (self._gone is not None and time.monotonic() - self._gone > TAIL):
            return
        if self.muted:
            pcm = np.zeros_like(pcm)
        if self._recorder is not None:
            self._recorder.caller(pcm, rate)
        for tap in self.taps:
            tap.caller(pcm, rate)
        await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), rate, 1))

    async def _speak(self, conversation: Carried, leg: Leg) -> None:
        """Give the leg what it lacks, and no more: what waits cannot be taken back."""
        count = round(leg.wanted * conversation.rate)
        if count <= 0:
            return
        if isinstance(conversation, Listener) and isinstance(leg, Peer):
            # What many hear is encoded once for all of them; who listens along hears samples.
            packet = None if self.taps else conversation.packet()
            if packet is not None:
                await leg.relay(packet)
                return
        samples = (await conversation.play(count)).samples
        if leg.rate != conversation.rate:
            if self._resampler is None:
                self._resampler = Resampler(conversation.rate, leg.rate, aligned=False)
            await leg.say(self._resampler.feed(samples))
        else:
            await leg.say(samples)
        if self._recorder is not None:
            self._recorder.agent(samples)
        for tap in self.taps:
            tap.agent(samples, conversation.rate)

    # Inside: what the client is told.

    def _tell(self, text: str) -> None:
        if self._ready and self._leg is not None and not self._left:
            self._leg.write(text)

    async def _narrate(self, conversation: Talk, narrator: Narrator) -> None:
        async for event in conversation.call:
            for text in narrator.event(event):
                self._tell(text)

    async def _watch(self, narrator: Narrator) -> None:
        reported = time.monotonic()
        for look in itertools.count():
            await asyncio.sleep(WATCH)
            if look % HEARD == 0 and self._conversation is not None:
                self._conversation.note_heard()
            for text in narrator.watch():
                self._tell(text)
            leg, now = self._leg, time.monotonic()
            if self._conversation is not None and leg is not None and now - reported > NETWORK:
                reported = now
                at = round(self._conversation.call.now, 3)
                self._tell(rtvi.event({"event": "network", "at": at, **leg.figures()}))

    # Inside: what the client says.

    def _said(self, text: str) -> None:
        if not self._pace.take(time.monotonic()):
            self.dropped += 1
            return
        try:
            command = rtvi.read(text)
        except rtvi.RtviError as error:
            self._answer(rtvi.refused(str(error), error.id))
            return
        if command is None:
            return
        if isinstance(command, rtvi.Ping):
            self._answer(command.what)  # whatever is being waited for: it says that we live
            return
        try:
            self._commands.put_nowait(command)
        except asyncio.QueueFull:
            self.dropped += 1

    def _answer(self, text: str) -> None:
        if self._leg is not None:
            self._leg.write(text)

    async def _obey(self) -> None:
        """Carry commands out, one after the other."""
        while True:
            command = await self._commands.get()
            if not isinstance(command, rtvi.Ready | rtvi.Ask | rtvi.Leave):
                await self._open.wait()  # ends with the call: `finish` cancels it
            try:
                await self.do(command)
            except (rtvi.RtviError, LanguageError, ValueError, RuntimeError) as error:
                if command.what:
                    self._answer(rtvi.refused(str(error), command.id, getattr(error, "code", "")))
            else:
                if command.what:
                    self._answer(rtvi.done(command))

    async def do(self, command: rtvi.Command) -> None:
        """Carry a command out.

        Raises:
            ValueError: It cannot be.
        """
        conversation = self._conversation
        if conversation is None:
            return
        call = conversation.call
        match command:
            case rtvi.Ready():
                self._ready = True
                self._tell(rtvi.ready(command.id, self._version))
                self._snapshot()
            case rtvi.Ask():
                self._snapshot()
            case rtvi.Typed():
                await self.type(command.text, now=command.now)
            case rtvi.Leave():
                await call.hang_up(CALLER_HUNG_UP, after_speech=False)
            case rtvi.Keys():
                await self._press(command.keys)
            case rtvi.Mute():
                self.muted = command.on
            case rtvi.Interrupt():
                await call.interrupt()
            case rtvi.Hold():
                await (call.hold() if command.on else call.unhold())
            case rtvi.Language() if self.hear is not None:
                self.hear(language=command.language)
            case rtvi.Language():
                call.set_language(command.language)
            case rtvi.Copy():
                if self.copy is None:
                    raise ValueError("no voice is copied here")
                self.copy(command.on)
            case rtvi.Captions():
                if self.hear is None:
                    raise ValueError("captions alone are for those who listen to others")
                self.hear(captions=command.on)
            case rtvi.Playout():
                conversation.playout = command.delay
            case rtvi.Beneath():
                if not isinstance(conversation, CanUncover):
                    text = "there is no original here: this is no interpreted session"
                    raise rtvi.RtviError(text, command.id)
                conversation.set_original(command.original)
            case rtvi.Passed():
                call.received(command.message)

    def _snapshot(self) -> None:
        if self._narrator is not None:
            self._tell(self._narrator.snapshot(muted=self.muted))
            self.tell_about()
            self.tell_voice()

    def tell_voice(self) -> None:
        """Tell the client how far the copying of its caller's voice is."""
        if self.voice is not None:
            self._tell(self.voice())

    def tell_about(self) -> None:
        """Tell the client what has changed beside its call: who else is there."""
        if self.about is not None and self._ready:
            self._tell(self.about())

    async def type(self, text: str, *, now: bool = True) -> None:
        """Take a text as a turn of the caller's.

        Args:
            text: What they typed.
            now: Cut what is being said.
        """
        await self._open.wait()
        conversation = self._conversation
        if conversation is None or conversation.call.ended:
            return
        call = conversation.call
        if now:
            with contextlib.suppress(RuntimeError):
                await call.interrupt()
        utterance = Utterance(text, call.now, call.now, "typed")
        turn = CallerTurnFrame(
            text=text,
            user_id="caller",
            timestamp=time_now_iso8601(),
            finalized=True,
            utterance=utterance,
            stopped=conversation.clock.now(),
        )
        call.transcript.add(utterance)
        call.emit(CallerSaid(call.now, utterance))
        await self._input.push_frame(turn)

    async def _press(self, keys: str) -> None:
        if wrong := sorted(set(keys.upper()) - KEYS):
            raise ValueError(f"{''.join(wrong)!r} is no key: 0 to 9, *, # and A to D are")
        for key in keys.upper():
            if key in _PIPECAT:
                await self._input.push_frame(InputDTMFFrame(button=KeypadEntry(key)))
            elif self._conversation is not None:
                self._conversation.call.pressed(key)


def wall() -> str:
    """Return the time as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
