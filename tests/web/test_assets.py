"""The page's files: all there, small, asking nobody else, in both languages."""

import json
import re
from importlib.resources import files
from typing import get_args

import pytest

from vivavoce.agent.reason import CODES
from vivavoce.pipelines.interpret.demands import Cause
from vivavoce.pipelines.models.errors import Kind
from vivavoce.web.assets import POLICY, assets

PAGES = ("", "operator", "interpret")
SCRIPTS = {path: each.body.decode() for path, each in assets().items() if path.endswith(".js")}
WORDS = {name: json.loads(assets()[f"page/locales/{name}.json"].body) for name in ("en", "fr")}


def flat(words, before=""):
    for key, value in words.items():
        if isinstance(value, dict) and set(value) - {"one", "other"}:
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def test_all_files_are_served():
    room = files("vivavoce.web")
    there = {
        f"{place}/{file.name}"
        for place in ("page", "page/locales", "component")
        for file in room.joinpath(place).iterdir()
        if file.is_file()
    }
    assert set(assets()) == there - {f"page/{name}.html" for name in ("index", *PAGES[1:])} | {
        *PAGES
    }


def loaded(name):
    """What a browser loads for a page: its markup, what that names, and the words."""
    html = assets()[name].body.decode()
    named = re.findall(r'<(?:link|script)[^>]* (?:href|src)="(page/[^"]+)"', html)
    words = {path for path in assets() if path.startswith("page/locales/")}
    return [assets()[path] for path in {name, *named, *words}]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_light(name):
    assert sum(len(each.body) for each in loaded(name)) < 300_000
    assert sum(len(each.compressed) for each in loaded(name)) < 75_000


def test_the_page_asks_nobody_else():
    for path, each in assets().items():
        for url in re.findall(rb"(?:https?:)?//[a-z][\w.-]*\.[a-z]+[^\s'\"]*", each.body):
            # An XML namespace is a name; the component's comment and the docs name an example.
            assert url.startswith((b"http://www.w3.org/", b"https://voice.example.org/")), path


def test_remarks_stay_at_home_and_lines_keep_their_numbers():
    room = files("vivavoce.web")
    for path, served in SCRIPTS.items():
        source = room.joinpath(path).read_text()
        pairs = list(zip(source.split("\n"), served.split("\n"), strict=True))
        assert "/**" not in served, path
        assert not [line for _, line in pairs if line.lstrip().startswith("//")], path
        gone = [line.strip() for line, left in pairs if line != left]
        assert gone, path
        assert all(line.startswith(("//", "/**", "*")) for line in gone), path


def test_the_policy_lets_no_text_become_a_script():
    headers = assets()[""].headers
    assert headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "require-trusted-types-for 'script'" in POLICY
    for path, script in SCRIPTS.items():
        for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert sink not in script, (path, sink)
    for name in PAGES:
        html = assets()[name].body.decode()
        assert "<style" not in html
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert not re.search(r'\s(?:style|on\w+)="', html)


def test_every_import_leads_somewhere():
    for path, script in SCRIPTS.items():
        folder = path.rpartition("/")[0]
        for name in re.findall(r'from "(\.[^"]+)"', script):
            parts = f"{folder}/{name}".split("/")
            found = []
            for part in parts:
                if part == "..":
                    found.pop()
                elif part != ".":
                    found.append(part)
            assert "/".join(found) in assets(), (path, name)


@pytest.mark.parametrize(
    ("name", "first"), [("", "main"), ("operator", "operator"), ("interpret", "interpret")]
)
def test_what_the_page_imports_is_loaded_at_once(name, first):
    """Else a browser learns of each module only when it has read the one before."""
    wanted = {f"page/{first}.js"}
    while (
        more := {
            f"page/{name}"
            for path in wanted
            for name in re.findall(r'from "\./([^"]+)"', SCRIPTS[path])
        }
        - wanted
    ):
        wanted |= more
    html = assets()[name].body.decode()
    assert set(re.findall(r'rel="modulepreload" href="([^"]+)"', html)) == wanted


def test_every_module_is_short():
    for path, each in assets().items():
        assert each.body.count(b"\n") <= 450, path


def test_both_languages_say_the_same_things():
    english, french = (dict(flat(WORDS[name])) for name in ("en", "fr"))
    assert english.keys() == french.keys()
    for key, said in english.items():
        holes = re.compile(r"\{(\w+)\}")
        plural = isinstance(said, dict)
        of = (lambda value: value["other"]) if plural else (lambda value: value)
        assert set(holes.findall(of(said))) == set(holes.findall(of(french[key]))), key
        if key.split(".")[0] not in ("net", "stages", "dock", "after", "panel", "talk"):
            continue
        assert french[key] is not None


@pytest.mark.parametrize("path", [*SCRIPTS, *PAGES])
def test_every_word_that_is_asked_for_exists(path):
    known = dict(flat(WORDS["en"]))
    text = assets()[path].body.decode()
    asked = re.findall(r'\bt\(\s*"([\w.]+)"', text) + re.findall(
        r'data-t(?:-\w+)?="([\w.]+)"', text
    )
    assert asked or path not in ("", "page/dock.js")
    for key in asked:
        assert key in known, (path, key)


def test_the_servers_reasons_have_words():
    """What comes as a code is said in the page's languages; the rest in the server's words."""
    why = WORDS["en"]["why"]
    assert set(why["ended"]) == set(CODES.values())
    assert set(why["copying"]) == {*get_args(Cause), "consent", "chosen", "unable", "over"}
    assert set(why["failed"]) == {*get_args(Kind), "over"}
    # Every refusal whose code the page knows is one that the server can give.
    room = files("vivavoce.web").joinpath("..", "pipelines", "interpret", "seating.py")
    told = room.read_text() + "".join(
        file.read_text() for file in files("vivavoce.web").iterdir() if file.name.endswith(".py")
    )
    for code in why["refused"]:
        assert f'"{code}"' in told, code


def test_every_word_is_asked_for():
    everything = "".join(
        each.body.decode() for path, each in assets().items() if path[-4:] != "json"
    )
    for key in dict(flat(WORDS["en"])):
        group, _, name = key.partition(".")
        # Whole groups are asked for by a name that is known only then.
        if group in (
            "errors",
            "phase",
            "stages",
            "health",
            "actions",
            "net",
            "time",
            "events",
            "watch",
            "why",
        ) or key.startswith("cost.used."):
            continue
        assert key in everything, key
        assert name
