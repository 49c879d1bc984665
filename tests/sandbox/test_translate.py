"""The sandbox's translator: a phrase book, a dictionary and a grammar of rules."""

from __future__ import annotations

import random
import time

import pytest

from vivavoce.sandbox.dictionary import dictionary
from vivavoce.sandbox.phrasebook import phrasebook, phrases
from vivavoce.sandbox.translate import translate, translates
from vivavoce.sandbox.translate_forms import forms

RULES = [
    # articles, adjectives, plural
    ("He gave me the red book.", "Il m'a donné le livre rouge.", "Él me dio el libro rojo."),
    (
        "My friends bought a beautiful house near the sea.",
        "Mes amis ont acheté une belle maison près de la mer.",
        "Mis amigos compraron una casa hermosa cerca del mar.",
    ),
    (
        "The blue cars are faster than the old buses.",
        "Les voitures bleues sont plus rapides que les vieux bus.",
        "Los coches azules son más rápidos que los autobuses viejos.",
    ),
    ("He always drinks water.", "Il boit toujours de l'eau.", "Él siempre bebe agua."),
    ("John's car is broken.", "La voiture de John est cassée.", "El coche de John está roto."),
    # negation
    ("I can't find my keys.", "Je ne peux pas trouver mes clés.", "No puedo encontrar mis llaves."),
    ("She has never seen it.", "Elle ne l'a jamais vu.", "Ella nunca lo ha visto."),
    ("Don't forget your passport.", "N'oubliez pas votre passeport.", "No olvide su pasaporte."),
    # pronouns
    ("I give it to you.", "Je vous le donne.", "Se lo doy."),
    (
        "They didn't want to wait for us.",
        "Ils ne voulaient pas nous attendre.",
        "No querían esperarnos.",
    ),
    # tenses
    (
        "We are going to visit the museum tomorrow morning.",
        "Nous allons visiter le musée demain matin.",
        "Vamos a visitar el museo mañana por la mañana.",
    ),
    (
        "The children are playing in the garden.",
        "Les enfants jouent dans le jardin.",
        "Los niños están jugando en el jardín.",
    ),
    (
        "You should eat more vegetables.",
        "Vous devriez manger plus de légumes.",
        "Usted debería comer más verduras.",
    ),
    (
        "The letters were written by the president.",
        "Les lettres ont été écrites par le président.",
        "Las cartas fueron escritas por el presidente.",
    ),
    (
        "I have been waiting for two hours.",
        "J'attends depuis deux heures.",
        "Estoy esperando desde hace dos horas.",
    ),
    # contraction and elision
    (
        "I need the money of the boss.",
        "J'ai besoin de l'argent du patron.",
        "Necesito el dinero del jefe.",
    ),
    # questions
    ("Where is the old bridge?", "Où est le vieux pont ?", "¿Dónde está el puente viejo?"),
    (
        "What time does the museum open?",
        "À quelle heure est-ce que le musée ouvre ?",
        "¿A qué hora abre el museo?",
    ),
    ("Which train goes to London?", "Quel train va à Londres ?", "¿Qué tren va a Londres?"),
    # numbers, times, dates, money
    (
        "The train leaves at half past three.",
        "Le train part à trois heures et demie.",
        "El tren sale a las tres y media.",
    ),
    (
        "The meeting will start at 3 pm on March 3rd.",
        "La réunion commencera à 15 h le 3 mars.",
        "La reunión empezará a las 15:00 el 3 de marzo.",
    ),
    (
        "The ticket costs $1,234.50.",
        "Le billet coûte 1\u202f234,50 $.",
        "El billete cuesta 1234,50 $.",
    ),
    (
        "There are twenty-one students.",
        "Il y a vingt-et-un étudiants.",
        "Hay veintiún estudiantes.",
    ),
    # to be, to have
    ("I am thirty years old.", "J'ai trente ans.", "Tengo treinta años."),
    (
        "It is cold today, but I am not hungry.",
        "Il fait froid aujourd'hui, mais je n'ai pas faim.",
        "Hace frío hoy, pero no tengo hambre.",
    ),
    # clauses within clauses
    (
        "The woman who works at the bank told him that she was sick.",
        "La femme qui travaille à la banque lui a dit qu'elle était malade.",
        "La mujer que trabaja en el banco le dijo que ella estaba enferma.",
    ),
    (
        "Today I would like to speak about bread, which is the oldest food that people make.",
        (
            "Aujourd'hui je voudrais parler du pain, qui est la plus vieille nourriture que les"
            " personnes font."
        ),
        "Hoy quisiera hablar sobre pan, que es la comida más vieja que las personas hacen.",
    ),
    (
        "You need flour, water, salt and time.",
        "Vous avez besoin de farine, eau, sel et temps.",
        "Usted necesita harina, agua, sal y tiempo.",
    ),
    (
        "My flight was cancelled and I have to stay one more night.",
        "Mon vol a été annulé et je dois rester une nuit de plus.",
        "Mi vuelo fue cancelado y tengo que quedarme una noche más.",
    ),
    (
        "Let me show you a picture of the oven that my uncle built in 1985.",
        "Laissez-moi vous montrer une image du four que mon oncle a construit en 1985.",
        "Déjeme mostrarle una imagen del horno que mi tío construyó en 1985.",
    ),
    ("This isn't what I ordered.", "Ce n'est pas ce que j'ai commandé.", "Esto no es lo que pedí."),
    (
        "We have about ten minutes left.",
        "Nous avons environ dix minutes.",
        "Tenemos unos diez minutos.",
    ),
    (
        "I think we should wait until everybody has arrived.",
        "Je pense que nous devrions attendre jusqu'à ce que tout le monde est arrivé.",
        "Pienso que deberíamos esperar hasta que todo el mundo ha llegado.",
    ),
    (
        "She moved to Paris three years ago and never came back.",
        "Elle a déménagé à Paris il y a trois ans et n'est jamais revenue.",
        "Ella se mudó a París hace tres años y nunca volvió.",
    ),
    (
        "Please turn left at the bridge.",
        "S'il vous plaît tournez à gauche au pont.",
        "Por favor gire a la izquierda en el puente.",
    ),
    # what is in no book stays
    ("The zyzzyva is beautiful.", "Le zyzzyva est beau.", "El zyzzyva es hermoso."),
]


