"""Having texts spoken, and what goes wrong with that, for the tests of speech models."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples, Speaking

TEXT = "Two tables are free on Friday evening."


async def said(
    client: Speaking, text: str = TEXT, voice: str | None = None, language: str = "en"
) -> Samples:
    """Have a text spoken to its end."""
    async with aclosing(client.stream(text, voice=voice, language=language)) as chunks:
        return np.concatenate([chunk async for chunk in chunks])


async def failure(work: Awaitable[Any]) -> ModelError:
    """Return what something fails with, which is told in one line."""
    with pytest.raises(ModelError) as caught:
        await work
    assert "\n" not in str(caught.value)
    return caught.value
