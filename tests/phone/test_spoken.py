"""A telephone that speaks: a whole conversation over G.711 with the restaurant's agent.

The other telephones have it by `python -m benchmarks.phone talk`.
"""

from __future__ import annotations

import pytest

from tests.phone.spoken import recorded, talk_again


@pytest.mark.needs_flite
async def test_a_conversation_with_baresip(models, key, tmp_path):
    it = await talk_again("baresip", models, key.url, key.key, tmp_path)
    assert not it.wrong(), f"packets were late by up to {it.late * 1000:.0f} ms"
    assert it.heard
    assert len(recorded(it)) > 20 * 24_000