@pytest.mark.parametrize(("english", "french", "spanish"), RULES)
def test_sentences_by_rule(english, french, spanish):
    assert translate(english, "en", "fr") == french
    assert translate(english, "en", "es") == spanish


@pytest.mark.parametrize(
    ("text", "source", "english"),
    [
        ("Nous avons acheté une grande maison blanche.", "fr", "We bought a big white house."),
        ("Elle est allée en Espagne.", "fr", "She went to Spain."),
        ("Je ne sais pas où il habite.", "fr", "I do not know where he lives."),
        ("Il y a trois livres sur la table.", "fr", "There are three books on the table."),
        ("Avez-vous une chambre libre ?", "fr", "Do you have a free room?"),
        ("Je dois appeler mon médecin.", "fr", "I must call my doctor."),
        ("Nous arriverons demain à 9 h 30.", "fr", "We will arrive tomorrow at 9:30."),
        ("Le prix est 1 250,50 €.", "fr", "The price is 1250.50€."),
        ("Il pleut mais je n'ai pas froid.", "fr", "It rains but I am not cold."),
        ("Elle est partie il y a trois ans.", "fr", "She left three years ago."),
        ("Nous n'avons plus de lait.", "fr", "We no longer have milk."),
        ("El tren sale a las tres.", "es", "The train leaves at 3 o'clock."),
        ("Quisiera reservar una mesa.", "es", "I would like to book a table."),
        ("Tengo que llamar a mi médico.", "es", "I have to call my doctor."),
        ("¿Puede ayudarnos?", "es", "Can you help us?"),
        ("Me gusta el café.", "es", "I like coffee."),
        ("Los niños juegan en el jardín.", "es", "The children play in the garden."),
        ("No tengo tiempo para eso.", "es", "I do not have time for that."),
    ],
)
def test_the_way_back(text, source, english):
    assert translate(text, source, "en") == english


def test_phrases_come_whole_and_with_gaps_in_every_direction():
    for english, french, spanish in (
        ("How are you?", "Comment allez-vous ?", "¿Cómo está usted?"),
        ("My name is Anna Smith.", "Je m'appelle Anna Smith.", "Me llamo Anna Smith."),
    ):
        assert translate(english, "en", "fr") == french
        assert translate(english, "en", "es") == spanish
        assert translate(french, "fr", "en") == english
        assert translate(spanish, "es", "en") == english
        assert translate(french, "fr", "es") == spanish
    assert translate("How do I get to the museum?", "en", "fr") == "Comment aller au musée ?"
    assert (
        translate("Good morning, I have a reservation.", "en", "es")
        == "Buenos días, tengo una reserva."
    )


