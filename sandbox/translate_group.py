"""Groups of English verbs: "has been going to", "could not have known", "want to see"."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivavoce.sandbox.dictionary import Word
from vivavoce.sandbox.translate_parts import DETERMINERS, OBJECTS, PRONOUNS, Subject
from vivavoce.sandbox.translate_reader import BE, DO, HAVE, MODALS, Reader
from vivavoce.sandbox.translate_verbs import Verbal

_CAN = {"fr": Word("pouvoir"), "es": Word("poder")}
_MUST = {"fr": Word("devoir"), "es": Word("deber")}
_HAVE_TO = {"fr": Word("devoir"), "es": Word("tener que")}
_WANT = {"fr": Word("vouloir"), "es": Word("querer")}
_HAVE = {"fr": Word("avoir"), "es": Word("tener")}
_SEEM = {"fr": Word("sembler"), "es": Word("parecer")}
_FUNCTION = {"fr": Word("fonctionner"), "es": Word("funcionar")}
_LET = {"fr": Word("laisser"), "es": Word("dejar")}
# What is said of a thing that somebody did something to: in the past, an event and no state.
_EVENTS = frozenset("cancelled canceled delayed confirmed damaged reserved".split())
_BE = {"fr": Word("être"), "es": Word("ser")}
# Verbs of states: their past lasts.
_STATES = frozenset(
    "be have know want need hope believe like love hate prefer live mean belong own seem"
    " think wish cost"
    " depend contain exist fear respect".split()
)
_BARE_AFTER = frozenset({"let", "make", "help"})
CHAINED = frozenset(
    "want need like love hate prefer hope wish try decide plan start begin continue stop"
    " finish learn forget"
    " remember promise agree refuse manage fail offer choose expect seem come go help enjoy"
    " avoid keep"
    " accept hesitate succeed deserve afford mind suggest recommend consider practise"
    " practice".split()
)
"""Verbs that an infinitive follows without a word between, or with their own."""
_ING_AFTER = frozenset(
    "start begin continue stop finish like love hate prefer enjoy avoid mind suggest"
    " recommend consider"
    " practise practice keep try remember".split()
)
_PAST = frozenset("was were had did".split())
_NEGATIVE = {"not": "not", "never": "never", "no longer": "no longer"}


@dataclass(slots=True)
class Group:
    """Verbs that stand together.

    Attributes:
        verbals: The finite one, then infinitives.
        links: What joins each infinitive to the verb before it.
        english: The last verb, as English has it.
        copula: It ends with a form of be that says something of the subject.
        lasting: It has been going on: "have been waiting".
        behind: The place behind it.
    """

    verbals: list[Verbal] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    english: str = ""
    copula: bool = False
    lasting: bool = False
    behind: int = 0

    def add(self, verbal: Verbal, link: str = "") -> None:
        """Add a verb; `link` joins it to the one before."""
        if self.verbals:
            self.links.append(link)
        self.verbals.append(verbal)


def read_group(read: Reader, place: int, subject: Subject) -> Group | None:
    """Read the verbs at a place, for a subject; None where there is none."""
    found = _Groups(read, place).read(subject)
    return found if found is not None and found.verbals else None


class _Groups:
    def __init__(self, read: Reader, place: int) -> None:
        self.read_ = read
        self.at = place
        self.group = Group()
        self.negation = ""
        self.adverbs: list[str] = []
        self.language = read.language
        self.thing = False  # the subject is no person

    def read(self, subject: Subject) -> Group | None:
        self.thing = subject.pronoun in {"it", "this"} or not (subject.pronoun or subject.who)
        self._between()
        word = self.read_.low_at(self.at)
        if word in MODALS and not (
            word == "may" and self.read_.low_at(self.at - 1) in {"in", "of"}
        ):
            self.at += 1
            self._between()
            done = self._modal(word)
        elif word in DO and self._supports():
            self.at += 1
            self._between()
            done = self._main("past" if word == "did" else "present")
        elif word in BE - {"be", "been", "being"}:
            self.at += 1
            self._between()
            done = self._be("past" if word in {"was", "were"} else "present")
        elif word in HAVE and (done_ := self._have(word)) is not None:
            done = done_
        elif word == "used" and self.read_.low_at(self.at + 1) == "to":
            self.at += 2
            done = self._main("imperfect")
        else:
            done = self._plain()
        if not done:
            return None
        self.group.behind = self.at
        return self.group

    # -- what stands between

    def _between(self) -> None:
        """Take negations and adverbs."""
        while True:
            two = f"{self.read_.low_at(self.at)} {self.read_.low_at(self.at + 1)}"
            word = self.read_.low_at(self.at)
            if two in _NEGATIVE:
                self.negation = two
                self.at += 2
            elif word in _NEGATIVE:
                self.negation = word
                self.at += 1
            elif (found := self.read_.match(self.at, "adverb")) is not None and self._verb_behind(
                found[0]
            ):
                self.adverbs += self.read_.word(found[1]).text.split(" ")
                self.at += found[0]
            else:
                return

    def _verb_behind(self, count: int) -> bool:
        place = self.at + count
        word = self.read_.low_at(place)
        if word in {"not", *MODALS, *BE, *HAVE}:
            return True
        # "is very tired" keeps its adverb; "is always working" gives it to the verb.
        if self.read_.low_at(self.at) in {"very", "too", "so", "quite", "more", "most", "much"}:
            return False
        return self.read_.is_verb(place) or self.read_.match(place, "adverb") is not None

    def _supports(self) -> bool:
        """Whether "do" only helps another verb: "do not know", "did see"."""
        place = self.at + 1
        while self.read_.low_at(place) in {"not", "never", "really", "always", "also", "often"}:
            place += 1
        return self.read_.is_verb(place, "base")

    # -- kinds of groups

    def _take(self, *forms: str) -> tuple[Word, str] | None:
        found = self.read_.match(self.at, "verb", forms=forms)
        if found is None:
            return None
        number = self.read_.number(self.at + found[0])
        if (
            found[1].entry.english.endswith(" for")
            and number is not None
            and number.kind == "number"
        ):
            # "Waited for two hours": how long, not for whom.
            found = self.read_.match_short(self.at, forms) or found
        self.at += found[0]
        return self.read_.word(found[1]), found[1].entry.english

    def _put(
        self, word: Word, tense: str, english: str, link: str = "", *, passive: bool = False
    ) -> bool:
        following = self.read_.low_at(self.at)
        if english == "look" and self.read_.match(self.at, "adjective") is not None:
            word = _SEEM[self.language]
        if english == "work" and self.thing:
            word = _FUNCTION[self.language]
        if english == "leave" and not passive and following in DETERMINERS | OBJECTS:
            word = _LET[self.language]
        verbal = Verbal(word, tense, self.negation, passive, adverbs=self.adverbs)
        self.negation, self.adverbs = "", []
        self.group.add(verbal, link)
        self.group.english = english
        if not passive:
            self._objects(verbal)
        self._chain(verbal, english)
        return True

    def _objects(self, verbal: Verbal) -> None:
        word = self.read_.low_at(self.at)
        following = self.at + 1
        if word in OBJECTS and not self._of_noun(word, following):
            subject = word in PRONOUNS and self._verb_follows(following)
            if not subject:
                verbal.direct = word
                self.at += 1
        if verbal.word.dative:
            verbal.indirect = self.read_.addressee(self.at, direct=verbal.direct)
            if verbal.indirect and self.read_.low_at(self.at) == "to":
                self.at += 2

    def _of_noun(self, word: str, following: int) -> bool:
        return word == "her" and self.read_.match(following, "noun", "adjective") is not None

    def _verb_follows(self, place: int) -> bool:
        place = self.read_.skip_adverbs(place)
        return self.read_.finite(place, plural=True) or self.read_.finite(place, plural=False)

    def _chain(self, verbal: Verbal, english: str) -> None:
        """Take the infinitives behind a verb."""
        link = verbal.word.link
        negated = self.read_.low_at(self.at) == "not" and self.read_.low_at(self.at + 1) == "to"
        place = self.at + negated
        if self.read_.low_at(place) == "to" and english in CHAINED:
            if self.read_.is_verb(place + 1, "base") and (english not in {"come", "go"} or False):
                self.at = place + 1
                self.negation = "not" if negated else ""
                self._infinitive(link)
        elif (
            english in _ING_AFTER
            and self.read_.is_verb(self.at, "ing")
            and self.read_.match(self.at, "noun") is None
        ):
            taken = self._take("ing")
            assert taken is not None
            self._put(taken[0], "infinitive", taken[1], link)
        elif english in _BARE_AFTER and self.read_.is_verb(self.at, "base") and verbal.direct:
            self._infinitive("" if english != "help" else link)

    def _infinitive(self, link: str = "") -> bool:
        """Take a base form behind a verb that it belongs to."""
        if self.read_.low_at(self.at) == "be":
            self.at += 1
            return self._be("infinitive", link)
        if self._has_to():
            self.at += 2
            self._put_only(_HAVE_TO[self.language], "infinitive", link)
            return self._infinitive()
        taken = self._take("base")
        if taken is None:
            return False
        return self._put(taken[0], "infinitive", taken[1], link)

    def _has_to(self) -> bool:
        words = (self.read_.low_at(self.at), self.read_.low_at(self.at + 1))
        return words == ("have", "to") and self.read_.is_verb(self.at + 2, "base")

    def _put_only(self, word: Word, tense: str, link: str = "") -> None:
        self.group.add(Verbal(word, tense, self.negation, adverbs=self.adverbs), link)
        self.negation, self.adverbs = "", []

    def _main(self, tense: str) -> bool:
        """Take a base form that is conjugated in a tense."""
        if self.read_.low_at(self.at) == "be":
            self.at += 1
            return self._be(tense)
        if (
            self.read_.low_at(self.at) == "have"
            and self.read_.low_at(self.at + 1) == "to"
            and (self.read_.is_verb(self.at + 2, "base"))
        ):
            self.at += 2
            self._put_only(_HAVE_TO[self.language], self._lasting(tense, "have"))
            return self._infinitive()
        if self.read_.low_at(self.at) == "have" and self._participle_at(self.at + 1):
            self.at += 1
            return self._perfect("past conditional" if tense == "conditional" else tense)
        taken = self._take("base")
        if taken is None:
            return False
        return self._put(taken[0], self._lasting(tense, taken[1]), taken[1])

    def _lasting(self, tense: str, english: str) -> str:
        return "imperfect" if tense == "past" and english in _STATES else tense

    def _modal(self, word: str) -> bool:
        if word in {"will", "shall"}:
            if self._able():
                self._put_only(_CAN[self.language], "future")
                return self._infinitive()
            return self._main("future")
        if word == "would":
            if self.read_.low_at(self.at) == "like" and not self._stranded(self.at + 1):
                self.at += 1
                return self._wish()
            return self._main("conditional")
        tense = "conditional" if word in {"could", "might", "should"} else "present"
        past_around = {token.low for token in self.read_.tokens} & _PAST
        if word == "could" and past_around:
            tense = "imperfect"
        helper = _MUST if word in {"should", "must"} else _CAN
        past = self.read_.low_at(self.at) == "have" and self._participle_at(self.at + 1)
        if past and self.language == "es":
            self.at += 1
            self._put_only(helper["es"], tense)
            return self._perfect("infinitive perfect")
        if past:
            self.at += 1
            self._between()
            self._put_only(
                helper[self.language], "past conditional" if tense == "conditional" else "perfect"
            )
            taken = self._take("participle")
            return taken is not None and self._put(taken[0], "infinitive", taken[1])
        self._put_only(helper[self.language], tense)
        self._between_infinitive()
        if not self._infinitive():
            self.group.english = "can"
        return True

    def _between_infinitive(self) -> None:
        while (found := self.read_.match(self.at, "adverb")) is not None and self.read_.is_verb(
            self.at + found[0], "base"
        ):
            self.adverbs += self.read_.word(found[1]).text.split(" ")
            self.at += found[0]

    def _stranded(self, place: int) -> bool:
        return place >= len(self.read_.tokens)

    def _wish(self) -> bool:
        """For "Would like": voudrais, quisiera."""
        if self.language == "fr":
            verbal = Verbal(_WANT["fr"], "conditional", self.negation, adverbs=self.adverbs)
        else:
            verbal = Verbal(Word("gustar"), "conditional", self.negation, adverbs=self.adverbs)
            verbal.word = _WANT["es"]
        self.negation, self.adverbs = "", []
        self.group.add(verbal)
        self.group.english = "want"
        if self.read_.low_at(self.at) in OBJECTS and not self._of_noun(
            self.read_.low_at(self.at), self.at + 1
        ):
            self._objects(verbal)
        if self.read_.low_at(self.at) == "to" and self.read_.is_verb(self.at + 1, "base"):
            self.at += 1
            return self._infinitive()
        return True

    def _able(self) -> bool:
        if self.read_.low_at(self.at) == "be" and self.read_.low_at(self.at + 1) == "able":
            self.at += 3 if self.read_.low_at(self.at + 2) == "to" else 2
            return True
        return False

    def _be(self, tense: str, link: str = "") -> bool:
        """What follows a form of be: doing, done, going to, able to; or what the subject is."""
        self._between()
        word, following = self.read_.low_at(self.at), self.read_.low_at(self.at + 1)
        if word == "going" and following == "to" and self.read_.is_verb(self.at + 2, "base"):
            self.at += 2
            return self._going(tense)
        if word == "able" and following == "to":
            self.at += 2
            self._put_only(_CAN[self.language], "imperfect" if tense == "past" else tense, link)
            return self._infinitive()
        if (
            word in {"supposed", "about"}
            and following == "to"
            and self.read_.is_verb(self.at + 2, "base")
        ):
            self.at += 2
            self._put_only(_MUST[self.language], "imperfect" if tense == "past" else tense, link)
            return self._infinitive()
        if self.read_.is_verb(self.at, "ing") and self.read_.match(self.at, "adjective") is None:
            taken = self._take("ing")
            assert taken is not None
            doing = {"present": "progressive", "past": "past progressive"}.get(tense, tense)
            return self._put(taken[0], doing, taken[1], link)
        event = tense == "past" and word in _EVENTS
        if self.read_.is_verb(self.at, "participle") and (
            event or self.read_.match(self.at, "adjective") is None
        ):
            taken = self._take("participle")
            assert taken is not None
            if taken[1] == "be born":
                return self._put(taken[0], tense, taken[1], link)
            return self._put(taken[0], tense, taken[1], link, passive=True)
        if word == "born":
            self.at += 1
            return self._put(
                Word("naître") if self.language == "fr" else Word("nacer"), tense, "be born", link
            )
        now = "imperfect" if tense == "past" else tense
        verbal = Verbal(_BE[self.language], now, self.negation, adverbs=self.adverbs)
        self.negation, self.adverbs = "", []
        self.group.add(verbal, link)
        self.group.copula = True
        self.group.english = "be"
        return True

    def _going(self, tense: str) -> bool:
        self.at += 0
        if self.read_.low_at(self.at) == "be":
            self.at += 1
            return self._be("going" if tense == "present" else "conditional")
        taken = self._take("base")
        if taken is None:
            return False
        return self._put(taken[0], "going" if tense == "present" else "conditional", taken[1])

    def _participle_at(self, place: int) -> bool:
        place = self.read_.skip_adverbs(place)
        return self.read_.is_verb(place, "participle")

    def _have(self, word: str) -> bool | None:
        """For "Has gone", "had to go", "have got"; None where it is the plain verb."""
        place = self.at + 1
        if self.read_.low_at(place) == "to" and self.read_.is_verb(place + 1, "base"):
            self.at += 2
            self._put_only(_HAVE_TO[self.language], "imperfect" if word == "had" else "present")
            return self._infinitive()
        while self.read_.low_at(place) in {"not", "never"} or (
            self.read_.match(place, "adverb") is not None and self._participle_at(place)
        ):
            place += 1
        if self.read_.low_at(place) == "got":
            self.at += 1
            self._between()
            self.at += 1
            if self.read_.low_at(self.at) == "to" and self.read_.is_verb(self.at + 1, "base"):
                self.at += 1
                self._put_only(_HAVE_TO[self.language], "present")
                return self._infinitive()
            return self._put(_HAVE[self.language], "present", "have")
        if not self.read_.is_verb(place, "participle"):
            return None
        self.at += 1
        self._between()
        return self._perfect("pluperfect" if word == "had" else "perfect")

    def _perfect(self, tense: str) -> bool:
        self._between()
        if self.read_.low_at(self.at) == "been":
            self.at += 1
            if self.read_.is_verb(self.at, "ing"):
                taken = self._take("ing")
                assert taken is not None
                self.group.lasting = True
                return self._put(taken[0], "progressive", taken[1])
            if self.read_.low_at(self.at) == "to":
                return self._put(
                    Word("aller") if self.language == "fr" else Word("ir"), tense, "go"
                )
            return self._be(tense)
        taken = self._take("participle")
        return taken is not None and self._put(taken[0], tense, taken[1])

    def _plain(self) -> bool:
        word = self.read_.low_at(self.at)
        found = self.read_.match(self.at, "verb", forms=("base", "s", "past"))
        if found is None or word in BE:
            return False
        past = found[1].form == "past"
        # "put", "cut", "read": the past looks like the base; it is taken for the present.
        taken = self._take("base", "s") if not past else self._take("past")
        if taken is None:
            return False
        return self._put(taken[0], self._lasting("past" if past else "present", taken[1]), taken[1])
