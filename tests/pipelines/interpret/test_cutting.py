from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.agent.languages import SPOKEN, LanguageError
from vivavoce.pipelines.interpret.aligning import bare, split
from vivavoce.pipelines.interpret.cutting import (
    MOST_SEGMENTS,
    MOST_WORDS,
    MOST_WORDS_OF_TURN,
    PAUSE,
    SETTLED,
    TURN_PAUSE,
    Cut,
    Cutter,
)

RATE = 2.7  # words per second


def say(cutter: Cutter, text: str, *, begin: float = 0.0, segment: int = 0, final: bool = True):
    """Tell a text word by word, in time, with ticks between; return the pieces."""
    words, now, cuts = text.split(), begin, []
    for i in range(1, len(words) + 1):
        now = begin + i / RATE
        cuts += cutter.tick(now - 0.1, speaking=True)
        cuts += cutter.heard(segment, " ".join(words[:i]), now)
    if final:
        cuts += cutter.heard(segment, text, now + 0.1, final=True)
    return cuts, now + 0.1


def cut_of(text: str, source: str = "en", target: str = "fr", **options) -> list[str]:
    cutter = Cutter(source, target, **options)
    cuts, now = say(cutter, text)
    return [cut.text for cut in cuts + cutter.close(now)]


def words_of(cuts: list[Cut]) -> list[str]:
    return [word.text for cut in cuts for word in cut.words]


# -- what is cut where


@pytest.mark.parametrize(
    ("source", "target", "text", "wrong"),
    [
        # Numbers, their units, dates.
        ("en", "fr", "they paid two hundred and five euros for the bicycle", "hundred | and"),
        ("en", "fr", "they paid two hundred and five euros for the bicycle", "and | five"),
        ("en", "fr", "they paid two hundred and five euros for the bicycle", "five | euros"),
        ("fr", "en", "nous arrivons le 3 mars 2024 avec nos amis", "3 | mars"),
        ("fr", "en", "nous arrivons le 3 mars 2024 avec nos amis", "mars | 2024"),
        ("es", "en", "llegamos el 3 de marzo de 2024 con nuestros amigos", "3 | de"),
        ("es", "en", "llegamos el 3 de marzo de 2024 con nuestros amigos", "marzo | de"),
        ("de", "en", "wir kommen am 3. März mit unseren Freunden", "3. | März"),
        # Articles, prepositions, subjects, auxiliaries.
        ("en", "fr", "the children of the neighbours will see the house", "the | house"),
        ("en", "fr", "the children of the neighbours will see the house", "will | see"),
        ("fr", "en", "les enfants jouent dans le jardin de la voisine", "dans | le"),
        ("it", "en", "i bambini giocano nel giardino della vicina", "nel | giardino"),
        ("pt", "en", "as crianças brincam no jardim da vizinha", "no | jardim"),
        ("nl", "fr", "de kinderen spelen in de tuin van de buren", "in | de"),
        # Negations.
        ("fr", "en", "les enfants de la voisine ne veulent vraiment pas venir", "ne | veulent"),
        (
            "fr",
            "en",
            "les enfants de la voisine ne veulent vraiment pas venir",
            "veulent | vraiment",
        ),
        ("fr", "en", "les enfants de la voisine n'ont pas mangé la soupe", "pas | mangé"),
        ("en", "fr", "the children of my brother do not see the house", "not | see"),
        ("es", "en", "los niños de mi hermano no ven la casa", "no | ven"),
        # Nouns and adjectives.
        ("en", "fr", "my brother has bought a very big red house in Paris", "red | house"),
        ("fr", "en", "mon frère a acheté une grande maison rouge à Paris", "maison | rouge"),
        # Names and titles.
        ("en", "fr", "yesterday evening we met Doctor Anna Miller in the station", "Doctor | Anna"),
        ("en", "fr", "yesterday evening we met Doctor Anna Miller in the station", "Anna | Miller"),
        ("fr", "en", "hier nous avons rencontré Charles de Gaulle à la gare", "Charles | de"),
        # The verb at the end.
        ("de", "en", "ich habe gestern meinen Bruder nicht gesehen", "nicht | gesehen"),
        ("de", "en", "ich habe gestern meinen Bruder gesehen", "Bruder | gesehen"),
        ("de", "en", "er ruft heute seine alte Schwester an", "Schwester | an"),
        ("de", "en", "weil er heute das alte Haus kauft", "Haus | kauft"),
        ("de", "en", "er sieht das alte Haus heute nicht", "heute | nicht"),
        ("nl", "en", "ik heb gisteren het oude huis gezien", "huis | gezien"),
        ("hi", "en", "मैं कल अपने भाई के साथ बाज़ार गया था", "बाज़ार | गया"),
    ],
)
def test_what_belongs_together_stays_together(source, target, text, wrong):
    assert wrong not in " | ".join(cut_of(text, source, target))


