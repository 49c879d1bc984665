"""What a docstring says about a function and its parameters."""

import inspect
import re
from dataclasses import dataclass

from docstring_parser import Docstring, DocstringStyle, ParseError, google, parse
from docstring_parser.google import GoogleParser, Section, SectionType

# docstring_parser refuses a whole docstring for one line without a colon under
# `Raises:`. Only parameters matter here, so every other section is taken as text.
_GOOGLE = GoogleParser(
    [
        *(
            section
            if section.type == SectionType.MULTIPLE and section.key == "param"
            else Section(section.title, section.key, SectionType.SINGULAR)
            for section in google.DEFAULT_SECTIONS
            if section.key != "attribute"
        ),
        *(
            Section(title, "note", SectionType.SINGULAR)
            for title in ("Return", "Yield", "Note", "Notes", "Warning", "Warnings", "See Also")
        ),
    ]
)
_SECTIONS_OF_PARAMETERS = {"param", "parameter", "arg", "argument", "key", "keyword", "other_param"}
_LOOKS_LIKE_PARAMETERS = re.compile(
    r"^[ \t]*((Args|Arguments|Parameters|Params):[ \t]*$|:(param|arg|parameter|argument|key)\b)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Documentation:
    """What a docstring says.

    Attributes:
        text: The summary and the long description, as written, without sections.
        parameters: What is said of each parameter, by name, on one line each.
    """

    text: str
    parameters: dict[str, str]


def read_docstring(text: str) -> Documentation:
    """Read a docstring in Google's, NumPy's or Sphinx's style.

    The style is the one that finds the most parameters.

    Args:
        text: The docstring; its indentation does not matter.

    Raises:
        ValueError: The docstring has a section of parameters that cannot be read;
            the message says which part of it.
    """
    # The parsers clean the text again, which must not take the first line for a summary
    # that stands further left than the rest.
    text = "\n" + inspect.cleandoc(text)
    readings: list[Docstring] = []
    failure: ParseError | None = None
    for style in (DocstringStyle.GOOGLE, DocstringStyle.NUMPYDOC, DocstringStyle.REST):
        try:
            readings.append(_read(text, style))
        except ParseError as error:
            failure = failure or error
    best = max(
        readings,
        key=lambda reading: (len(_parameters(reading)), len(reading.meta)),
        default=None,
    )
    if best is None or (failure and not _parameters(best) and _LOOKS_LIKE_PARAMETERS.search(text)):
        raise ValueError(str(failure))
    gap = "\n\n" if best.blank_after_short_description else "\n"
    parts = (best.short_description, best.long_description)
    return Documentation(gap.join(part for part in parts if part).strip(), _parameters(best))


def _read(text: str, style: DocstringStyle) -> Docstring:
    return _GOOGLE.parse(text) if style is DocstringStyle.GOOGLE else parse(text, style)


def _parameters(reading: Docstring) -> dict[str, str]:
    found: dict[str, str] = {}
    for parameter in reading.params:
        if parameter.args[0] in _SECTIONS_OF_PARAMETERS:
            # NumPy's style documents several at once: `width, height : int`.
            for name in parameter.arg_name.split(","):
                found[name.strip()] = " ".join((parameter.description or "").split())
    return found
