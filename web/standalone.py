"""Pages that stand on their own: styles, script and data are in them, and no server is asked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from vivavoce.web.markup import Html, text
from vivavoce.web.story import ReportError


def write_page(page: str, out: Path) -> None:
    """Write a page, at once and whole; one that was there before is replaced.

    Raises:
        ReportError: It cannot be written; one line says why.
    """
    # Written beside the page, so that taking its place is one step.
    try:
        draft = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            draft.write_bytes(page.encode())
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a path without a file's name
        why = getattr(error, "strerror", None) or error
        raise ReportError(f"{out} cannot be written: {why}; choose another place") from error


@dataclass(frozen=True, slots=True)
class Lead:
    """What is at the top of a page.

    Attributes:
        title: The page's, as text.
        heading: What it is about.
        facts: A list of facts, below it.
        aside: The figures that matter most, beside it.
        target: The id of what most readers look for, which is what it is called, too: keyboards
            skip to it.
    """

    title: str
    heading: Html
    facts: Html
    aside: Html
    target: str


def compose(
    lead: Lead,
    main: Html,
    *,
    style: str,
    script: str,
    record: Mapping[str, Any],
    media: str = "",
    attributes: bool = False,
) -> str:
    """Make a page.

    Args:
        lead: Its top.
        main: The rest of it.
        style: Its style sheet, beside the one that all pages have.
        script: Its script, likewise.
        record: What it was made from.
        media: Where sound may come from, as the policy has it; "" for nowhere.
        attributes: Whether its elements have `style` attributes.

    Raises:
        ReportError: What it was made from is no JSON.
    """
    style = resource("page/look.css") + style
    script = resource("standalone.js") + script
    return Template(resource("standalone.html")).substitute(
        title=text(lead.title),
        heading=lead.heading,
        facts=lead.facts,
        aside=lead.aside,
        target=text(lead.target),
        main=main,
        policy=text(policy(style, script, media=media, attributes=attributes)),
        style=style,
        script=script,
        record=packed(record),
    )


def fragment(name: str, **parts: Html) -> Html:
    """Fill a part of a page that comes with this package.

    Args:
        name: Its file.
        parts: What stands in the place of each `$name` in it.
    """
    return Html(Template(resource(name)).substitute(parts))


def policy(style: str, script: str, *, media: str = "", attributes: bool = False) -> str:
    """Return the security policy of a page: its own style and script, nothing else.

    Args:
        style: Its style sheet.
        script: Its script.
        media: Where sound may come from, as the policy has it; "" for nowhere.
        attributes: Whether its elements have `style` attributes: positions in pictures.
    """
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        for source in (style, script)
    )
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{script_hash}'",
            f"style-src 'sha256-{style_hash}'",
            *(["style-src-attr 'unsafe-inline'"] if attributes else []),
            "img-src data:",
            # A page opened from the disk has no origin that 'self' could mean.
            *([f"media-src {media}"] if media else []),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def packed(value: Mapping[str, Any]) -> str:
    """Pack what a page was made from, for its copy button: JSON, deflated, base64.

    So it takes a fifth of the room, and holds no character that HTML could mistake for its own.

    Raises:
        ReportError: It is no JSON.
    """
    try:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    except (TypeError, ValueError) as error:
        raise ReportError(f"the record cannot be written as JSON: {error}") from error
    data = zlib.compress(plain.encode("utf-8", "replace"), 9)
    return base64.b64encode(data).decode()


def unpacked(data: str) -> Any:
    """Return what `packed` has packed.

    Raises:
        ValueError: It is something else.
    """
    try:
        return json.loads(zlib.decompress(base64.b64decode(data, validate=True)))
    except (ValueError, zlib.error) as error:
        raise ValueError(f"this was packed by something else: {error}") from error


@cache
def resource(name: str) -> str:
    """Return a text that comes with this package."""
    return files("vivavoce.web").joinpath(name).read_text("utf-8")
