"""What the pages say is true: their code runs, their settings exist."""

import re
from pathlib import Path

import pytest

from vivavoce.agent.options import Turns
from vivavoce.agent.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def blocks() -> list[tuple[str, int, str]]:
    found = []
    for page in PAGES:
        if page.name == "tools.md":  # tests/tools runs it
            continue
        text = page.read_text()
        found += [
            (page.name, text[: match.start()].count("\n") + 2, match[1])
            for match in CODE.finditer(text)
        ]
    return found


@pytest.mark.parametrize(("page", "line", "code"), blocks(), ids=lambda v: str(v)[:20])
def test_code_runs(page: str, line: int, code: str) -> None:
    exec(compile("\n" * (line - 1) + code, page, "exec"), {"__name__": "docs"})


def test_there_is_code() -> None:
    assert {page for page, _, _ in blocks()} >= {"README.md", "settings.md", "sandbox.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_setting_is_in_the_table() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for name in Settings.model_fields:
        if name in {"hear", "think", "speak"}:
            assert f"`{name}.url`" in text
            assert "VIVAVOCE_HEAR__KEY" in text
        elif name in {"timeouts", "load", "traces"}:
            for part in type(getattr(Settings(), name)).model_fields:
                assert f"`{name}.{part}`" in text
        elif name == "mistral_api_key":
            assert "`MISTRAL_API_KEY`" in text
        else:
            assert f"`{name}`" in text


def test_the_turns_page_has_the_defaults() -> None:
    text = (ROOT / "docs" / "turns.md").read_text()
    turns = Turns()
    assert f"`min_silence` ({turns.min_silence:g} s)" in text
    assert f"`unsure_silence` ({turns.unsure_silence:g} s)" in text
    assert f"`max_silence` ({turns.max_silence:g} s)" in text
    assert f"`flush_after` ({turns.flush_after * 1000:g} ms)" in text
    assert f"`interrupt_after` ({turns.interrupt_after * 1000:g} ms)" in text
