"""Sentences as they are said, in the nine languages: what the telling of languages is judged by.

Written for this, and not looked at when its tables were made: talk of calls, journeys, lectures and
everyday life, with names and loan words in them.
"""

SENTENCES = {
    "en": """
        I think we should wait until everybody has arrived.
        Could you tell me where the nearest pharmacy is?
        The second experiment gave us a completely different result.
        She moved to Berlin three years ago and never came back.
        We have run out of milk again.
        Let me show you how this machine works.
        My brother plays the guitar in a small band.
        There was nothing on the table except an old newspaper.
        Nobody told him that the meeting had been cancelled.
        If it rains tomorrow, we will stay at home.
        The train from Paris was almost an hour late.
        He did not answer when I called him.
        Most people prefer coffee in the morning.
        You can leave your bags at the reception.
        What happened to the other half of the cake?
        This bridge was built in the nineteenth century.
        I would rather talk about it later.
        Prices have gone up by about ten percent.
        Our daughter starts school in September.
        That is exactly what I was going to say.
        How long does it take to walk there?
        They sold their house and bought a boat.
        Please turn left at the traffic light.
        Some of these pictures are older than my grandmother.
        We need a better plan before Friday.
        The doctor said everything looked fine.
        Why don't you sit down for a moment?
        It was the coldest winter anyone could remember.
        The key is under the flower pot by the door.
        Many thanks for your help with the boxes.
        I forgot to bring my glasses.
        Next week we will look at the second chapter.
        Her voice sounded tired on the phone.
        Can I get the bill, please?
        Half of the students failed the exam.
        Your parcel will be delivered between nine and eleven.
        He has been working here since last summer.
        These shoes are too small for me.
        Everything depends on the weather.
        Do you remember the name of that restaurant?
    """,
    "fr": """
        Je pense qu'il vaut mieux attendre que tout le monde soit là.
        Pourriez-vous me dire où se trouve la pharmacie la plus proche ?
        La deuxième expérience a donné un résultat complètement différent.
        Elle est partie à Berlin il y a trois ans et n'est jamais revenue.
        Nous n'avons plus de lait.
        Laissez-moi vous montrer comment marche cette machine.
        Mon frère joue de la guitare dans un petit groupe.
        Il n'y avait rien sur la table à part un vieux journal.
        Personne ne lui a dit que la réunion était annulée.
        S'il pleut demain, on restera à la maison.
        Le train de Paris avait presque une heure de retard.
        Il n'a pas répondu quand je l'ai appelé.
        La plupart des gens préfèrent le café le matin.
        Vous pouvez laisser vos bagages à la réception.
        Qu'est devenue l'autre moitié du gâteau ?
        Ce pont a été construit au dix-neuvième siècle.
        J'aimerais mieux en parler plus tard.
        Les prix ont augmenté d'environ dix pour cent.
        Notre fille entre à l'école en septembre.
        C'est exactement ce que j'allais dire.
        Combien de temps faut-il pour y aller à pied ?
        Ils ont vendu leur maison et acheté un bateau.
        Tournez à gauche au feu, s'il vous plaît.
        Certaines de ces photos sont plus vieilles que ma grand-mère.
        Il nous faut un meilleur plan avant vendredi.
        Le médecin a dit que tout allait bien.
        Asseyez-vous donc un instant.
        C'était l'hiver le plus froid dont on se souvienne.
        La clé est sous le pot de fleurs près de la porte.
        Merci beaucoup de votre aide pour les cartons.
        J'ai oublié d'apporter mes lunettes.
        La semaine prochaine, nous verrons le deuxième chapitre.
        Sa voix semblait fatiguée au téléphone.
        L'addition, s'il vous plaît.
        La moitié des étudiants a raté l'examen.
        Votre colis sera livré entre neuf et onze heures.
        Il travaille ici depuis l'été dernier.
        Ces chaussures sont trop petites pour moi.
        Tout dépend de la météo.
        Tu te souviens du nom de ce restaurant ?
    """,
    "es": """
        Creo que deberíamos esperar a que lleguen todos.
        ¿Podría decirme dónde está la farmacia más cercana?
        El segundo experimento dio un resultado completamente distinto.
        Se mudó a Berlín hace tres años y nunca volvió.
        Nos hemos quedado otra vez sin leche.
        Déjeme enseñarle cómo funciona esta máquina.
        Mi hermano toca la guitarra en un grupo pequeño.
        No había nada en la mesa salvo un periódico viejo.
        Nadie le dijo que la reunión estaba cancelada.
        Si llueve mañana, nos quedaremos en casa.
        El tren de París llegó casi con una hora de retraso.
        No contestó cuando lo llamé.
        La mayoría de la gente prefiere café por la mañana.
        Puede dejar sus maletas en la recepción.
        ¿Qué pasó con la otra mitad del pastel?
        Este puente se construyó en el siglo diecinueve.
        Prefiero hablar de eso más tarde.
        Los precios han subido cerca de un diez por ciento.
        Nuestra hija empieza el colegio en septiembre.
        Eso es exactamente lo que iba a decir.
        ¿Cuánto se tarda en llegar andando?
        Vendieron su casa y compraron un barco.
        Gire a la izquierda en el semáforo, por favor.
        Algunas de estas fotos son más viejas que mi abuela.
        Necesitamos un plan mejor antes del viernes.
        El médico dijo que todo estaba bien.
        ¿Por qué no se sienta un momento?
        Fue el invierno más frío que se recuerda.
        La llave está debajo de la maceta junto a la puerta.
        Muchas gracias por ayudarme con las cajas.
        Se me olvidó traer las gafas.
        La semana que viene veremos el segundo capítulo.
        Su voz sonaba cansada por teléfono.
        La cuenta, por favor.
        La mitad de los estudiantes suspendió el examen.
        Su paquete se entregará entre las nueve y las once.
        Trabaja aquí desde el verano pasado.
        Estos zapatos me quedan demasiado pequeños.
        Todo depende del tiempo.
        ¿Te acuerdas del nombre de aquel restaurante?
    """,
    "pt": """
        Acho que devíamos esperar até que todos cheguem.
        Poderia me dizer onde fica a farmácia mais próxima?
        A segunda experiência deu um resultado completamente diferente.
        Ela mudou-se para Berlim há três anos e nunca mais voltou.
        Ficamos sem leite outra vez.
        Deixe-me mostrar como esta máquina funciona.
        O meu irmão toca guitarra numa banda pequena.
        Não havia nada na mesa além de um jornal velho.
        Ninguém lhe disse que a reunião tinha sido cancelada.
        Se chover amanhã, vamos ficar em casa.
        O comboio de Paris chegou com quase uma hora de atraso.
        Ele não respondeu quando eu liguei.
        A maioria das pessoas prefere café de manhã.
        Pode deixar as malas na recepção.
        O que aconteceu com a outra metade do bolo?
        Esta ponte foi construída no século dezenove.
        Prefiro falar sobre isso mais tarde.
        Os preços subiram cerca de dez por cento.
        A nossa filha começa a escola em setembro.
        É exatamente isso que eu ia dizer.
        Quanto tempo leva para ir a pé?
        Eles venderam a casa e compraram um barco.
        Vire à esquerda no semáforo, por favor.
        Algumas destas fotografias são mais velhas do que a minha avó.
        Precisamos de um plano melhor antes de sexta-feira.
        O médico disse que estava tudo bem.
        Por que não se senta um momento?
        Foi o inverno mais frio de que há memória.
        A chave está debaixo do vaso, ao lado da porta.
        Muito obrigado pela ajuda com as caixas.
        Esqueci-me de trazer os óculos.
        Na próxima semana vamos ver o segundo capítulo.
        A voz dela parecia cansada ao telefone.
        A conta, por favor.
        Metade dos alunos não passou no exame.
        A sua encomenda será entregue entre as nove e as onze.
        Ele trabalha aqui desde o verão passado.
        Estes sapatos são pequenos demais para mim.
        Tudo depende do tempo.
        Você se lembra do nome daquele restaurante?
    """,
    "it": """
        Penso che dovremmo aspettare che arrivino tutti.
        Mi saprebbe dire dov'è la farmacia più vicina?
        Il secondo esperimento ha dato un risultato completamente diverso.
        Si è trasferita a Berlino tre anni fa e non è più tornata.
        Abbiamo finito di nuovo il latte.
        Lasci che le mostri come funziona questa macchina.
        Mio fratello suona la chitarra in un piccolo gruppo.
        Non c'era niente sul tavolo tranne un vecchio giornale.
        Nessuno gli ha detto che la riunione era stata annullata.
        Se domani piove, resteremo a casa.
        Il treno da Parigi aveva quasi un'ora di ritardo.
        Non ha risposto quando l'ho chiamato.
        La maggior parte della gente preferisce il caffè la mattina.
        Potete lasciare i bagagli alla reception.
        Che fine ha fatto l'altra metà della torta?
        Questo ponte è stato costruito nel diciannovesimo secolo.
        Preferirei parlarne più tardi.
        I prezzi sono aumentati di circa il dieci per cento.
        Nostra figlia comincia la scuola a settembre.
        È proprio quello che stavo per dire.
        Quanto ci vuole per andarci a piedi?
        Hanno venduto la casa e comprato una barca.
        Giri a sinistra al semaforo, per favore.
        Alcune di queste foto sono più vecchie di mia nonna.
        Ci serve un piano migliore prima di venerdì.
        Il medico ha detto che andava tutto bene.
        Perché non si siede un momento?
        È stato l'inverno più freddo che si ricordi.
        La chiave è sotto il vaso vicino alla porta.
        Grazie mille per l'aiuto con gli scatoloni.
        Ho dimenticato di portare gli occhiali.
        La settimana prossima vedremo il secondo capitolo.
        La sua voce sembrava stanca al telefono.
        Il conto, per favore.
        Metà degli studenti non ha superato l'esame.
        Il suo pacco sarà consegnato tra le nove e le undici.
        Lavora qui dall'estate scorsa.
        Queste scarpe sono troppo piccole per me.
        Tutto dipende dal tempo.
        Ti ricordi il nome di quel ristorante?
    """,
    "de": """
        Ich glaube, wir sollten warten, bis alle da sind.
        Könnten Sie mir sagen, wo die nächste Apotheke ist?
        Der zweite Versuch ergab ein völlig anderes Ergebnis.
        Sie ist vor drei Jahren nach Berlin gezogen und nie zurückgekommen.
        Wir haben schon wieder keine Milch mehr.
        Lassen Sie mich Ihnen zeigen, wie diese Maschine funktioniert.
        Mein Bruder spielt Gitarre in einer kleinen Band.
        Auf dem Tisch lag nichts außer einer alten Zeitung.
        Niemand hat ihm gesagt, dass die Sitzung ausfällt.
        Wenn es morgen regnet, bleiben wir zu Hause.
        Der Zug aus Paris hatte fast eine Stunde Verspätung.
        Er ist nicht rangegangen, als ich anrief.
        Die meisten Leute trinken morgens lieber Kaffee.
        Ihr Gepäck können Sie an der Rezeption lassen.
        Was ist mit der anderen Hälfte vom Kuchen passiert?
        Diese Brücke wurde im neunzehnten Jahrhundert gebaut.
        Darüber würde ich lieber später sprechen.
        Die Preise sind um etwa zehn Prozent gestiegen.
        Unsere Tochter kommt im September in die Schule.
        Genau das wollte ich auch gerade sagen.
        Wie lange braucht man zu Fuß dorthin?
        Sie haben ihr Haus verkauft und ein Boot gekauft.
        Biegen Sie an der Ampel bitte links ab.
        Manche dieser Bilder sind älter als meine Großmutter.
        Vor Freitag brauchen wir einen besseren Plan.
        Der Arzt meinte, es sei alles in Ordnung.
        Warum setzen Sie sich nicht einen Moment?
        Es war der kälteste Winter seit Menschengedenken.
        Der Schlüssel liegt unter dem Blumentopf neben der Tür.
        Vielen Dank für die Hilfe mit den Kisten.
        Ich habe vergessen, meine Brille mitzubringen.
        Nächste Woche sehen wir uns das zweite Kapitel an.
        Ihre Stimme klang am Telefon müde.
        Die Rechnung, bitte.
        Die Hälfte der Studenten ist durchgefallen.
        Ihr Paket wird zwischen neun und elf Uhr geliefert.
        Er arbeitet seit letztem Sommer hier.
        Diese Schuhe sind mir zu klein.
        Alles hängt vom Wetter ab.
        Weißt du noch, wie das Restaurant hieß?
    """,
    "nl": """
        Ik denk dat we moeten wachten tot iedereen er is.
        Kunt u me zeggen waar de dichtstbijzijnde apotheek is?
        Het tweede experiment gaf een heel ander resultaat.
        Ze is drie jaar geleden naar Berlijn verhuisd en nooit teruggekomen.
        We hebben alweer geen melk meer.
        Laat me u tonen hoe deze machine werkt.
        Mijn broer speelt gitaar in een kleine band.
        Er lag niets op tafel behalve een oude krant.
        Niemand heeft hem verteld dat de vergadering niet doorging.
        Als het morgen regent, blijven we thuis.
        De trein uit Parijs had bijna een uur vertraging.
        Hij nam niet op toen ik belde.
        De meeste mensen drinken 's ochtends liever koffie.
        U kunt uw bagage bij de receptie laten staan.
        Wat is er met de andere helft van de taart gebeurd?
        Deze brug is in de negentiende eeuw gebouwd.
        Daar praat ik liever later over.
        De prijzen zijn met ongeveer tien procent gestegen.
        Onze dochter gaat in september naar school.
        Dat is precies wat ik wilde zeggen.
        Hoe lang is het lopen?
        Ze hebben hun huis verkocht en een boot gekocht.
        Ga bij het stoplicht naar links, alstublieft.
        Sommige van deze foto's zijn ouder dan mijn oma.
        Voor vrijdag hebben we een beter plan nodig.
        De dokter zei dat alles er goed uitzag.
        Waarom gaat u niet even zitten?
        Het was de koudste winter die men zich kon herinneren.
        De sleutel ligt onder de bloempot naast de deur.
        Heel erg bedankt voor je hulp met de dozen.
        Ik ben vergeten mijn bril mee te nemen.
        Volgende week kijken we naar het tweede hoofdstuk.
        Haar stem klonk moe aan de telefoon.
        De rekening, alstublieft.
        De helft van de studenten is gezakt voor het examen.
        Uw pakket wordt tussen negen en elf uur bezorgd.
        Hij werkt hier sinds vorige zomer.
        Deze schoenen zijn me te klein.
        Alles hangt af van het weer.
        Weet je nog hoe dat restaurant heette?
    """,
    "hi": """
        मुझे लगता है कि हमें सबके आने तक रुकना चाहिए।
        क्या आप बता सकते हैं कि सबसे पास की दवा की दुकान कहाँ है?
        दूसरे प्रयोग का नतीजा बिल्कुल अलग था।
        वह तीन साल पहले बर्लिन चली गई और कभी वापस नहीं आई।
        हमारा दूध फिर से ख़त्म हो गया।
        मैं आपको दिखाता हूँ कि यह मशीन कैसे चलती है।
        मेरा भाई एक छोटे बैंड में गिटार बजाता है।
        मेज़ पर एक पुराने अख़बार के सिवा कुछ नहीं था।
        किसी ने उसे नहीं बताया कि बैठक रद्द हो गई है।
        अगर कल बारिश हुई तो हम घर पर रहेंगे।
        पेरिस से आने वाली ट्रेन लगभग एक घंटा देर से आई।
        जब मैंने फ़ोन किया तो उसने जवाब नहीं दिया।
        ज़्यादातर लोग सुबह कॉफ़ी पसंद करते हैं।
        आप अपना सामान रिसेप्शन पर छोड़ सकते हैं।
        केक के दूसरे आधे हिस्से का क्या हुआ?
        यह पुल उन्नीसवीं सदी में बना था।
        मैं इस बारे में बाद में बात करना चाहूँगा।
        कीमतें क़रीब दस प्रतिशत बढ़ गई हैं।
        हमारी बेटी सितंबर में स्कूल जाने लगेगी।
        मैं भी ठीक यही कहने वाला था।
        वहाँ पैदल जाने में कितना समय लगता है?
        उन्होंने अपना घर बेचकर एक नाव ख़रीदी।
        कृपया बत्ती पर बाएँ मुड़िए।
        इनमें से कुछ तस्वीरें मेरी दादी से भी पुरानी हैं।
        शुक्रवार से पहले हमें बेहतर योजना चाहिए।
        डॉक्टर ने कहा कि सब कुछ ठीक है।
        आप एक पल के लिए बैठ क्यों नहीं जाते?
        यह अब तक की सबसे ठंडी सर्दी थी।
        चाबी दरवाज़े के पास गमले के नीचे है।
        मदद के लिए बहुत-बहुत धन्यवाद।
        मैं अपना चश्मा लाना भूल गया।
        अगले हफ़्ते हम दूसरा अध्याय देखेंगे।
        फ़ोन पर उसकी आवाज़ थकी हुई लग रही थी।
        कृपया बिल दे दीजिए।
        आधे छात्र परीक्षा में फ़ेल हो गए।
        आपका पार्सल नौ से ग्यारह बजे के बीच पहुँचेगा।
        वह पिछली गर्मियों से यहाँ काम कर रहा है।
        ये जूते मेरे लिए बहुत छोटे हैं।
        सब कुछ मौसम पर निर्भर करता है।
        क्या तुम्हें उस रेस्तराँ का नाम याद है?
    """,
    "ar": """
        أعتقد أنه يجب أن ننتظر حتى يصل الجميع.
        هل يمكنك أن تخبرني أين أقرب صيدلية؟
        أعطت التجربة الثانية نتيجة مختلفة تماما.
        انتقلت إلى برلين قبل ثلاث سنوات ولم تعد أبدا.
        لقد نفد الحليب مرة أخرى.
        دعني أريك كيف تعمل هذه الآلة.
        أخي يعزف على الغيتار في فرقة صغيرة.
        لم يكن على الطاولة شيء سوى جريدة قديمة.
        لم يخبره أحد أن الاجتماع قد ألغي.
        إذا أمطرت غدا فسنبقى في البيت.
        تأخر القطار القادم من باريس ساعة تقريبا.
        لم يرد عندما اتصلت به.
        معظم الناس يفضلون القهوة في الصباح.
        يمكنك ترك حقائبك في الاستقبال.
        ماذا حدث للنصف الآخر من الكعكة؟
        بني هذا الجسر في القرن التاسع عشر.
        أفضل أن أتحدث عن ذلك لاحقا.
        ارتفعت الأسعار بنحو عشرة بالمئة.
        تبدأ ابنتنا المدرسة في سبتمبر.
        هذا بالضبط ما كنت سأقوله.
        كم يستغرق الوصول إلى هناك مشيا؟
        باعوا منزلهم واشتروا قاربا.
        انعطف يسارا عند الإشارة من فضلك.
        بعض هذه الصور أقدم من جدتي.
        نحتاج إلى خطة أفضل قبل يوم الجمعة.
        قال الطبيب إن كل شيء على ما يرام.
        لماذا لا تجلس قليلا؟
        كان أبرد شتاء يتذكره أي شخص.
        المفتاح تحت أصيص الزهور بجانب الباب.
        شكرا جزيلا على مساعدتك.
        نسيت أن أحضر نظارتي.
        في الأسبوع القادم سنقرأ الفصل الثاني.
        بدا صوتها متعبا على الهاتف.
        الحساب من فضلك.
        رسب نصف الطلاب في الامتحان.
        سيصل طردك بين التاسعة والحادية عشرة.
        يعمل هنا منذ الصيف الماضي.
        هذا الحذاء صغير جدا علي.
        كل شيء يعتمد على الطقس.
        هل تتذكر اسم ذلك المطعم؟
    """,
}
"""At least forty of each, by code."""
SENTENCES = {
    code: [s.strip() for s in text.strip().splitlines()] for code, text in SENTENCES.items()
}
