from __future__ import annotations

import os

import pytest

from vivavoce.agent.options import Listening
from vivavoce.agent.settings import MISTRAL_URL, Settings, SettingsError, load

SECRET = "sk-Zq8vT1secret"


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("VIVAVOCE_") or name == "MISTRAL_API_KEY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(monkeypatch, tmp_path):
    """Write a file and name it in VIVAVOCE_CONFIG."""

    def write(text: str | bytes):
        path = tmp_path / "my settings.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("VIVAVOCE_CONFIG", str(path))
        return path

    return write


def test_without_anything_the_embedded_models_are_used():
    settings = load()
    assert settings.source == "sandbox"
    assert settings.needs_sandbox
    assert settings.mistral_url == MISTRAL_URL
    assert settings.timeouts.final == 2.5


def test_a_key_means_mistral(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", SECRET)
    settings = load()
    assert settings.source == "mistral"
    assert not settings.needs_sandbox
    assert settings.mistral_api_key.get_secret_value() == SECRET


def test_the_sandbox_may_be_chosen_though_there_is_a_key(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", SECRET)
    assert load({"models": "sandbox"}).source == "sandbox"


def test_empty_variables_count_as_unset(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    monkeypatch.setenv("VIVAVOCE_MODELS", "")
    assert load().source == "sandbox"


def test_stages_may_be_set_apart(monkeypatch):
    monkeypatch.setenv("VIVAVOCE_HEAR__URL", "http://127.0.0.1:8000/")
    monkeypatch.setenv("VIVAVOCE_HEAR__KEY", SECRET)
    monkeypatch.setenv("VIVAVOCE_SPEAK", '{"model": "voxtral-mini-tts-2603"}')
    settings = load()
    assert settings.hear.url == "http://127.0.0.1:8000"
    assert settings.hear.key.get_secret_value() == SECRET
    assert settings.speak.model == "voxtral-mini-tts-2603"
    assert settings.needs_sandbox


def test_what_the_transcriber_is_told(monkeypatch):
    monkeypatch.setenv("VIVAVOCE_LISTENING__DELAY", "0.24")
    monkeypatch.setenv("VIVAVOCE_LISTENING__EXPECT", '["Chez Marie"]')
    assert load().listening.options() == Listening(expect=("Chez Marie",), delay=0.24)


def test_no_sandbox_is_needed_when_every_stage_is_elsewhere(monkeypatch):
    for stage in ("HEAR", "THINK", "SPEAK"):
        monkeypatch.setenv(f"VIVAVOCE_{stage}__URL", "http://127.0.0.1:8000")
    assert not load().needs_sandbox


def test_flags_win_over_the_environment_which_wins_over_the_file(monkeypatch, config):
    config('models = "sandbox"\nlog = "error"\n[timeouts]\nfinal = 9\nstall = 8\n')
    assert load().log == "error"
    monkeypatch.setenv("VIVAVOCE_LOG", "info")
    monkeypatch.setenv("VIVAVOCE_TIMEOUTS__FINAL", "7")
    settings = load()
    assert settings.log == "info"
    assert (settings.timeouts.final, settings.timeouts.stall) == (7, 8)
    assert load({"log": "debug", "models": None}).log == "debug"


def test_the_file_in_the_working_folder_is_read(tmp_path):
    (tmp_path / "vivavoce.toml").write_text('log = "debug"\n')
    assert load().log == "debug"


def test_a_file_may_hold_the_key(config):
    config(f'MISTRAL_API_KEY = "{SECRET}"\n')
    assert load().source == "mistral"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VIVAVOCE_MODELS": "openai"}, "models: "),
        ({"VIVAVOCE_MODELS": "mistral"}, "set MISTRAL_API_KEY"),
        ({"VIVAVOCE_SANDBOX_URL": "127.0.0.1:80"}, "write it as https://host"),
        ({"VIVAVOCE_MISTRAL_URL": "http://"}, "mistral_url: "),
        ({"VIVAVOCE_SANDBOX_URL": "http://127.0.0.1:80"}, "sandbox_url needs sandbox_key"),
        ({"VIVAVOCE_HEAR__URL": "ws://x"}, "hear.url: "),
        ({"VIVAVOCE_HEAR__PORT": "1"}, "hear.port: there is no such setting"),
        ({"VIVAVOCE_HEAR": SECRET}, "hear: VIVAVOCE_HEAR is no JSON object"),
        ({"VIVAVOCE_HEAR": f'{{"key": ["{SECRET}"]}}'}, "hear.key: "),
        ({"VIVAVOCE_TIMEOUTS__CONNECT": "soon"}, "timeouts.connect: "),
        ({"VIVAVOCE_TIMEOUTS__CONNECT": "0"}, "timeouts.connect: "),
        ({"VIVAVOCE_TIMEOUTS__STALL": "nan"}, "timeouts.stall: "),
        ({"VIVAVOCE_LISTENING__DELAY": "5"}, "listening: Listening(delay=5.0): must be within"),
        ({"VIVAVOCE_LOG": "verbose"}, "log: "),
        ({"VIVAVOCE_CONFIG": "nowhere.toml"}, "VIVAVOCE_CONFIG names nowhere.toml"),
        ({"VIVAVOCE_CONFIG": "."}, "which is no file"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_without_secrets(monkeypatch, environment, message):
    monkeypatch.setenv("MISTRAL_API_KEY", SECRET)
    if environment.get("VIVAVOCE_MODELS") == "mistral":
        monkeypatch.delenv("MISTRAL_API_KEY")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    # Nor in what a traceback would show.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = \n", "is not valid TOML"),
        (b"\xff\xfe\x00", "my settings.toml"),
        ('modles = "sandbox"\n', "modles: there is no such setting"),
        ("[hear]\nurl = 5\n", "hear.url: "),
        ('hear = "x"\n', "hear: "),
    ],
)
def test_a_wrong_file_is_told_in_one_line(config, text, message):
    config(text)
    with pytest.raises(SettingsError) as caught:
        load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_do_not_show(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", SECRET)
    monkeypatch.setenv("VIVAVOCE_SANDBOX_KEY", SECRET)
    monkeypatch.setenv("VIVAVOCE_THINK__KEY", SECRET)
    settings = load()
    for shown in (repr(settings), str(settings), f"{settings.think}", settings.model_dump_json()):
        assert SECRET not in shown


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load().models = "mistral"


def test_every_setting_is_documented_where_it_is_defined():
    for name in Settings.model_fields:
        assert f"{name}:" in (Settings.__doc__ or "")
