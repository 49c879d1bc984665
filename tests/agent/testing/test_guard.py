from __future__ import annotations

import pytest

from vivavoce.agent.testing import ModelsBlockedError, allow_models
from vivavoce.agent.testing.guard import allowed, check
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint


@pytest.fixture(autouse=True)
def restored():
    with allow_models(True):
        yield


def test_blocked_models_are_named():
    allow_models(False)
    with pytest.raises(ModelsBlockedError, match=r"api\.mistral\.ai.*simulate\(\) replies"):
        check("https://api.mistral.ai")
    allow_models(True)
    check("https://api.mistral.ai")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:80", "http://127.9.9.9"]
)
def test_what_is_on_this_machine_is_always_allowed(url):
    with allow_models(False):
        check(url)


def test_what_held_before_holds_again():
    with allow_models(False):
        with allow_models(True):
            assert allowed()
        assert not allowed()
    assert allowed()


async def test_connecting_to_real_models_is_refused_at_once():
    here = Endpoint("http://127.0.0.1:1", "k", "m")
    with allow_models(False):
        async with Models.connect(hear=here, think=here, speak=here):
            pass
        with pytest.raises(ModelsBlockedError):
            Models.connect(
                hear=here, think=Endpoint("https://api.mistral.ai", "k", "m"), speak=here
            )
