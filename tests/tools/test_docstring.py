import pytest

from vivavoce.tools.docstring import read_docstring

GOOGLE = """Find the free tables.

    It looks in the book,
    not at the room.

    Args:
        day (date): The evening
            asked for: any day.
        people: How many.

    Returns:
        The tables.

    Raises:
        nothing at all, and without a colon
    """
NUMPY = """Find the free tables.

    It looks in the book,
    not at the room.

    Parameters
    ----------
    day : date
        The evening
        asked for: any day.
    people
        How many.

    Returns
    -------
    list
        The tables.
    """
SPHINX = """Find the free tables.

    It looks in the book,
    not at the room.

    :param date day: The evening
        asked for: any day.
    :param people: How many.
    :type people: int
    :returns: The tables.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_every_style_says_the_same(text):
    told = read_docstring(text)
    assert told.text == "Find the free tables.\n\nIt looks in the book,\nnot at the room."
    assert told.parameters == {
        "day": "The evening asked for: any day.",
        "people": "How many.",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("One.", "One."),
        ("A summary over\n    two lines.", "A summary over\ntwo lines."),
        ("Opens at 10:30.\n\nReturns:\n    The hour.", "Opens at 10:30."),
        ("Opens.\n\n:returns: The hour.", "Opens."),
        ("Opens.\n\nReturns\n-------\nint\n    The hour.", "Opens."),
        ("Opens.\n\nNote:\n    Ask first.", "Opens."),
    ],
)
def test_the_description_is_the_text_without_sections(text, expected):
    told = read_docstring(text)
    assert told.text == expected
    assert told.parameters == {}


def test_numpy_documents_two_parameters_at_once():
    told = read_docstring("Draw.\n\nParameters\n----------\nwidth, height : int\n    In pixels.\n")
    assert told.parameters == {"width": "In pixels.", "height": "In pixels."}


def test_attributes_are_no_parameters():
    told = read_docstring("A thing.\n\nAttributes:\n    size: How big.\n")
    assert told.parameters == {}


@pytest.mark.parametrize(
    "text",
    [
        "Find.\n\nArgs:\n    the day that was asked for\n",
        "Find.\n\nArgs:\n",
        "Find.\n\n:param day\n",
        "Find.\n\n:param a b c: much\n",
    ],
)
def test_parameters_that_cannot_be_read_are_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        read_docstring(text)
