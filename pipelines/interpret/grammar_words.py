"""What small words do where speech is cut: tables for nine languages.

A word that is in no table is a word of content: a noun, a verb, an adjective. The tables need
no more than the words between those: they are few, frequent, and the same in any talk.
"""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    """What a word is, as far as it matters for where speech may be cut."""

    CONTENT = auto()
    DETERMINER = auto()
    PREPOSITION = auto()
    OF = auto()
    """A preposition that ties two nouns: "the price of the house"."""
    COORDINATOR = auto()
    SUBORDINATOR = auto()
    """Begins a clause that hangs on another one; relative pronouns, too."""
    PRONOUN = auto()
    """A subject: a clause begins with it."""
    CLITIC = auto()
    """Stands before its verb: "le", "lo", "me"."""
    AUXILIARY = auto()
    NEGATION = auto()
    """Says "not" about what follows."""
    DEGREE = auto()
    """Belongs to what follows: "very", "plus", "sehr"."""
    CLINGING = auto()
    """Belongs to what is before: "him", "up", "ago", "pas"."""
    ADVERB = auto()
    """Stands by itself: "today", "peut-être"."""
    TITLE = auto()
    NUMBER = auto()
    UNIT = auto()
    MONTH = auto()


_TABLES: dict[str, dict[Kind, str]] = {
    "en": {
        Kind.DETERMINER: "the a an this these those my your his our their its every each some any"
        " another both which whose what such all several many few most other her",
        Kind.PREPOSITION: "in on at by for with from into about after before through between"
        " under against during without within since until till towards toward upon among"
        " across behind beyond near above below around along despite except like per via to"
        " onto inside outside beside besides over",
        Kind.OF: "of than to",
        Kind.COORDINATOR: "and or but nor so yet",
        Kind.SUBORDINATOR: "because that who whom when while if although though unless whereas"
        " where why how whether once as",
        Kind.PRONOUN: "i he she we they there",
        Kind.AUXILIARY: "am is are was were be been being have has had having do does did will"
        " would shall should can could may might must cannot gonna wanna let let's dont"
        " doesnt didnt",
        Kind.NEGATION: "not never no neither hardly scarcely",
        Kind.DEGREE: "very too quite rather really so more less just only even almost nearly"
        " about first last next always often also still already ever usually probably"
        " actually",
        Kind.CLINGING: "me him us them it you up off away back ago else enough either myself"
        " himself herself itself ourselves themselves yourself mine yours ours theirs",
        Kind.ADVERB: "today tomorrow yesterday tonight now then soon later again perhaps maybe"
        " here however therefore finally please together",
        Kind.TITLE: "mr mrs ms miss dr doctor professor prof president minister sir lady saint st"
        " captain general king queen pope",
        Kind.MONTH: "january february march april june july august september october november"
        " december",
        Kind.UNIT: "percent per cent euro euros dollar dollars pound pounds cent cents kilometer"
        " kilometers kilometre kilometres meter meters metre metres kilo kilos kilogram"
        " kilograms gram grams liter liters litre litres mile miles hour hours minute"
        " minutes second seconds day days week weeks month months year years degree degrees"
        " o'clock oclock am pm people",
        Kind.NUMBER: "zero one two three four five six seven eight nine ten eleven twelve"
        " thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty"
        " fifty sixty seventy eighty ninety hundred thousand million billion trillion point"
        " half dozen third",
    },
    "fr": {
        Kind.DETERMINER: "le la les un une ce cet cette ces mon ma mes ton ta tes son sa ses"
        " notre nos votre vos leur leurs chaque plusieurs quelques quel quelle quels quelles"
        " tout toute tous toutes aucun aucune l",
        Kind.PREPOSITION: "à dans en sur sous avec sans pour par chez entre vers contre depuis"
        " pendant avant après devant derrière jusque jusqu malgré selon parmi hors près loin"
        " autour au aux",
        Kind.OF: "de du des d",
        Kind.COORDINATOR: "et ou mais donc or ni car",
        Kind.SUBORDINATOR: "que qu qui dont où quand lorsque lorsqu puisque puisqu comme si s"
        " parce quoique quoiqu tandis alors afin",
        Kind.PRONOUN: "je j tu il elle on ils elles nous vous c ça ceci cela",
        Kind.CLITIC: "me te se m t lui y",
        Kind.AUXILIARY: "ai as a avons avez ont avais avait avaient avions aurai aura auront"
        " aurait suis es est sommes êtes sont étais était étaient étions sera seront serait"
        " seraient été être avoir peut peux peuvent pouvons pouvez pourrait doit dois"
        " doivent devons devez devrait veut veux veulent voulons voulez vais vas va allons"
        " allez vont faut",
        Kind.NEGATION: "ne n non",
        Kind.DEGREE: "très trop plus moins assez aussi bien toujours encore déjà souvent vraiment"
        " presque même tellement",
        Kind.CLINGING: "pas jamais rien guère moi toi eux là ci",
        Kind.ADVERB: "aujourd'hui demain hier maintenant ensuite puis peut-être ici bientôt enfin"
        " ensemble cependant pourtant",
        Kind.TITLE: "m mme monsieur madame mademoiselle mlle docteur dr professeur maître"
        " président présidente ministre saint sainte général",
        Kind.MONTH: "janvier février mars avril mai juin juillet août septembre octobre novembre"
        " décembre",
        Kind.UNIT: "pour-cent pourcent euro euros dollar dollars franc francs centime centimes"
        " kilomètre kilomètres mètre mètres kilo kilos gramme grammes litre litres heure"
        " heures minute minutes seconde secondes jour jours semaine semaines mois an ans"
        " année années degré degrés personnes",
        Kind.NUMBER: "zéro deux trois quatre cinq six sept huit neuf dix onze douze treize"
        " quatorze quinze seize vingt vingts trente quarante cinquante soixante septante"
        " huitante octante nonante cent cents mille million millions milliard milliards"
        " virgule demi",
    },
    "es": {
        Kind.DETERMINER: "el la los las un una unos unas este esta estos estas ese esa esos esas"
        " aquel aquella mi mis tu tus su sus nuestro nuestra nuestros nuestras cada algún"
        " alguna algunos algunas varios varias otro otra otros otras todo toda todos todas"
        " qué cuál",
        Kind.PREPOSITION: "a en con sin por para sobre bajo entre hacia hasta desde contra"
        " durante según ante tras mediante al cerca lejos detrás delante debajo encima"
        " dentro alrededor",
        Kind.OF: "de del",
        Kind.COORDINATOR: "y e o u pero sino ni",
        Kind.SUBORDINATOR: "que quien quienes cuando donde porque si como aunque mientras pues"
        " cuyo cuya dónde cómo cuándo",
        Kind.PRONOUN: "yo tú él ella nosotros nosotras ellos ellas usted ustedes",
        Kind.CLITIC: "me te se lo le les nos os",
        Kind.AUXILIARY: "he has ha hemos habéis han había habían habrá habría haber hay soy eres"
        " es somos sois son era eran fue fueron será serán sería ser estoy estás está"
        " estamos estáis están estaba estaban estar voy vas va vamos vais van puedo puedes"
        " puede podemos pueden podría debo debe deben debería quiero quiere quieren tengo"
        " tiene tienen",
        Kind.NEGATION: "no nunca jamás tampoco",
        Kind.DEGREE: "muy más menos tan demasiado bastante también siempre ya casi solo sólo aún"
        " todavía",
        Kind.CLINGING: "nada nadie mí ti conmigo contigo",
        Kind.ADVERB: "hoy mañana ayer ahora luego después entonces aquí allí quizás pronto juntos",
        Kind.TITLE: "señor señora señorita sr sra don doña doctor doctora dr profesor profesora"
        " presidente presidenta ministro ministra san santa general",
        Kind.MONTH: "enero febrero marzo abril mayo junio julio agosto septiembre octubre"
        " noviembre diciembre",
        Kind.UNIT: "ciento euro euros dólar dólares peso pesos céntimo céntimos kilómetro"
        " kilómetros metro metros kilo kilos gramo gramos litro litros hora horas minuto"
        " minutos segundo segundos día días semana semanas mes meses año años grado grados"
        " personas",
        Kind.NUMBER: "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece"
        " catorce quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno"
        " veintidós veintitrés veinticuatro veinticinco treinta cuarenta cincuenta sesenta"
        " setenta ochenta noventa cien ciento doscientos trescientos cuatrocientos"
        " quinientos seiscientos setecientos ochocientos novecientos doscientas trescientas"
        " cuatrocientas quinientas seiscientas setecientas ochocientas novecientas mil"
        " millón millones coma medio",
    },
    "it": {
        Kind.DETERMINER: "il lo la i gli le un uno una questo questa questi queste quel quello"
        " quella quei quelle mio mia miei mie tuo tua suo sua suoi sue nostro nostra nostri"
        " nostre vostro vostra loro ogni qualche alcuni alcune tutto tutta tutti tutte altro"
        " altra altri altre quale quali l",
        Kind.PREPOSITION: "a in con su per tra fra da al allo alla ai agli alle nel nello nella"
        " nei negli nelle sul sullo sulla sui sugli sulle dal dallo dalla dai dagli dalle"
        " verso senza contro durante dopo prima sotto sopra fino presso vicino lontano"
        " davanti dietro accanto all nell sull dall",
        Kind.OF: "di del dello della dei degli delle dell d",
        Kind.COORDINATOR: "e ed o oppure ma però né",
        Kind.SUBORDINATOR: "che chi cui quando dove perché se come mentre anche benché siccome"
        " poiché quindi affinché dov com",
        Kind.PRONOUN: "io tu egli lui lei noi voi essi",
        Kind.CLITIC: "mi ti si ci vi ne m t s c",
        Kind.AUXILIARY: "ho hai ha abbiamo avete hanno avevo aveva avevano avrà avrebbe avere"
        " sono sei è siamo siete era erano sarà saranno sarebbe essere stato stata sto sta"
        " stanno posso puoi può possiamo potete possono potrebbe devo deve dobbiamo devono"
        " dovrebbe voglio vuole vogliamo vogliono vado va andiamo vanno",
        Kind.NEGATION: "non mai neanche nemmeno",
        Kind.DEGREE: "molto troppo più meno così abbastanza sempre già ancora quasi solo",
        Kind.CLINGING: "niente nulla me te",
        Kind.ADVERB: "oggi domani ieri adesso ora poi qui là forse presto insieme",
        Kind.TITLE: "signor signore signora signorina dottor dottore dottoressa dott professor"
        " professore professoressa presidente ministro ministra san santo santa generale",
        Kind.MONTH: "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre"
        " novembre dicembre",
        Kind.UNIT: "percento euro dollaro dollari centesimo centesimi chilometro chilometri metro"
        " metri chilo chili grammo grammi litro litri ora ore minuto minuti secondo secondi"
        " giorno giorni settimana settimane mese mesi anno anni grado gradi persone",
        Kind.NUMBER: "zero due tre quattro cinque sei sette otto nove dieci undici dodici tredici"
        " quattordici quindici sedici diciassette diciotto diciannove venti trenta quaranta"
        " cinquanta sessanta settanta ottanta novanta cento duecento trecento mille mila"
        " milione milioni miliardo miliardi virgola mezzo",
    },
    "pt": {
        Kind.DETERMINER: "o a os as um uma uns umas este esta estes estas esse essa esses essas"
        " aquele aquela meu minha meus minhas teu tua seu sua seus suas nosso nossa nossos"
        " nossas cada algum alguma alguns algumas vários várias outro outra outros outras"
        " todo toda todos todas qual quais",
        Kind.PREPOSITION: "em no na nos nas com sem por pelo pela pelos pelas para sobre sob"
        " entre até desde contra durante após ante perto longe atrás dentro acima abaixo ao"
        " aos à às num numa",
        Kind.OF: "de do da dos das",
        Kind.COORDINATOR: "e ou mas nem",
        Kind.SUBORDINATOR: "que quem quando onde porque se como embora enquanto pois cujo cuja"
        " porém",
        Kind.PRONOUN: "eu tu ele ela nós vós eles elas você vocês",
        Kind.CLITIC: "me te lhe lhes",
        Kind.AUXILIARY: "tenho tem temos têm tinha tinham terá teria ter hei há havia haver sou"
        " és é somos são era eram foi foram será serão seria ser estou está estamos estão"
        " estava estavam estar vou vai vamos vão posso pode podemos podem poderia devo deve"
        " devem deveria quero quer querem",
        Kind.NEGATION: "não nunca jamais tampouco",
        Kind.DEGREE: "muito mais menos tão demasiado bastante também sempre já quase só ainda",
        Kind.CLINGING: "nada ninguém mim ti comigo contigo",
        Kind.ADVERB: "hoje amanhã ontem agora depois então aqui ali lá talvez logo juntos",
        Kind.TITLE: "senhor senhora sr sra dom dona doutor doutora dr professor professora"
        " presidente ministro ministra são santa general",
        Kind.MONTH: "janeiro fevereiro março abril maio junho julho agosto setembro outubro"
        " novembro dezembro",
        Kind.UNIT: "cento euro euros dólar dólares real reais cêntimo cêntimos centavo centavos"
        " quilómetro quilómetros quilômetro quilômetros metro metros quilo quilos grama"
        " gramas litro litros hora horas minuto minutos segundo segundos dia dias semana"
        " semanas mês meses ano anos grau graus pessoas",
        Kind.NUMBER: "zero dois duas três quatro cinco seis sete oito nove dez onze doze treze"
        " catorze quatorze quinze dezasseis dezesseis dezassete dezessete dezoito dezanove"
        " dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem"
        " cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos"
        " novecentos duzentas trezentas quatrocentas quinhentas seiscentas setecentas"
        " oitocentas novecentas mil milhão milhões vírgula meio",
    },
    "de": {
        Kind.DETERMINER: "der die das den dem des ein eine einen einem einer eines dieser diese"
        " dieses diesen diesem mein meine meinen meinem meiner dein deine deinen seine"
        " seinen seinem seiner sein ihre ihren ihrem ihrer unser unsere unseren unserem euer"
        " eure kein keine keinen keinem keiner jeder jede jedes jeden jedem alle allen viele"
        " vielen einige mehrere welche welcher welches",
        Kind.PREPOSITION: "in im an am auf aus bei beim mit nach seit von vom zu zum zur für"
        " durch gegen ohne um über unter vor hinter neben zwischen wegen trotz bis ins ans"
        " aufs",
        Kind.COORDINATOR: "und oder aber denn sondern",
        Kind.SUBORDINATOR: "dass daß weil wenn ob obwohl als damit nachdem bevor während sobald"
        " falls sodass solange wo warum wie",
        Kind.PRONOUN: "ich er wir man du ihr sie es",
        Kind.CLITIC: "mich dich sich uns euch mir dir ihm ihn ihnen",
        Kind.AUXILIARY: "habe hast hat haben habt hatte hatten bin bist ist sind seid war waren"
        " wird werden werde wirst wurde wurden kann kannst können könnt konnte konnten"
        " könnte muss musst müssen müsst musste mussten will willst wollen wollt wollte"
        " wollten soll sollst sollen sollte sollten darf darfst dürfen durfte möchte möchten"
        " möchtest würde würden worden geworden hätte hätten wäre wären",
        Kind.NEGATION: "nicht nie niemals",
        Kind.DEGREE: "sehr zu so ganz mehr weniger schon noch auch nur immer oft wirklich fast",
        Kind.CLINGING: "nichts",
        Kind.ADVERB: "heute morgen gestern jetzt dann bald später wieder vielleicht hier dort"
        " zusammen",
        Kind.TITLE: "herr herrn frau doktor dr professor prof präsident präsidentin minister"
        " ministerin kanzler sankt general",
        Kind.MONTH: "januar februar märz april mai juni juli august september oktober november"
        " dezember",
        Kind.UNIT: "prozent euro dollar cent kilometer meter kilo gramm liter stunde stunden uhr"
        " minute minuten sekunde sekunden tag tage tagen woche wochen monat monate monaten"
        " jahr jahre jahren grad leute personen",
        Kind.NUMBER: "null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf"
        " dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig dreißig"
        " vierzig fünfzig sechzig siebzig achtzig neunzig hundert zweihundert dreihundert"
        " tausend million millionen milliarde milliarden komma halb",
    },
    "nl": {
        Kind.DETERMINER: "de het een deze dit die dat mijn jouw uw zijn haar onze ons hun elke"
        " elk ieder iedere alle veel enkele sommige geen welke welk",
        Kind.PREPOSITION: "in aan op uit bij met na naar sinds van voor door tegen zonder om over"
        " onder achter naast tussen wegens tot te",
        Kind.COORDINATOR: "en of maar want",
        Kind.SUBORDINATOR: "omdat als wanneer terwijl hoewel nadat voordat zodat zodra toen"
        " doordat waar waarom hoe",
        Kind.PRONOUN: "ik hij zij wij we ze men jij je jullie",
        Kind.CLITIC: "mij me jou hem hen zich",
        Kind.AUXILIARY: "heb hebt heeft hebben had hadden ben bent is was waren word wordt worden"
        " werd werden kan kunt kunnen kon konden moet moeten moest wil wilt willen wilde zal"
        " zullen zou zouden mag mogen",
        Kind.NEGATION: "niet nooit",
        Kind.DEGREE: "heel erg zeer te zo meer minder al nog ook alleen altijd vaak echt bijna",
        Kind.CLINGING: "niets",
        Kind.ADVERB: "vandaag morgen gisteren nu dan straks later weer misschien hier daar samen",
        Kind.TITLE: "meneer mevrouw dhr mevr dokter dr professor prof president minister sint"
        " generaal koning koningin",
        Kind.MONTH: "januari februari maart april mei juni juli augustus september oktober"
        " november december",
        Kind.UNIT: "procent euro dollar cent kilometer meter kilo gram liter uur minuut minuten"
        " seconde seconden dag dagen week weken maand maanden jaar jaren graden mensen"
        " personen",
        Kind.NUMBER: "nul één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien"
        " veertien vijftien zestien zeventien achttien negentien twintig dertig veertig"
        " vijftig zestig zeventig tachtig negentig honderd tweehonderd duizend miljoen"
        " miljard komma half",
    },
    "hi": {
        Kind.DETERMINER: "यह ये वह वे इस उस इन उन मेरा मेरी मेरे हमारा हमारी हमारे एक कोई कुछ हर",
        Kind.CLINGING: "का की के को ने से में पर तक है हैं था थे थी थीं हूँ हूं गा गे गी भी ही"
        " वाला वाली वाले साथ लिए बाद",
        Kind.COORDINATOR: "और या लेकिन मगर पर",
        Kind.SUBORDINATOR: "कि क्योंकि जब अगर यदि ताकि हालांकि हालाँकि जो जिस जिसे जिसने जहाँ तो इसलिए",
        Kind.PRONOUN: "मैं हम आप तुम",
        Kind.NEGATION: "नहीं न मत",
        Kind.DEGREE: "बहुत ज़्यादा ज्यादा सबसे",
        Kind.ADVERB: "आज कल अब यहाँ वहाँ शायद",
        Kind.TITLE: "श्री श्रीमती डॉक्टर डॉ प्रोफ़ेसर",
        Kind.MONTH: "जनवरी फ़रवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
        Kind.UNIT: "रुपये रुपए प्रतिशत किलोमीटर मीटर किलो लीटर घंटे मिनट दिन हफ़्ते महीने साल लोग",
        Kind.NUMBER: "शून्य दो तीन चार पाँच पांच छह सात आठ नौ दस बीस तीस चालीस पचास साठ सत्तर"
        " अस्सी नब्बे सौ हज़ार हजार लाख करोड़",
    },
    "ar": {
        Kind.DETERMINER: "هذا هذه هؤلاء ذلك تلك كل بعض أي",
        Kind.PREPOSITION: "في من إلى على عن مع بين حتى منذ عند تحت فوق قبل بعد أمام خلف بدون خلال",
        Kind.COORDINATOR: "و أو لكن بل ثم",
        Kind.SUBORDINATOR: "أن إن لأن الذي التي الذين عندما حيث إذا لو كما بينما كي لكي ولكن رغم",
        Kind.PRONOUN: "أنا هو هي نحن هم أنت أنتم",
        Kind.AUXILIARY: "كان كانت كنت كنا كانوا يكون سوف قد لقد",
        Kind.DEGREE: "أكثر أقل",
        Kind.NEGATION: "لا لم لن ليس ليست ما غير",
        Kind.ADVERB: "اليوم غدا أمس الآن هنا هناك ربما",
        Kind.TITLE: "السيد السيدة الدكتور الدكتورة الأستاذ الرئيس الشيخ",
        Kind.MONTH: "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
        Kind.UNIT: "يورو دولار درهم ريال جنيه كيلومتر متر كيلو لتر ساعة ساعات دقيقة دقائق يوم"
        " أيام أسبوع شهر سنة سنوات عام شخص أشخاص بالمئة",
        Kind.NUMBER: "صفر واحد اثنان اثنين ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة عشر عشرون"
        " عشرين ثلاثون ثلاثين أربعون خمسون مئة مائة مئتان مئتين ثلاثمئة أربعمئة خمسمئة ستمئة"
        " سبعمئة ثمانمئة تسعمئة ألفين مليونان مليونين ملايين ألف آلاف مليون",
    },
}


