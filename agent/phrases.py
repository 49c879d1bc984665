"""The few sentences that the framework itself speaks, in the languages Voxtral speaks."""

from __future__ import annotations

APOLOGY = {
    "en": "Sorry, something went wrong on my side. Could you say that again?",
    "fr": "Désolé, il y a eu un problème de mon côté. Pouvez-vous répéter ?",
    "es": "Perdón, algo ha fallado por mi parte. ¿Puede repetirlo?",
    "de": "Entschuldigung, bei mir ist etwas schiefgegangen. Können Sie das wiederholen?",
    "it": "Mi scusi, ho avuto un problema. Può ripetere?",
    "pt": "Desculpe, houve um problema do meu lado. Pode repetir?",
    "nl": "Sorry, er ging iets mis aan mijn kant. Kunt u dat herhalen?",
    "hi": "क्षमा करें, मेरी ओर से कुछ गड़बड़ हो गई। क्या आप दोहरा सकते हैं?",
    "ar": "عذرًا، حدث خطأ من جانبي. هل يمكنك إعادة ذلك؟",
}
"""Said when a model server failed; the call goes on."""

FAREWELL = {
    "en": "Sorry, there is a technical problem, and I have to end this call.",
    "fr": "Désolé, il y a un problème technique et je dois mettre fin à l'appel.",
    "es": "Perdón, hay un problema técnico y tengo que terminar la llamada.",
    "de": "Entschuldigung, es gibt ein technisches Problem, ich muss das Gespräch beenden.",
    "it": "Mi scusi, c'è un problema tecnico e devo chiudere la chiamata.",
    "pt": "Desculpe, há um problema técnico e preciso de encerrar a chamada.",
    "nl": "Sorry, er is een technisch probleem en ik moet dit gesprek beëindigen.",
    "hi": "क्षमा करें, एक तकनीकी समस्या है और मुझे यह कॉल समाप्त करनी होगी।",
    "ar": "عذرًا، هناك مشكلة تقنية ويجب أن أنهي هذه المكالمة.",
}
"""Said when a model server failed and the call ends."""


STILL_THERE = {
    "en": "Are you still there?",
    "fr": "Vous êtes toujours là ?",
    "es": "¿Sigue ahí?",
    "de": "Sind Sie noch da?",
    "it": "È ancora in linea?",
    "pt": "Ainda está aí?",
    "nl": "Bent u er nog?",
    "hi": "क्या आप अभी भी लाइन पर हैं?",
    "ar": "هل ما زلت معي؟",
}
"""Asked when nobody has said anything for long."""

ONE_MOMENT = {
    "en": "One moment, please.",
    "fr": "Un instant, s'il vous plaît.",
    "es": "Un momento, por favor.",
    "de": "Einen Moment, bitte.",
    "it": "Un momento, per favore.",
    "pt": "Um momento, por favor.",
    "nl": "Een moment, alstublieft.",
    "hi": "एक क्षण, कृपया।",
    "ar": "لحظة من فضلك.",
}
"""Said while a tool runs for long."""

GOODBYE = {
    "en": "I cannot hear you any more, so I will hang up now. Goodbye.",
    "fr": "Je ne vous entends plus, je vais donc raccrocher. Au revoir.",
    "es": "Ya no le oigo, así que voy a colgar. Adiós.",
    "de": "Ich höre Sie nicht mehr und lege jetzt auf. Auf Wiederhören.",
    "it": "Non la sento più, quindi chiudo la chiamata. Arrivederci.",
    "pt": "Já não o ouço, por isso vou desligar. Adeus.",
    "nl": "Ik hoor u niet meer, dus ik hang nu op. Tot ziens.",
    "hi": "मुझे आपकी आवाज़ नहीं आ रही है, इसलिए मैं फ़ोन रख रहा हूँ। नमस्ते।",
    "ar": "لم أعد أسمعك، لذلك سأنهي المكالمة الآن. مع السلامة.",
}
"""Said before the call ends because nobody was there."""

NOT_ANSWERED = {
    "en": "I'm sorry, I can't help with that. Is there anything else I can do for you?",
    "fr": "Je suis désolé, je ne peux pas vous aider sur ce point. Puis-je faire autre chose ?",
    "es": "Lo siento, en eso no puedo ayudarle. ¿Puedo hacer algo más por usted?",
    "de": "Dabei kann ich leider nicht helfen. Kann ich sonst etwas für Sie tun?",
    "it": "Mi dispiace, in questo non posso aiutarla. Posso fare altro per lei?",
    "pt": "Lamento, nisso não posso ajudar. Posso fazer mais alguma coisa por si?",
    "nl": "Het spijt me, daar kan ik niet mee helpen. Kan ik iets anders voor u doen?",
    "hi": "क्षमा करें, इसमें मैं मदद नहीं कर सकती। क्या मैं कुछ और कर सकती हूँ?",
    "ar": "عذرًا، لا أستطيع المساعدة في ذلك. هل يمكنني مساعدتك في شيء آخر؟",
}
"""Said where a check refuses what was heard, or what was about to be said."""