@pytest.mark.parametrize(
    ("source", "target", "text", "right"),
    [
        ("en", "fr", "He came home early, the train was late again.", "early, | the"),
        ("en", "fr", "the train was late because it rained in Paris", "late | because"),
        ("en", "fr", "I know the woman who sold the house to us", "woman | who"),
        ("fr", "en", "le train avait du retard parce que la neige tombait", "retard | parce"),
        ("es", "en", "el tren llegó muy tarde porque la nieve caía", "tarde | porque"),
        ("it", "en", "il treno è arrivato tardi perché la neve cadeva", "tardi | perché"),
        ("pt", "en", "o trem chegou muito tarde porque a neve caía", "tarde | porque"),
        ("de", "en", "ich habe das Haus gesehen weil er es kaufen will", "gesehen | weil"),
        ("de", "en", "weil er das Haus kaufen will gehe ich heute", "will | gehe"),
        ("nl", "en", "ik heb het huis gezien omdat hij het wil kopen", "gezien | omdat"),
        ("hi", "en", "मैं बाज़ार गया था लेकिन दुकान बंद थी", "था | लेकिन"),
        ("ar", "en", "وصل القطار متأخرا جدا لأن الثلج كان يتساقط", "جدا | لأن"),
    ],
)
def test_a_clause_begins_a_piece(source, target, text, right):
    assert right in " | ".join(cut_of(text, source, target))


def test_a_short_sentence_is_joined_with_what_follows_at_once():
    assert cut_of("Yes. I know the house.")[0].startswith("Yes. I know")


def test_a_short_sentence_stands_alone_before_a_pause():
    cutter = Cutter("en", "fr")
    assert cutter.heard(0, "Yes.", 1.0) == []
    assert cutter.tick(1.1, speaking=False) == []
    (cut,) = cutter.tick(1.1 + PAUSE + SETTLED, speaking=False)
    assert (cut.text, cut.closes) == ("Yes.", True)
    # The speaker is still silent: what comes late of it is cut off at once.
    (cut,) = cutter.heard(0, "Yes. I know.", 4.0, final=True)
    assert cut.text == "I know."


def test_a_word_of_which_only_the_beginning_was_told_is_not_cut_off():
    cutter = Cutter("en", "fr")
    cutter.heard(0, "he told us about the translat", 1.0)
    assert cutter.tick(1.4, speaking=True) == []
    cuts = cutter.heard(0, "he told us about the translation of it.", 2.0, final=True)
    assert words_of(cuts + cutter.close(2.0))[5] == "translation"


def test_who_hesitates_after_an_article_is_waited_for_but_not_for_ever():
    cutter = Cutter("en", "fr")
    cutter.heard(0, "she sold me the", 1.0)
    cutter.tick(1.0, speaking=False)
    assert cutter.tick(2.5, speaking=False) == []
    (cut,) = [cut for i in range(80) for cut in cutter.tick(2.5 + i / 10, speaking=False)]
    assert cut.text == "she sold me the"


def test_a_transcriber_that_changes_its_mind_is_given_more_time():
    steady, fickle = Cutter("en", "fr"), Cutter("en", "fr")
    text = "we saw the ship and then the storm came"
    for i in range(1, 6):
        fickle.heard(0, f"what {i} is it about {i} here", i * 0.1)
    fickle.heard(0, "", 0.7, final=True)
    first = [[], []]
    for found, cutter in zip(first, (steady, fickle), strict=True):
        for i in range(1, 10):
            now = 1.0 + i / RATE
            if cutter.heard(1, " ".join(text.split()[:i]), now):
                found.append(now)
    assert first[0][0] < first[1][0]