def test_every_phrase_comes_out_as_it_is_written():
    book = phrasebook("en", "fr")
    for english, french in book.whole.items():
        assert translate(english, "en", "fr").lower() == french.strip(" .!?¿¡").lower()


def test_a_piece_of_a_sentence_is_translated_as_a_piece():
    assert translate("and the old house", "en", "fr") == "et la vieille maison"
    assert translate("of the big hotel,", "en", "fr") == "du grand hôtel,"
    assert translate("because I was tired", "en", "es") == "porque estaba cansado"


def test_the_glossary_is_obeyed():
    terms = {"sourdough bread": "pain au levain", "Chez Marie": "", "turn-key": "clés en main"}
    said = translate("The sourdough bread of Chez Marie is very good.", "en", "fr", glossary=terms)
    assert said == "Le pain au levain de Chez Marie est très bon."
    assert translate(
        "Le pain au levain.", "fr", "en", glossary={"pain au levain": "sourdough"}
    ) == ("The sourdough.")


def test_brief_leaves_out_what_can_be_missed():
    long = (
        "Well, you know, I really think that, of course, the big house is very expensive, please."
    )
    brief = translate(long, "en", "fr", brief=True)
    assert brief == "Je pense que la grande maison est chère."
    assert len(brief) < 0.7 * len(translate(long, "en", "fr"))
    assert translate("Thank you very much.", "en", "fr", brief=True) == "Merci beaucoup."
    assert translate("It is not very good.", "en", "es", brief=True) == "No es muy bueno."


def test_the_books_are_as_large_as_they_are_said_to_be():
    english = {entry.english.lower() for entry in dictionary().entries}
    assert len(english) >= 2500
    assert phrases() >= 300


def test_no_entry_and_no_verb_form_fails():
    for entry in dictionary().entries[::7]:
        for sentence in _sentences(entry):
            for language in ("fr", "es"):
                said = translate(sentence, "en", language)
                assert said, sentence
                assert "\x01" not in said
                assert translate(said, language, "en"), said


def _sentences(entry):
    if entry.kind == "verb":
        verb = dictionary().verb
        yield f"They {verb(entry.english, 'past')}."
        yield f"She will not {entry.english}."
    elif entry.kind == "noun":
        yield f"The {dictionary().noun(entry.english, many=True)}?"
    elif entry.kind == "adjective":
        yield f"It is {entry.english}."


@pytest.mark.parametrize(
    "text", ["", " ", "...", "?!", "\ue000", "a" * 500, "'s", "¿", "“x” — (y)"]
)
def test_no_text_is_too_odd(text):
    for source, target in (("en", "fr"), ("en", "es"), ("fr", "en"), ("es", "en"), ("fr", "es")):
        translate(text, source, target)


_SMALL = {
    "en": "i you it we they the a my to of in on and but that who what where when how do does did is"
    " are was will would can could not have has had been going there me him us for with , ? 's more",
    "fr": "je il nous vous ils le la les un des de du à ne pas se me qui que où est a ont y en",
    "es": "yo usted el la los un una de a al no se me que donde es está hay le lo",
}


@pytest.mark.parametrize(
    ("source", "target"), [("en", "fr"), ("en", "es"), ("fr", "en"), ("es", "en")]
)
def test_words_in_no_order_come_to_an_end(source, target):
    dice = random.Random(7)
    known = [*(dictionary().readings if source == "en" else forms(source).meanings)]
    small = _SMALL[source].split()
    for _ in range(150):
        words = [
            dice.choice(small if dice.random() < 0.6 else known) for _ in range(dice.randint(1, 12))
        ]
        said = translate(" ".join(words) + dice.choice([".", "?"]), source, target)
        assert said
        assert "\x01" not in said


def test_other_languages_stay_as_they_are():
    assert not translates("en", "de")
    assert translate("Guten Tag.", "de", "en") == "Guten Tag."


def test_a_sentence_takes_well_under_five_milliseconds_of_work():
    translate("Hello.", "en", "fr")
    begun = time.thread_time()
    for english, *_ in RULES:
        translate(english, "en", "fr")
    assert (time.thread_time() - begun) / len(RULES) < 0.005
