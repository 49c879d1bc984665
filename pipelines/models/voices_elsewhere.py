"""The voices of voxtral.com and of vLLM-Omni."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.speech import sample_of
from vivavoce.pipelines.models.voices import NewVoice, VoiceCard, Wanted, lacking, read
from vivavoce.pipelines.models.voxtral_com_speech import SAMPLE_LENGTHS, opened

PAGE = 50
MOST = 20
"""Voices that an account may have at voxtral.com."""
OMNI_LENGTHS = (3.0, 30.0)
"""Seconds of what is uploaded to vLLM-Omni; its own limit is the longer one."""
_MOST_PAGES = 1_000


class VoxtralComVoices:
    """The voices of an account at voxtral.com. Implements `VoiceLibrary`.

    Its presets are not listed by the service; its site has them.
    """

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint

    async def list(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        """Give the account's voices; see `VoiceLibrary`."""
        for page in range(1, _MOST_PAGES):
            data = await self._ask(
                "GET", "/voices/mine", query={"page": str(page), "limit": str(PAGE)}
            )
            # Where the list is in the answer is not published.
            given = data if isinstance(data, list) else (data or {}).get("voices")
            given = given if isinstance(given, list) else (data or {}).get("items") or []
            for each in given:
                card = self._card(each)
                if wanted.fits(card):
                    yield card
            if len(given) < PAGE:
                return

    async def show(self, name: str) -> VoiceCard:
        """Return one; see `VoiceLibrary`. There is no way to ask for one alone."""
        async for card in self.list(Wanted()):
            if name in {card.id, card.name}:
                return card
        raise ModelError(
            "speaking", "refused", f"{self._endpoint.url} has no voice {name!r} of yours"
        )

    async def create(self, new: NewVoice) -> VoiceCard:
        """Clone a voice; see `VoiceLibrary`. There is no field for the consent."""
        sample = await sample_of(new.sample, SAMPLE_LENGTHS)
        have = [card async for card in self.list(Wanted())]
        if len(have) >= MOST:
            raise ModelError(
                "speaking",
                "refused",
                f"voxtral.com keeps at most {MOST} voices, and you have {len(have)}: delete one",
            )
        body: dict[str, Any] = {"name": new.name, "ref_audio": sample.base64}
        if new.languages:
            body["language"] = new.languages[0]
        if new.gender:
            body["gender"] = new.gender
        return self._card(await self._ask("POST", "/voices/clone", body=body))

    async def update(self, name: str, changes: Mapping[str, Any]) -> VoiceCard:
        """Change one; see `VoiceLibrary`."""
        body = dict(changes)
        if languages := body.pop("languages", None):
            body["language"] = languages[0]
        if others := sorted(set(body) - {"name", "language", "gender"}):
            raise lacking("voxtral.com", f"change a voice's {', '.join(others)}")
        await self._ask("PATCH", f"/voices/{quote(name, safe='')}", body=body)
        return await self.show(name)

    async def delete(self, name: str) -> None:
        """Delete one; see `VoiceLibrary`."""
        await self._ask("DELETE", f"/voices/{quote(name, safe='')}")

    async def sample(self, name: str) -> bytes:
        """Refuse: there is none to be had."""
        del name
        raise lacking("voxtral.com", "give a voice's sample: `vivavoce say` lets you hear it")

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        answer = await self._http.request(
            "speaking", self._endpoint, method, path, body=body, query=query
        )
        if not answer.data.strip():
            return None
        return opened(self._endpoint, answer.data)

    def _card(self, given: Any) -> VoiceCard:
        try:
            language = given.get("language")
            return VoiceCard(
                id=str(given["id"]),
                name=str(given["name"]),
                languages=(str(language),) if language else (),
                gender=str(given.get("gender") or ""),
                created=str(given.get("created_at") or ""),
                more={k: given[k] for k in ("mistral_voice_id",) if given.get(k)},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                "speaking",
                "broken",
                f"{self._endpoint.url} sent a voice that cannot be read ({error})",
            ) from error


class OmniVoices:
    """The voices of a vLLM-Omni server. Implements `VoiceLibrary`."""

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint

    async def list(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        """Give the checkpoint's voices and those uploaded; see `VoiceLibrary`."""
        answer = await self._http.request("speaking", self._endpoint, "GET", "/v1/audio/voices")
        told = read(self._endpoint, answer)
        try:
            uploaded = {_name(each): each for each in told.get("uploaded_voices") or ()}
            names = [str(name) for name in told["voices"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                "speaking", "broken", f"{self._endpoint.url} lists no voices ({error})"
            ) from error
        for name in dict.fromkeys((*names, *uploaded)):
            card = _omni_card(name, uploaded.get(name))
            if wanted.fits(card):
                yield card

    async def show(self, name: str) -> VoiceCard:
        """Return one; see `VoiceLibrary`."""
        async for card in self.list(Wanted()):
            if card.id == name:
                return card
        raise ModelError("speaking", "refused", f"{self._endpoint.url} has no voice {name!r}")

    async def create(self, new: NewVoice) -> VoiceCard:
        """Upload a sample as a voice; see `VoiceLibrary`. The consent is sent along."""
        sample = await sample_of(new.sample, OMNI_LENGTHS)
        form = aiohttp.FormData()
        form.add_field("name", new.name)
        form.add_field("consent", new.consent.text)
        if new.description:
            form.add_field("speaker_description", new.description)
        form.add_field(
            "audio_sample",
            io.BytesIO(sample.wav),
            filename=f"{new.sample.stem}.wav",
            content_type="audio/wav",
        )
        await self._http.request("speaking", self._endpoint, "POST", "/v1/audio/voices", form=form)
        return await self.show(new.name)

    async def update(self, name: str, changes: Mapping[str, Any]) -> VoiceCard:
        """Refuse: there is no such request."""
        del name, changes
        raise lacking("vLLM-Omni", "change a voice: upload it anew")

    async def delete(self, name: str) -> None:
        """Refuse: there is no such request."""
        del name
        raise lacking("vLLM-Omni", "delete a voice: take it off the server's disk")

    async def sample(self, name: str) -> bytes:
        """Refuse: there is no such request."""
        del name
        raise lacking("vLLM-Omni", "give a voice's sample: `vivavoce say` lets you hear it")


def _name(uploaded: Any) -> str:
    return str(uploaded["name"] if isinstance(uploaded, dict) else uploaded)


def _omni_card(name: str, uploaded: Any) -> VoiceCard:
    """Make a card of a name: the checkpoint's say the language or the mood, and the gender."""
    if uploaded is not None:
        about = uploaded.get("speaker_description") if isinstance(uploaded, dict) else ""
        return VoiceCard(name, name, type="uploaded", description=str(about or ""))
    first, _, gender = name.rpartition("_")
    known = gender in {"female", "male"}
    return VoiceCard(
        name,
        name,
        slug=name,
        type="preset",
        languages=(first if len(first) == 2 else "en",) if known else (),
        gender=gender if known else "",
    )