CONNECTING = {
    "en": "One moment, please. I am putting you through.",
    "fr": "Un instant, s'il vous plaît. Je vous mets en relation.",
    "es": "Un momento, por favor. Le paso la llamada.",
    "de": "Einen Moment, bitte. Ich verbinde Sie.",
    "it": "Un momento, per favore. La metto in comunicazione.",
    "pt": "Um momento, por favor. Vou passar a chamada.",
    "nl": "Een moment, alstublieft. Ik verbind u door.",
    "hi": "एक क्षण, कृपया। मैं आपकी बात करवाती हूँ।",
    "ar": "لحظة من فضلك. سأحوّل مكالمتك.",
}
"""Said before the caller waits for somebody who is called."""

TAKE_IT = {
    "en": "Do you take the call? Say yes or press one; say no or press two.",
    "fr": "Prenez-vous l'appel ? Dites oui ou tapez un ; dites non ou tapez deux.",
    "es": "¿Toma la llamada? Diga sí o pulse uno; diga no o pulse dos.",
    "de": "Nehmen Sie den Anruf an? Sagen Sie ja oder drücken Sie die eins; nein ist die zwei.",
    "it": "Prende la chiamata? Dica sì o prema uno; dica no o prema due.",
    "pt": "Atende a chamada? Diga sim ou prima um; diga não ou prima dois.",
    "nl": "Neemt u het gesprek aan? Zeg ja of druk op één; zeg nee of druk op twee.",
    "hi": "क्या आप कॉल लेंगे? हाँ कहें या एक दबाएँ; नहीं कहें या दो दबाएँ।",
    "ar": "هل تأخذ المكالمة؟ قل نعم أو اضغط واحد؛ قل لا أو اضغط اثنين.",
}
"""Asked of somebody who is to take a caller over."""

DISCLOSURE = {
    "en": "You are speaking with a machine, an artificial intelligence.",
    "fr": "Vous parlez avec une machine, une intelligence artificielle.",
    "es": "Está hablando con una máquina, una inteligencia artificial.",
    "de": "Sie sprechen mit einer Maschine, einer künstlichen Intelligenz.",
    "it": "Sta parlando con una macchina, un'intelligenza artificiale.",
    "pt": "Está a falar com uma máquina, uma inteligência artificial.",
    "nl": "U spreekt met een machine, een kunstmatige intelligentie.",
    "hi": "आप एक मशीन, एक कृत्रिम बुद्धिमत्ता से बात कर रहे हैं।",
    "ar": "أنت تتحدث مع آلة، وهي ذكاء اصطناعي.",
}
"""Said before anything else: many laws want callers to know."""

MAY_RECORD = {
    "en": "May this call be recorded? Say yes or press one; say no or press two.",
    "fr": "Cet appel peut-il être enregistré ? Dites oui ou tapez un ; dites non ou tapez deux.",
    "es": "¿Podemos grabar esta llamada? Diga sí o pulse uno; diga no o pulse dos.",
    "de": "Darf dieser Anruf aufgezeichnet werden? Sagen Sie ja oder eins, nein oder zwei.",
    "it": "Possiamo registrare questa chiamata? Dica sì o prema uno; dica no o prema due.",
    "pt": "Podemos gravar esta chamada? Diga sim ou prima um; diga não ou prima dois.",
    "nl": "Mag dit gesprek worden opgenomen? Zeg ja of druk op één; zeg nee of druk op twee.",
    "hi": "क्या यह कॉल रिकॉर्ड की जा सकती है? हाँ कहें या एक दबाएँ; नहीं कहें या दो दबाएँ।",
    "ar": "هل يمكن تسجيل هذه المكالمة؟ قل نعم أو اضغط واحد؛ قل لا أو اضغط اثنين.",
}
"""Asked before a call is recorded."""


def phrase(phrases: dict[str, str], language: str) -> str:
    """Return the sentence in a language ("fr" or "fr-CA"), in English where there is none."""
    return phrases.get(language.split("-", maxsplit=1)[0].lower(), phrases["en"])
