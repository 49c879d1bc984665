"""Questions to recordings, in every dialect of the sandbox's chat."""

import numpy as np
import pytest

from tests.pipelines.models.transcription.conftest import LINES, save, together
from vivavoce.pipelines.audio.media import RATE
from vivavoce.pipelines.audio.riff import AudioFileError
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.providers import thinking
from vivavoce.pipelines.models.questions import QuestionError, Questions, Recording
from vivavoce.pipelines.models.transcription.retry import Backoff

MODEL = {
    "mistral": ("", "voxtral-small-2507"),
    "vllm": ("/vllm", "mistralai/Voxtral-Small-24B-2507"),
    "openrouter": ("/api", "mistralai/voxtral-small-24b-2507"),
}
QUICK = Backoff(attempts=3, first=0.01)


@pytest.fixture
async def talk(tmp_path):
    path = save(tmp_path / "talk.wav", together(LINES[:2]))
    async with await Recording.open(path) as recording:
        yield recording


@pytest.fixture
async def conversation(profile):
    pools = []

    def make(recording, dialect="mistral", **given):
        tell = given.pop("tell", None)
        key = profile(**given)
        base, model = MODEL[dialect]
        pools.append(Http(Timeouts(first=20, stall=20)))
        chat = thinking(pools[-1], Endpoint(key.url + base, key.key, model, dialect))
        made = Questions(chat, recording, backoff=QUICK, tell=tell)
        made.key = key
        return made

    yield make
    for http in pools:
        await http.close()


async def asked(conversation, question):
    return "".join([text async for text in conversation.ask(question)])


def sent(conversation):
    return [
        entry["body"]["messages"]
        for entry in conversation.key.report["bodies"]
        if entry["endpoint"].endswith("chat/completions")
    ]


@pytest.mark.parametrize("dialect", MODEL)
async def test_a_question_and_a_further_one(conversation, talk, dialect):
    made = conversation(talk, dialect, script={"think": ["A market.", "Nobody."]})
    assert await asked(made, "What is behind?") == "A market."
    assert await asked(made, "  And who says so? ") == "Nobody."
    first, second = sent(made)
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    audio, text = second[0]["content"]
    assert audio["type"] == "input_audio"
    assert isinstance(audio["input_audio"], str) == (dialect == "mistral")
    if dialect != "mistral":
        assert audio["input_audio"]["format"] == "mp3"
    assert text["text"].endswith("What is behind?")
    assert second[1]["content"] == "A market."
    assert second[2]["content"] == "And who says so?"
    assert first == second[:1]
    assert made.usage.prompt > 0
    # It was really heard, by the sandbox's recogniser.
    assert made.key.report["heard_s"] >= talk.seconds - 0.5


async def test_a_long_recording_is_heard_part_by_part(conversation, tmp_path):
    path = save(tmp_path / "talk.wav", together())
    parts = []
    async with await Recording.open(path, longest=4.5) as recording:
        count = len(recording.clips)
        assert count >= 3
        notes = [f"note {n}" for n in range(count)]
        answers = [*notes, "The answer.", *notes, "Another."]
        made = conversation(
            recording, script={"think": answers}, tell=lambda *part: parts.append(part)
        )
        assert await asked(made, "What was agreed?") == "The answer."
        assert await asked(made, "By whom?") == "Another."
    assert parts[:count] == [(n + 1, count) for n in range(count)]
    messages = sent(made)
    assert len(messages) == 2 * count + 2
    final = messages[count][0]["content"]
    for n in range(count):
        audio, text = messages[n][0]["content"]
        assert audio["type"] == "input_audio"
        assert f"part {n + 1} of {count}" in text["text"]
        assert "What was agreed?" in text["text"]
        assert f"note {n}" in final
    assert "Answer: The answer." in messages[-2][0]["content"][1]["text"]
    assert "By whom?" in messages[-1][0]["content"]


async def test_a_failure_before_the_first_word_is_tried_again(conversation, talk):
    made = conversation(
        talk,
        script={"think": ["Well."] * 3},
        faults={"think": [{"kind": "status", "status": 503, "on": [1]}]},
    )
    assert await asked(made, "What?") == "Well."


async def test_a_failure_in_the_middle_is_told_and_not_remembered(conversation, talk):
    made = conversation(
        talk,
        script={"think": ["One two three four.", "Better."]},
        faults={"think": [{"kind": "reset", "after": 3, "on": [1]}]},
    )
    with pytest.raises(ModelError):
        await asked(made, "What?")
    assert await asked(made, "Again?") == "Better."
    assert len(sent(made)[-1]) == 1


async def test_what_would_fail_again_is_told_at_once(conversation, talk):
    made = conversation(talk, faults={"think": [{"kind": "status", "status": 401}]})
    with pytest.raises(ModelError, match="check the API key"):
        await asked(made, "What?")


async def test_no_question_is_none(conversation, talk):
    with pytest.raises(QuestionError, match="there is no question"):
        await asked(conversation(talk), " \n")


async def test_a_silent_recording_is_told(tmp_path):
    path = save(tmp_path / "a.wav", np.zeros(2 * RATE, np.int16))
    with pytest.raises(AudioFileError, match="nothing to hear"):
        await Recording.open(path)


async def test_closing_is_idempotent(tmp_path):
    recording = await Recording.open(save(tmp_path / "a.wav", together(LINES[:1])))
    await recording.close()
    await recording.close()
    assert recording.clips[0].file.closed
