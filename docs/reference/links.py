"""For mkdocs: files of the repository that pages link to are part of the site.

On the repository's own page `../examples/hello.py` leads to the file. In the site it leads to a
copy of it, so that the site needs no address of a repository, and a link to nowhere is still an
error.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((\.\./[^)#\s]+)(#[^)]*)?\)")


def _copy(target: str) -> str:
    """Return where a file outside of `docs` is in the site; as text, so that all are shown."""
    name = target.removeprefix("../").rstrip("/")
    return f"files/{name}" if Path(name).suffix not in {".md", ".py"} else f"files/{name}.txt"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to."""
    for page in list(files.documentation_pages()):
        if "/" in page.src_uri:
            continue
        for target, _anchor in LINK.findall(page.content_string):
            source = ROOT / posixpath.normpath(target.removeprefix("../"))
            uri = _copy(target)
            if source.is_file() and files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links out of `docs` to the copies."""
    del config, files
    if "/" in page.file.src_uri:
        return markdown
    return LINK.sub(lambda found: f"]({_copy(found[1])})", markdown)