def test_a_mark_that_was_taken_back_is_not_trusted_the_next_time():
    cutter = Cutter("en", "fr")
    cutter.heard(0, "We saw the ship.", 1.0)
    assert cutter.waiting == 0
    cutter.heard(0, "We saw the ship and the.", 2.0)
    assert cutter.waiting == 2  # no sentence ends so
    cutter.heard(0, "We saw the ship and the boats in a harbour.", 2.4)
    assert cutter.waiting > 0


def test_the_words_tell_when_they_came():
    cutter = Cutter("en", "fr")
    cutter.heard(0, "We", 1.0)
    cutter.heard(0, "We say", 1.5)
    cutter.heard(0, "We saw it", 2.0)
    (cut,) = cutter.heard(0, "We saw it.", 2.5, final=True)
    assert [(word.text, word.at) for word in cut.words] == [("We", 1.0), ("saw", 1.5), ("it.", 2.0)]
    assert (cut.number, cut.started, cut.ended, cut.closes) == (1, 1.0, 2.0, True)


def test_what_was_cut_off_stays_and_what_is_behind_it_goes_on():
    cutter = Cutter("en", "fr")
    (first,) = cutter.heard(0, "We saw the red house, and then we went", 1.0)
    assert first.text == "We saw the red house,"
    rest = cutter.heard(0, "We saw a read house, and then we went home again.", 3.2, final=True)
    rest += cutter.close(3.2)
    assert " ".join(cut.text for cut in rest) == "and then we went home again."
    assert cutter.overruled == 2


def test_a_text_told_anew_after_a_lost_connection_is_not_cut_off_twice():
    cutter = Cutter("en", "fr")
    text = "We saw the red house, and then we went home because it was late."
    cuts, now = say(cutter, text, final=False)
    again, now = say(cutter, text, begin=now + 1)
    assert words_of(cuts + again + cutter.close(now)) == text.split()
    assert cutter.overruled == 0


def test_a_segment_whose_final_text_never_comes_does_not_stop_the_next():
    cutter = Cutter("en", "fr")
    cuts = cutter.heard(0, "We saw the red house and", 1.0)
    cuts += cutter.heard(1, "they came home early, which is good", 2.0)
    cuts += [cut for i in range(60) for cut in cutter.tick(2.0 + i / 10, speaking=True)]
    cuts += cutter.close(9.0)
    text = "We saw the red house and they came home early, which is good"
    assert words_of(cuts) == text.split()


def test_a_transcriber_that_never_says_what_is_final_is_not_remembered_for_ever():
    cutter = Cutter("en", "fr")
    cuts: list[Cut] = []
    for segment in range(50):
        now = segment * 4.0
        cuts += cutter.heard(segment, f"They sold {segment} houses today", now)
        for i in range(40):
            cuts += cutter.tick(now + i / 10, speaking=i < 20)
    assert len(cutter._segments) <= MOST_SEGMENTS
    assert words_of(cuts) == [
        word for n in range(50) for word in f"They sold {n} houses today".split()
    ]


def test_who_is_not_understood_for_a_while_in_a_number_is_waited_for():
    cutter = Cutter("en", "fr")
    cuts = cutter.heard(0, "they paid us two hundred", 1.0)
    for i in range(30):
        cuts += cutter.tick(1.0 + i / 10, speaking=True)
    cuts += cutter.heard(0, "they paid us two hundred and five euros.", 4.1, final=True)
    assert "two hundred and five euros." in [cut.text for cut in cuts][-1]


def test_who_pauses_in_a_number_is_waited_for_a_little():
    cutter = Cutter("en", "fr")
    cuts = cutter.heard(0, "they paid two hundred", 1.0, final=True)
    cuts += cutter.tick(1.0, speaking=False)
    cuts += cutter.tick(1.0 + PAUSE + 0.1, speaking=False)
    assert cuts == []
    assert [cut.text for cut in cutter.tick(1.1 + TURN_PAUSE, speaking=False)] == [
        "they paid two hundred"
    ]


def test_whole_turns_are_cut_at_their_ends_only():
    cutter = Cutter("en", "fr", policy="consecutive")
    text = "We saw the red house. It was late, so we went home. " * 4
    cuts, now = say(cutter, text)
    assert cuts == []
    (cut,) = cutter.close(now)
    assert cut.text == text.strip()
    assert cut.closes


