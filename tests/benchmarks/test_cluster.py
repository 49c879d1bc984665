"""What the benchmark of clusters takes as a sign that a resumed call's model knows its history."""

from benchmarks.cluster.told import Told


def request(*texts: str) -> dict:
    messages = [{"role": "system", "content": "You take down items."}]
    for text in texts[:-1]:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Noted."}]
    return {"body": {"messages": [*messages, {"role": "user", "content": texts[-1]}]}}


def told() -> Told:
    scripts = {1: ["a1", "b1", "c1", "d1"], 2: ["a2", "b2", "c2", "d2"]}
    return Told(scripts, {1: 1, 2: 2})


def test_a_call_that_went_on_with_all_is_told_from_one_that_lost_some() -> None:
    found = told()
    found.look([request("a1", "b1"), {"body": {"input": "d2"}}])
    assert found.waiting == {1, 2}, "what may have been asked before the break shows nothing"
    found.look([request("a1", "b1", "c1"), request("a2", "d2")])
    assert found.waiting == set()
    assert found.missing == {1: [], 2: ["b2", "c2"]}
    assert found.answers == {1: 2, 2: 1}
    found.look([request("d2")])
    assert found.to_dict() == {
        "resumed": 2,
        "looked_at": 2,
        "with_all_sentences": 1,
        "fewest_answers": 1,
        "fewest_sentences": 1,
        "missing": {"2": ["b2", "c2"]},
    }


def test_a_call_that_was_never_seen_counts_as_none_that_knew() -> None:
    found = told()
    assert found.to_dict()["looked_at"] == 0
    assert found.to_dict()["with_all_sentences"] == 0
    assert found.to_dict()["resumed"] == 2
