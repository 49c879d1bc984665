import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_top_to_bottom():
    text = PAGE.read_text()
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) >= 5
    assert {block[1] for block in blocks} == {"python"}
    namespace = {"__name__": "tools_page"}
    for block in blocks:
        # Blank lines first, so that a failure names the page's own line.
        lines = "\n" * text.count("\n", 0, block.start(2))
        exec(compile(lines + block[2], str(PAGE), "exec"), namespace)
    assert namespace["outcome"].kind == "unknown_tool"