def test_a_whole_turn_that_is_too_long_is_cut_at_a_sentence():
    text = "We saw the red house and the garden today. " * 20
    pieces = cut_of(text.strip(), policy="consecutive")
    assert len(pieces) == 2
    assert all(piece.endswith(".") for piece in pieces)


def test_captions_are_cut_as_speech_is():
    text = "We saw the red house, and then we went home because it was late."
    assert cut_of(text, policy="captions") == cut_of(text)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("source", list(SPOKEN))
def test_who_never_pauses_is_cut_all_the_same(source, marked):
    """Thirty seconds without a pause: pieces are short, and no word waits long."""
    target = "en" if source != "en" else "fr"
    text = {
        "en": "we have seen that the people of the city want to live near the river because it is"
        " quiet there and the children can play",
        "fr": "nous avons vu que les gens de la ville veulent vivre près de la rivière parce que"
        " c'est calme et les enfants peuvent jouer",
        "de": "wir haben gesehen dass die Leute in der Stadt am Fluss leben wollen weil es dort"
        " ruhig ist und die Kinder spielen können",
        "es": "hemos visto que la gente de la ciudad quiere vivir cerca del río porque es tranquilo"
        " y los niños pueden jugar",
        "nl": "wij hebben gezien dat de mensen in de stad bij de rivier willen wonen omdat het daar"
        " rustig is en de kinderen kunnen spelen",
        "pt": "nós vimos que as pessoas da cidade querem viver perto do rio porque é tranquilo e as"
        " crianças podem brincar",
        "it": "abbiamo visto che la gente della città vuole vivere vicino al fiume perché è"
        " tranquillo e i bambini possono giocare",
        "hi": "हमने देखा कि शहर के लोग नदी के पास रहना चाहते हैं क्योंकि वहाँ शांति है और बच्चे खेल सकते हैं",
        "ar": "رأينا أن الناس في المدينة يريدون العيش قرب النهر لأن المكان هادئ والأطفال يمكنهم اللعب هناك",
    }[source].split()
    words = list(itertools.islice(itertools.cycle(text), 81))
    if marked:
        words = [f"{word}," if i % 9 == 8 else word for i, word in enumerate(words)]
    cutter = Cutter(source, target, target_lag=2.0)
    waits, pieces, now = [], [], 0.0
    for i in range(1, len(words) + 1):
        for part in range(4):
            now = (i - 1 + part / 4) / RATE
            made = cutter.tick(now, speaking=True)
            made += cutter.heard(0, " ".join(words[:i]), now) if part == 0 else []
            for cut in made:
                pieces.append(len(cut.words))
                waits += [now - word.at for word in cut.words]
    assert sum(pieces) > 60
    assert max(pieces) <= MOST_WORDS
    # A Hindi clause can be cut nowhere before its verb.
    assert sum(waits) / len(waits) < (2.5 if source == "hi" else 2.0)
    assert max(waits) < 2.0 * 3 + SETTLED + 1


@pytest.mark.parametrize("lag", [0.3, 2.0])
@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("en", "two million four hundred and thirty-five thousand two hundred and five euros"),
        ("fr", "deux millions quatre cent trente-cinq mille deux cent cinq euros"),
        ("es", "dos millones cuatrocientas treinta y cinco mil doscientas cinco casas"),
        ("de", "zwei Millionen vierhundertfünfunddreißig Tausend Euro"),
        ("it", "due milioni quattrocento mila duecento cinque euro"),
    ],
)
def test_a_number_is_never_cut_however_late_it_is(source, number, lag):
    before = {"en": "we sold the old house there for", "fr": "nous avons vendu la maison pour"}
    text = f"{before.get(source, 'Maria und Peter')} {number} Maria {number} Maria"
    pieces = cut_of(text, source, "en" if source != "en" else "fr", target_lag=lag)
    assert sum(number in piece for piece in pieces) >= 1
    words = number.split()
    for one, other in itertools.pairwise(words):
        assert f"{one} | {other}" not in " | ".join(pieces)