def _kinds(table: dict[Kind, str]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for kind, words in table.items():
        for word in words.split():
            found.setdefault(word, kind)  # a word that is two things is what was named first
    return found


KINDS: dict[str, dict[str, Kind]] = {code: _kinds(table) for code, table in _TABLES.items()}
"""What the small words of a language are, by its code; without marks, in lower case."""

ABBREVIATIONS = frozenset(
    "mr mrs ms dr st prof vs approx dept mme mlle sr sra bzw usw ca z.b e.g i.e p.ex no nr tel"
    " dott sig jr inc ltd dhr mevr bijv bv resp evtl ggf d.h u.a".split()
)
"""What a full stop follows without an end of a sentence."""

VERB_LAST = frozenset({"de", "nl", "hi"})
"""Languages whose clauses may end with the verb."""

SEPARABLE = frozenset(
    "ab an auf aus bei ein fest her hin los mit nach statt teil um vor vorbei weg weiter zu"
    " zurück zusammen op af aan uit in mee terug weg door over na voor toe".split()
)
"""Prefixes that part from their verb and end the clause, in German and Dutch."""


def _german(stem: str) -> list[str]:
    return [stem + ending for ending in ("e", "st", "t", "en", "te", "ten", "et", "ete", "eten")]


_GERMAN_STEMS = (
    "mach sag frag glaub denk wohn arbeit kauf verkauf spiel leb lieb lern such hör zahl zeig"
    " brauch stell leg setz reis wart red antwort öffn schick bestell bezahl besuch erklär erzähl"
    " versuch hoff freu meld führ folg fühl gehör hol koch kümmer pass plan rechn reich schau"
    " sammel dank erreich bau bedeut benutz beweg bild biet brat brems buch dien dreh drück duld"
    " ehr erhol erinner ernähr feier fehl fürcht gründ grüß handel heil heirat kämpf klag kleb"
    " klingel kost küss lach lad leist lenk lös mal merk miet misch mäh nutz näh ordn pack park"
    " pfleg pflanz prüf putz rauch räum reinig reparier rett richt sicher sorg spar sperr spür"
    " start steiger streich studier tanz tausch teil telefonier träum trenn trockn üb wander wasch"
    " wechsel weck wein wirk wünsch zerstör zweifel zähl gewöhn ändert kontrollier organisier"
    " probier interessier diskutier notier servier storn lieb änder wiederhol unterricht vermiet"
    " verdien verpass versteck verwend entdeck entwickel entschuldig beantwort begrüß behandel"
    " beobacht berat bemerk beschäftig leit wieg übersetz erwart betracht funktionier gelang"
)
_GERMAN_FORMS = (
    "geht gehe gehst gehen ging gingen kommt komme kommst kommen kam kamen sieht sehe siehst sehen"
    " sah sahen gibt gebe gibst geben gab gaben nimmt nehme nimmst nehmen nahm nahmen findet finde"
    " findest finden fand fanden weiß weißt wissen wusste wussten spricht spreche sprichst sprechen"
    " sprach sprachen liest lese lesen las lasen schreibt schreibe schreibst schreiben schrieb"
    " schrieben trifft treffe treffen traf trafen hilft helfe hilfst helfen half halfen fährt fahre"
    " fährst fahren fuhr fuhren läuft laufe laufen lief liefen isst esse essen aß trinkt trinke"
    " trinken trank schläft schlafe schlafen schlief steht stehe stehen stand standen liegt liege"
    " liegen lag lagen sitzt sitze sitzen saß saßen bleibt bleibe bleiben blieb blieben beginnt"
    " beginnen begann versteht verstehe verstehen verstand kennt kenne kennst kennen kannte denkt"
    " dachte dachten bringt bringe bringen brachte heißt heiße heißen hieß tut tue tun tat lässt"
    " lasse lassen ließ hält halte halten hielt fällt fallen fiel zieht ziehen zog ruft rufe rufen"
    " rief verliert verlieren verlor gewinnt gewinnen gewann schließt schließen schloss vergisst"
    " vergessen vergaß"
)
_DUTCH_FORMS = (
    "ga gaat gaan ging gingen kom komt komen kwam kwamen zie ziet zien zag zagen geef geeft geven"
    " gaf gaven neem neemt nemen nam vind vindt vinden vond weet weten wist spreek spreekt spreken"
    " sprak lees leest lezen las schrijf schrijft schrijven schreef help helpt helpen hielp koop"
    " koopt kopen kocht verkoopt verkopen maak maakt maken maakte zeg zegt zeggen zei vraag vraagt"
    " vragen vroeg denk denkt denken dacht woon woont wonen woonde werk werkt werken werkte speel"
    " speelt spelen speelde blijf blijft blijven bleef sta staat staan stond lig ligt liggen lag"
    " zit zitten zat begint beginnen begon begrijp begrijpt begrijpen begreep ken kent kennen kende"
    " breng brengt brengen bracht laat laten liet houd houdt houden hield bel belt bellen belde"
    " rijd rijdt rijden reed eet eten at drink drinkt drinken dronk slaap slaapt slapen sliep"
)
VERBS = {
    "de": frozenset(_GERMAN_FORMS.split())
    | {form for stem in _GERMAN_STEMS.split() for form in _german(stem)},
    "nl": frozenset(_DUTCH_FORMS.split()),
}
"""Frequent verbs of languages whose clauses end with them: what tells the end of a clause to who
hears no commas."""
