"""The state file: whatever happens to it, no part that is done is lost, and none is made up."""

import json

import pytest

from vivavoce.pipelines.models.transcription.journal import (
    Done,
    Journal,
    JournalError,
    fingerprint,
)
from vivavoce.pipelines.models.transcription.text import Segment, Transcript

ABOUT = {"source": {"size": 1}, "request": {"model": "m"}}


def part(number):
    text = Transcript(f"part {number}", (Segment(f"part {number}", 0.0, 1.0),), "en", "m", 1.0)
    return Done(number * 10, number * 10 + 10, number, text)


@pytest.fixture
def left(tmp_path):
    """What a run leaves that was killed behind its second part."""
    path = tmp_path / "a.resume"
    journal = Journal.open(path, ABOUT)
    journal.add(0, part(0))
    journal.add(1, part(1))
    # Not closed: it was killed.
    yield path
    journal.close()


def found(path, about=ABOUT):
    journal = Journal.open(path, about)
    try:
        return [
            number
            for number in range(5)
            if journal.find(number, number * 10, number * 10 + 10, number)
            == part(number).transcript
        ]
    finally:
        journal.close()


def test_parts_are_on_the_disk_at_once(left):
    assert found(left) == [0, 1]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_that_was_cut_short_is_left_out_and_the_rest_goes_on(left, cut):
    data = left.read_bytes()
    left.write_bytes(data[:-cut])
    assert found(left) == [0]
    journal = Journal.open(left, ABOUT)
    journal.add(1, part(1))
    journal.add(2, part(2))
    journal.close()
    assert found(left) == [0, 1, 2]
    assert all(json.loads(line) for line in left.read_text().splitlines())


def test_damage_in_the_middle_costs_what_is_behind_it(left):
    lines = left.read_bytes().split(b"\n")
    lines[1] = b'{"part": 0, "start"'
    left.write_bytes(b"\n".join(lines))
    assert found(left) == []


@pytest.mark.parametrize(
    "about",
    [
        {"source": {"size": 2}, "request": {"model": "m"}},
        {"source": {"size": 1}, "request": {"model": "n"}},
    ],
)
def test_another_recording_or_request_begins_anew(left, about):
    assert found(left, about) == []
    assert found(left) == []


def test_another_cut_is_another_part(left):
    journal = Journal.open(left, ABOUT)
    assert len(journal) == 2
    assert journal.find(0, 0, 11, 0) is None
    assert journal.find(0, 0, 10, 99) is None
    assert journal.find(7, 0, 10, 0) is None
    journal.remove()
    journal.remove()
    assert not left.exists()


def test_what_is_no_state_file_is_written_over(tmp_path):
    path = tmp_path / "a.resume"
    path.write_bytes(b"\xff\xfe rubbish\n")
    assert found(path) == []


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(JournalError, match=r"cannot write .*No such file"):
        Journal.open(tmp_path / "nowhere" / "a.resume", ABOUT)


def test_a_recording_is_known_by_its_ends(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a" * 3_000_000)
    one = fingerprint(path)
    path.write_bytes(b"a" * 2_999_999 + b"b")
    assert fingerprint(path) != one
    path.write_bytes(b"a" * 3_000_000)
    assert fingerprint(path) == one