@pytest.mark.parametrize("lag", [0.3, 2.0, 5.0])
@pytest.mark.parametrize("source", ["en", "fr", "de"])
def test_no_word_waits_longer_than_it_may(source, lag):
    """Whatever is said: a minute of random small words, where hardly a place is good."""
    rng = random.Random(7)
    words = [rng.choice(VOCABULARY[source]) for _ in range(160)]
    cutter = Cutter(source, "es", target_lag=lag)
    longest, now = 0.0, 0.0
    for i in range(1, len(words) + 1):
        for part in range(4):
            now = (i - 1 + part / 4) / RATE
            made = cutter.heard(0, " ".join(words[:i]), now) if part == 0 else []
            for cut in made + cutter.tick(now, speaking=True):
                longest = max(longest, now - cut.words[0].at)
                assert len(cut.words) <= MOST_WORDS
    # The words that a bad place asks for have to be said, and the last of them to settle.
    assert longest <= max(3 * lag, 8 / RATE) + SETTLED + 1.0
    assert longest >= min(lag, 4 / RATE) / 2


def test_what_cannot_be_cut_by_is_refused():
    with pytest.raises(LanguageError):
        Cutter("tlh", "en")
    with pytest.raises(ValueError, match="more than 0"):
        Cutter("fr", "en", target_lag=0.0)


# -- nothing lost, nothing doubled, nothing taken back

VOCABULARY = {
    "en": "the a red house of my brother and because he does not want to see two hundred euros on"
    " March Anna Miller today who well-known we saw it".split(),
    "fr": "le la maison rouge de mon frère et parce qu'il ne veut pas voir deux cents euros 3 mars"
    " Anna dont nous avons vu l'homme".split(),
    "de": "der das Haus ich habe gestern gesehen weil er will nicht kaufen und dass ruft an zwei"
    " hundert 3. März Herr Müller".split(),
    "hi": "मैं बाज़ार गया था और लेकिन कि है के में नहीं दो सौ".split(),
}
MARKS = ["", "", "", "", ",", ".", "?", " —", "..."]


@st.composite
def talks(draw):
    """What a transcriber tells, with every kind of change, and the times of it."""
    source = draw(st.sampled_from(sorted(VOCABULARY)))
    rng = random.Random(draw(st.integers(0, 2**32)))
    vocabulary = VOCABULARY[source]

    def word() -> str:
        made = rng.choice(vocabulary) + rng.choice(MARKS)
        return made.upper() if rng.random() < 0.05 else made

    steps: list[tuple[str, int, str, float, bool]] = []
    now = 0.0
    for segment in range(draw(st.integers(1, 4))):
        words: list[str] = []
        for _ in range(draw(st.integers(0, 25))):
            now += rng.choice([0.0, 0.05, 0.3, 0.4, 1.2])
            action = rng.random()
            if action < 0.6 or not words:
                words += [word() for _ in range(rng.choice([1, 1, 1, 2, 8]))]
            elif action < 0.7:
                tail = rng.randint(1, min(4, len(words)))
                words[-tail:] = [word() for _ in range(rng.randint(0, tail + 1))]
            elif action < 0.75:
                words[rng.randrange(len(words))] = word()
            elif action < 0.8:
                words.insert(rng.randrange(len(words) + 1), word())
            elif action < 0.84:
                del words[rng.randrange(len(words))]
            elif action < 0.88:
                place = rng.randrange(len(words))
                words[place] = words[place].rstrip(".,?— ").swapcase() + rng.choice(MARKS)
            elif action < 0.9:
                steps.append(
                    ("heard", segment, " ".join(words[: rng.randrange(len(words))]), now, False)
                )
                continue
            elif action < 0.91:
                steps.append(("close", segment, "", now, False))
                continue
            else:
                steps.append(("tick", segment, "", now, rng.random() < 0.6))
                continue
            steps.append(("heard", segment, " ".join(words), now, False))
        if rng.random() < 0.3 and words:
            words[rng.randrange(len(words))] = word()
        if rng.random() < 0.1:
            words = []
        steps.append(("heard", segment, " ".join(words), now, True))
        if rng.random() < 0.3:
            steps.append(("close", segment, "", now, False))
    return source, steps


