import pytest

from vivavoce.web.markup import Html, clock, count, duration, el, join, milliseconds, percent, text


def test_text_is_escaped_and_markup_is_not():
    assert el("p", "<b>", Html("<i></i>")) == "<p>&lt;b&gt;<i></i></p>"
    assert join(["<", None, Html("<hr>")], "&") == "&lt;&amp;<hr>"


def test_what_no_page_can_hold_is_replaced():
    assert text("a\x00b\ud800c\td") == "a\ufffdb\ufffdc\td"
    text("\udfff").encode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "title=plain"),
        ("", 'title=""'),
        ('a"b', 'title="a&quot;b"'),
        ("a b", 'title="a b"'),
        ("a>b", 'title="a&gt;b"'),
        ("a=b", 'title="a=b"'),
        ("`", 'title="`"'),
        ("a/", 'title="a/"'),
        ("a\n", 'title="a\n"'),
        ("é", 'title="é"'),
    ],
)
def test_an_attribute_is_quoted_where_it_must(value, written):
    assert el("br", title=value) == f"<br {written}>"


def test_attributes_by_kind():
    assert el("p", cls="x", data_at=1.5, hidden=True, open=False, id=None) == (
        "<p class=x data-at=1.5 hidden></p>"
    )


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0:00.0"),
        (7.24, "0:07.2"),
        (59.96, "1:00.0"),
        (754, "12:34.0"),
        (3723.4, "1:02:03.4"),
        (-1, "0:00.0"),
    ],
)
def test_clock(seconds, written):
    assert clock(seconds) == written


def test_figures():
    assert [duration(s) for s in (31.44, 59.96, 252, 3720)] == [
        "31.4 s",
        "1 min 00 s",
        "4 min 12 s",
        "1 h 02 min",
    ]
    assert [milliseconds(ms) for ms in (1204.4, 742, 38.24, 40.0, 0)] == [
        "1,204",
        "742",
        "38.2",
        "40",
        "0",
    ]
    assert [percent(1, 3), percent(5, 4), percent(-1, 4), percent(1, 0), percent(1, 2)] == [
        "33.33%",
        "100%",
        "0%",
        "0%",
        "50%",
    ]
    assert [count(1, "reply", "replies"), count(0, "reply", "replies"), count(2, "turn")] == [
        "1 reply",
        "0 replies",
        "2 turns",
    ]
