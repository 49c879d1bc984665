import pytest

from vivavoce.agent import Interpreter, InterpreterError, Limits, Listening, Speaker
from vivavoce.agent.languages import LanguageError
from vivavoce.agent.voices import VoiceError


def test_one_way():
    one = Interpreter("fr", "en", glossary={"pain au  levain": "sourdough"}, style=" formal ")
    assert one.targets == ("en",)
    assert one.languages == ("fr", "en")
    assert one.targets_of("fr-CA") == ("en",)
    assert one.targets_of("en") == ()
    assert one.glossary == {"pain au levain": "sourdough"}
    assert one.style == "formal"
    assert repr(one) == "<Interpreter interpreter fr->en>"


def test_both_ways():
    both = Interpreter("fr", "en", both_ways=True, glossary={"levain": "sourdough", "Lyon": ""})
    assert both.targets_of("en") == ("fr",)
    assert both.hears("fr").expect == ("levain", "Lyon", "sourdough")
    assert both.hears("").language is None
    assert repr(both) == "<Interpreter interpreter fr<->en>"


def test_a_lecture_has_several_targets():
    assert Interpreter("en", ["fr", "es"]).targets_of("en") == ("fr", "es")


def test_what_the_transcriber_is_told():
    one = Interpreter(
        "fr", "en", glossary={"levain": "sourdough"}, listening=Listening(expect=("Marie",))
    )
    assert one.hears("fr-CA") == Listening(language="fr", expect=("Marie", "levain"))


def test_the_facade_speaks_the_target():
    agent = Interpreter("fr", "en", name="booth", limits=Limits(call=99)).facade()
    assert agent.name == "booth"
    assert list(agent.languages) == ["en", "fr"]
    assert agent.limits.call == 99


def test_the_speakers_own_voice():
    one = Interpreter("fr", "en", voice="speaker")
    assert one.copies
    assert one.voice is None
    assert Interpreter("fr", "en", voice=Speaker("mine")).voice == Speaker("mine")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "a b"}, "letters"),
        ({"name": 3}, "letters"),
        ({"target": []}, "give"),
        ({"target": ["en", "en-GB"]}, "twice"),
        ({"target": "fr-CA"}, "no translation into itself"),
        ({"target": ["en", "es"], "both_ways": True}, "two languages"),
        ({"policy": "later"}, "consecutive"),
        ({"original": "loud"}, "ducked"),
        ({"latency": 20}, "milliseconds"),
        ({"latency": True}, "milliseconds"),
        ({"glossary": ["a"]}, "terms and their translations"),
        ({"glossary": {"": "x"}}, "terms and their translations"),
        ({"glossary": {str(n): "x" for n in range(101)}}, "at most 100"),
        ({"style": 1}, "text"),
        ({"listening": "fr"}, "Listening"),
        ({"limits": 3}, "Limits"),
    ],
)
def test_wrong_use(given, says):
    with pytest.raises(InterpreterError, match=says):
        Interpreter("fr", given.pop("target", "en"), **given)


def test_languages_and_voices_that_are_none():
    with pytest.raises(LanguageError):
        Interpreter("klingon", "en")
    with pytest.raises(LanguageError, match="does not speak"):
        Interpreter("fr", "ja")
    with pytest.raises(VoiceError):
        Interpreter("fr", "en", voice="fr_marie_sadd")