def fewest_changes(taken: list[str], told: list[str]) -> int:
    """The plain distance between two lists of words: the test's own, without any short cut."""
    row = list(range(len(told) + 1))
    for i, one in enumerate(taken, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(told, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def changes(taken: list[str], told: list[str]) -> list[int]:
    """How many words differ between `taken` and each beginning of `told`: with no short cut."""
    row = list(range(len(told) + 1))
    for i, one in enumerate(taken, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(told, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row


@settings(max_examples=120, deadline=None)
@given(talks(), st.sampled_from(["simultaneous", "consecutive", "captions"]), st.floats(0.3, 8))
def test_whatever_a_transcriber_changes_every_final_word_is_cut_off_once(talk, policy, lag):
    source, steps = talk
    cutter = Cutter(source, "es", policy=policy, target_lag=lag)
    cuts: list[Cut] = []
    # Of each segment: its final text, how much had been cut off before, and where it ends.
    finals: list[tuple[list[str], int, int]] = []
    now = 0.0
    for kind, segment, text, now, flag in steps:
        shown = list(cuts)
        if kind == "heard":
            cuts += cutter.heard(segment, text, now, final=flag)
            if flag:
                end = len(words_of(cuts)) + cutter.waiting
                finals.append((split(text), len(words_of(shown)), end))
        elif kind == "tick":
            left = len(words_of(cuts)) + cutter.waiting
            cuts += cutter.tick(now, speaking=flag)
            assert len(words_of(cuts)) + cutter.waiting == left
        else:
            cuts += cutter.close(now)
            assert cutter.waiting == 0
        assert cuts[: len(shown)] == shown
    cuts += cutter.close(now)

    spoken, begin, overruled = words_of(cuts), 0, 0
    for final, known, end in finals:
        taken = [bare(word) for word in spoken[begin : max(begin, known)]]
        rest = spoken[max(begin, known) : end]
        place = len(final) - len(rest)
        assert rest == final[place:]
        told = [bare(word) for word in final]
        if taken == told[: len(taken)]:
            assert place == len(taken)
        # Else what was overruled is as little as it can be; a form of the same word counts less.
        differences = changes(taken, told)
        assert differences[place] <= 2 * min(differences)
        overruled += differences[place]
        begin = max(begin, end)
    assert begin == len(spoken)
    assert cutter.overruled <= 2 * overruled
    assert (cutter.overruled == 0) == (overruled == 0)

    most = MOST_WORDS_OF_TURN if policy == "consecutive" else MOST_WORDS
    assert all(len(cut.words) <= most for cut in cuts)
    assert [cut.number for cut in cuts] == list(range(1, len(cuts) + 1))
    assert all(cut.text == " ".join(word.text for word in cut.words) for cut in cuts)
    times = [word.at for cut in cuts for word in cut.words]
    assert all(
        one <= other for cut in cuts for one, other in itertools.pairwise(w.at for w in cut.words)
    )
    assert max(times, default=0.0) <= now


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(VOCABULARY)), st.integers(0, 2**32), st.floats(0.3, 5))
def test_where_nothing_is_overruled_the_pieces_are_the_text(source, seed, lag):
    """A transcriber that changes what has not been cut off, at will, and nothing else."""
    rng = random.Random(seed)
    cutter = Cutter(source, "es", target_lag=lag)
    cuts: list[Cut] = []
    text: list[str] = []
    now = 0.0
    for segment in range(rng.randint(1, 4)):
        words: list[str] = []
        for _ in range(rng.randint(0, 40)):
            now += rng.choice([0.05, 0.3, 0.4])
            pending = (
                words[len(words) - cutter.waiting :] if cutter.waiting <= len(words) else words
            )
            kept = words[: len(words) - len(pending)]
            # Changed words are new ones, so that none of them looks like one that was cut off.
            if pending and rng.random() < 0.4:
                place = rng.randrange(len(pending))
                new = [f"w{rng.randrange(10**6)}" for _ in range(rng.randint(0, 3))]
                pending = [*pending[:place], *new, *pending[place + rng.randint(0, 2) :]]
            words = [
                *kept,
                *pending,
                rng.choice(VOCABULARY[source]) + rng.choice(MARKS).strip(" —"),
            ]
            if rng.random() < 0.15:
                # A lost connection: told anew, from the beginning.
                for i in range(0, len(words), 3):
                    cuts += cutter.heard(segment, " ".join(words[:i]), now)
            cuts += cutter.heard(segment, " ".join(words), now)
            cuts += cutter.tick(now + 0.02, speaking=rng.random() < 0.8)
        cuts += cutter.heard(segment, " ".join(words), now, final=True)
        text += words
    cuts += cutter.close(now)
    assert words_of(cuts) == text
    assert cutter.overruled == 0
