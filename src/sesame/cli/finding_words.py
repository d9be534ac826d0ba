"""What was found of a card, in a sentence each: what it is, and what to do."""

from collections.abc import Mapping

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.reader.report import Finding, Kind


def finding_sentence(finding: Finding) -> str:
    """What was found, and what to do."""
    facts = dict(finding.facts)
    if "month" in facts:
        facts["month"] = month(str(facts["month"]))
    return say(FINDINGS[finding.kind]).format(**facts)


def month(written: str) -> str:
    """The yyyy-mm of reports as people write it."""
    year, _, number = written.partition("-")
    return f"{number}/{year}"


FINDINGS: Mapping[Kind, str] = {
    Kind.MUTE: N_(
        "La carte ne répond pas. Vérifiez son sens, la puce devant et vers le haut, et nettoyez "
        "la puce\u202f; si elle reste muette ailleurs aussi, demandez une autre carte."
    ),
    Kind.GONE: N_(
        "La carte a cessé de répondre. Laissez-la en place jusqu’à la fin, nettoyez la puce, et "
        "recommencez."
    ),
    Kind.CARD_BLOCKED: N_(
        "La carte entière est bloquée, ou ne sait pas ouvrir d’application par son nom (6A81). "
        "Seule sa banque peut la débloquer ou la remplacer."
    ),
    Kind.NO_APPLICATION: N_(
        "Aucune application que nos lecteurs connaissent\u00a0: ni codes (CAP, DPA), ni "
        "paiement. Ce n’est peut-être pas une carte de banque, ou ses applications ont d’autres "
        "noms."
    ),
    Kind.NO_CODE_APPLICATION: N_(
        "Pas d’application de codes (CAP ou DPA). Un code tiré de l’application de paiement ne "
        "vaut que pour une banque qui le prévoit\u202f; pour une vraie carte à codes, la banque "
        "personnalise l’application A0000000038002 ou A0000000048002."
    ),
    Kind.NO_DIRECTORY: N_(
        "La carte n’a pas de répertoire (PSE)\u00a0: un programme qui ne cherche que là n’y voit "
        "aucune application. Nos lecteurs s’en passent\u00a0: ils essaient les noms qu’ils "
        "connaissent."
    ),
    Kind.CONTACTLESS_DIRECTORY: N_(
        "Seul le répertoire sans contact (PPSE) répond\u00a0: la carte est sans doute posée sur un "
        "lecteur sans contact, où les applications de codes ne répondent pas. Insérez-la dans un "
        "lecteur à contacts."
    ),
    Kind.DIRECTORY_ORDER: N_(
        "Le répertoire ne nomme pas l’application de codes en dernier\u00a0: un programme qui "
        "prend la dernière (emvtool, par exemple) en ouvre une autre et échoue. Nos lecteurs "
        "essaient les noms qu’ils connaissent\u202f; à la banque de la mettre à la fin."
    ),
    Kind.ATR_MALFORMED: N_(
        "La réponse de la carte à la mise sous tension (ATR) ne se lit pas comme ISO/IEC 7816-3 "
        "le veut. La suite n’en dépend pas."
    ),
    Kind.DIRECTORY_MALFORMED: N_(
        "Le répertoire de la carte (PSE) ne se lit pas comme EMV le veut. Nos lecteurs s’en "
        "passent\u202f; à la banque de le corriger."
    ),
    Kind.RECORDING: N_(
        "C’est une session enregistrée\u00a0: ce qui n’y figure pas peut exister sur la carte."
    ),
    Kind.RECORDING_MADE_UP: N_(
        "La session n’enregistre que le cryptogramme\u00a0: le reste est supposé, d’après ce "
        "qu’elle dit du bitmap et des indicateurs."
    ),
    Kind.NOT_REPLAYED: N_(
        "La transaction n’est pas enregistrée, ou pas telle que notre lecteur la ferait. "
        "«\u00a0sesame trace\u00a0» dit ce qui diffère."
    ),
    Kind.LISTED_AND_ABSENT: N_(
        "L’application figure au répertoire, mais la carte ne l’ouvre pas (6A82). À la banque "
        "de corriger le répertoire."
    ),
    Kind.APPLICATION_BLOCKED: N_(
        "L’application est bloquée (6283). Seule la banque peut la débloquer, ou remplacer la "
        "carte."
    ),
    Kind.SELECT_REFUSED: N_(
        "La carte refuse d’ouvrir l’application ({sw}). Essayez dans un autre lecteur, puis "
        "adressez-vous à la banque."
    ),
    Kind.FCI_MALFORMED: N_(
        "Ce que l’application dit d’elle-même (FCI) n’est pas du TLV. Réessayez\u202f; si cela "
        "reste, la carte est à remplacer."
    ),
    Kind.NAME_DIFFERS: N_(
        "L’application qui s’ouvre porte un autre nom (84) que celui qui a été demandé. À la "
        "banque de personnaliser 84 avec l’AID entier."
    ),
    Kind.UNKNOWN_APPLICATION: N_(
        "Nos lecteurs ne cherchent pas cette application\u00a0: elle ne sert pas aux codes, ou "
        "sous un nom qui n’est pas public."
    ),
    Kind.UNKNOWN_WITH_BITMAP: N_(
        "Cette application a un bitmap (9F56)\u00a0: elle fait sans doute des codes, mais sous "
        "un nom que nos lecteurs ne cherchent pas. Signalez-nous son AID."
    ),
    Kind.OPTIONS_REFUSED: N_(
        "La carte refuse de commencer une transaction ({sw})\u00a0: son application est bloquée, "
        "ou son compteur est au bout. Adressez-vous à la banque."
    ),
    Kind.OPTIONS_MALFORMED: N_(
        "La carte commence une transaction sans dire quels enregistrements lire. À la banque de "
        "personnaliser 94, quatre octets par entrée."
    ),
    Kind.PDOL_MALFORMED: N_(
        "La liste que la carte demande avant une transaction (PDOL, 9F38) ne se lit pas ou ne "
        "tient pas dans une commande. À la banque de personnaliser 127 octets au plus."
    ),
    Kind.RECORDS_CLOSED: N_(
        "La carte ne donne pas ses enregistrements avant une transaction ({sw}). Avec "
        "--transaction, elle les donne\u00a0: cela compte un numéro de plus."
    ),
    Kind.RECORD_MALFORMED: N_(
        "Enregistrements (fichier.numéro) qui ne sont pas du TLV, et sont laissés de "
        "côté\u00a0: {records}. À la banque de les corriger."
    ),
    Kind.RECORD_MISSING: N_(
        "Enregistrements (fichier.numéro) qui manquent, alors que l’AFL (94) les "
        "annonce\u00a0: {records}. À la banque de faire concorder les deux."
    ),
    Kind.RECORD_NOT_NAMED: N_(
        "Enregistrements (fichier.numéro) que l’AFL (94) n’annonce pas\u00a0: {records}. Aucun "
        "lecteur ne les lit, et ce rapport n’en tient pas compte."
    ),
    Kind.CDOL_MISSING: N_(
        "La carte n’a pas de {name} ({tag})\u00a0: elle ne peut pas faire de cryptogramme. À la "
        "banque de le personnaliser."
    ),
    Kind.CDOL_MALFORMED: N_(
        "{name} ({tag}) n’est pas une liste d’étiquettes et de longueurs. À la banque de le "
        "personnaliser."
    ),
    Kind.CDOL_TOO_LONG: N_(
        "{name} ({tag}) demande plus de 255 octets, qu’une commande ne porte pas. À la banque "
        "de le raccourcir."
    ),
    Kind.CDOL1_ODD: N_(
        "CDOL1 ne commence pas par les huit éléments habituels\u00a0: la banque doit savoir dans "
        "quel ordre ils entrent dans le cryptogramme, et Sésame ne sait vérifier que l’ordre "
        "habituel."
    ),
    Kind.CDOL1_MORE: N_(
        "Octets que CDOL1 demande en plus des huit éléments habituels\u00a0: {bytes}. Le lecteur "
        "les donne\u202f; dans les recettes connues, ils n’entrent pas dans le cryptogramme."
    ),
    Kind.CDOL2_WITHOUT_ARC: N_(
        "CDOL2 ne demande pas le code de réponse (8A)\u00a0: la carte ne saura pas que la "
        "transaction est abandonnée. Le code n’en dépend pas."
    ),
    Kind.NO_CHALLENGE: N_(
        "CDOL1 ne demande pas les quatre octets du défi (9F37)\u00a0: ce qui est tapé pour "
        "«\u00a0Répondre\u00a0» n’entrerait pas dans le code. À la banque de l’ajouter."
    ),
    Kind.NO_AMOUNT: N_(
        "Les indicateurs (9F55) annoncent un montant, mais CDOL1 ne le demande pas en "
        "entier\u00a0: il n’entrerait pas dans la signature. À la banque d’accorder les deux."
    ),
    Kind.CVM_LIST_MISSING: N_(
        "La carte n’a pas de liste CVM (8E). Nos lecteurs demandent le code secret quand même."
    ),
    Kind.CVM_LIST_MALFORMED: N_(
        "La liste CVM (8E) n’a pas la forme voulue\u00a0: deux montants, puis deux octets par "
        "règle. Nos lecteurs demandent le code secret quand même."
    ),
    Kind.NO_PIN_RULE: N_(
        "Aucune règle CVM (8E) ne fait vérifier le code secret en clair par la carte. Nos "
        "lecteurs le demandent quand même\u202f; à la banque de personnaliser une règle 01 ou 03."
    ),
    Kind.NO_VERIFICATION: N_(
        "Les capacités (AIP, 82) n’annoncent pas de vérification du porteur\u00a0: un terminal de "
        "paiement ne demanderait pas le code secret. Nos lecteurs le demandent quand "
        "même\u202f; à la banque de mettre le bit 5 de l’octet 1."
    ),
    Kind.PAN_MISSING: N_(
        "La carte ne dit pas son numéro (5A). Le lecteur n’en a pas besoin\u202f; la banque doit "
        "le connaître pour vérifier."
    ),
    Kind.DATE_MALFORMED: N_(
        "Une date de la carte ne se lit pas. À la banque de personnaliser 5F24 et 5F25 en trois "
        "octets, AAMMJJ."
    ),
    Kind.EXPIRED: N_("La carte a expiré ({month}). Demandez-en une autre à la banque."),
    Kind.NOT_YET_VALID: N_(
        "La carte n’est pas encore valable ({month}). Attendez, ou vérifiez la date de cet "
        "ordinateur."
    ),
    Kind.BITMAP_MISSING: N_(
        "La carte n’a pas de bitmap (9F56), et le bitmap par défaut de son réseau n’est pas "
        "public\u00a0: aucun code n’en sort, avec aucun programme. À la banque de le "
        "personnaliser\u202f; nos profils connus pour cette application en ont "
        "un\u00a0: {profiles}."
    ),
    Kind.BITMAP_OF_VISA: N_(
        "La carte n’a pas de bitmap (9F56)\u00a0: les lecteurs prennent le leur, qui montre 8 "
        "bits du compteur, 16 du cryptogramme et 9 du CVR."
    ),
    Kind.BELGIAN_FUNCTION: N_(
        "Une application de paiement belge\u00a0: les lecteurs prennent toujours les mêmes bits "
        "et les mêlent autrement (fonction belge)."
    ),
    Kind.BITMAP_EMPTY: N_(
        "Le bitmap (9F56) ne prend aucun bit\u00a0: tous les codes seraient zéro. À la banque de "
        "personnaliser 16 à 26 bits."
    ),
    Kind.BITMAP_PAST_THE_DATA: N_(
        "Le bitmap (9F56) prend des bits au-delà des {sent} octets de la réponse\u00a0: chaque "
        "lecteur en ferait autre chose. À la banque de n’y mettre aucun bit."
    ),
    Kind.FEW_BITS: N_(
        "Bits que prend le bitmap (9F56)\u00a0: {bits}. C’est trop peu, un tel code se devine. À "
        "la banque d’en personnaliser 16 à 26."
    ),
    Kind.MANY_BITS: N_(
        "Le bitmap prend {bits} bits\u00a0: le code peut avoir jusqu’à {digits} chiffres, là où "
        "les banques en attendent 8. À la banque d’en personnaliser 26 au plus, ou d’accepter "
        "plus de chiffres."
    ),
    Kind.NO_ATC_BITS: N_(
        "Le bitmap (9F56) ne montre rien du compteur\u00a0: la banque ne peut pas distinguer les "
        "codes. À elle de personnaliser ses bits les plus bas."
    ),
    Kind.ATC_BITS_NOT_LOWEST: N_(
        "Le bitmap (9F56) montre d’autres bits du compteur que les plus bas\u00a0: la banque ne "
        "peut pas le rebâtir. À elle de personnaliser les plus bas."
    ),
    Kind.FEW_AC_BITS: N_(
        "Bits du cryptogramme que montre le bitmap (9F56)\u00a0: {bits}. C’est trop peu, un tel "
        "code se devine. À la banque d’en personnaliser 16 au moins."
    ),
    Kind.IAD_BITS: N_(
        "Le bitmap montre des bits de l’IAD ({bits})\u00a0: la banque y lit ce qu’elle ne peut "
        "pas prévoir. Un bit constant y serait perdu."
    ),
    Kind.PSN_BITS_MISSING: N_(
        "Les indicateurs (9F55) mettent le PSN devant la réponse, et le bitmap (9F56) n’en prend "
        "rien. À la banque d’effacer le bit 7, et le premier octet du bitmap."
    ),
    Kind.PSN_MISSING: N_(
        "Les indicateurs (9F55) veulent le PSN, et la carte n’en a pas. À la banque de "
        "personnaliser 5F34."
    ),
    Kind.IAF_MISSING: N_(
        "La carte n’a pas d’indicateurs (9F55), et certains programmes s’arrêtent là. Nos "
        "lecteurs font comme s’ils étaient 00, sans montant ni PSN."
    ),
    Kind.IAF_LONG: N_(
        "Les indicateurs (9F55) ont {bytes} octets\u00a0: les lecteurs ne regardent que le premier."
    ),
    Kind.IAF_RESERVED: N_(
        "Les indicateurs (9F55) ont des bits réservés (5 à 1). À la banque de les effacer."
    ),
    Kind.IAF_NO_AMOUNT: N_(
        "Les indicateurs (9F55) parlent d’un montant sans en demander. À la banque d’effacer le "
        "bit 6, ou de mettre aussi le bit 8."
    ),
    Kind.PIN_BLOCKED: N_(
        "Le code secret est bloqué\u00a0: il ne reste aucun essai. Seule la banque peut le "
        "débloquer\u202f; n’essayez plus."
    ),
    Kind.LAST_TRY: N_(
        "Il reste un seul essai du code secret\u00a0: un code faux bloque la carte. Un code "
        "juste rend tous les essais."
    ),
    Kind.TRIES_UNKNOWN: N_(
        "La carte ne dit pas combien d’essais du code secret il reste. Un lecteur prévient que "
        "c’est peut-être le dernier, et demande le code secret quand même."
    ),
    Kind.ATC_NEAR_ITS_END: N_(
        "Le compteur est à {atc} sur 65535. À la banque de remplacer la carte avant la fin."
    ),
    Kind.ATC_AT_ITS_END: N_(
        "Le compteur est au bout (65535)\u00a0: la carte ne fera plus rien. Demandez-en une "
        "autre à la banque."
    ),
    Kind.PIN_NOT_ASKED: N_(
        "Le code secret n’a pas été envoyé\u00a0: essais qui restent\u00a0: {tries}, ce qui "
        "n’était pas convenu. Recommencez en le sachant."
    ),
    Kind.WRONG_PIN: N_("Le code secret est faux. Essais qui restent\u00a0: {tries}."),
    Kind.VERIFY_REFUSED: N_(
        "La carte refuse de vérifier le code secret ({sw}). Elle n’accepte peut-être pas qu’il "
        "soit envoyé en clair."
    ),
    Kind.DECLINED: N_(
        "La carte refuse (AAC)\u00a0: un lecteur n’affiche pas de code, et la banque n’en "
        "accepterait pas. Le CVR ci-dessus dit ce qu’elle a vu\u202f; adressez-vous à la banque."
    ),
    Kind.APPROVED: N_(
        "La carte approuve seule (TC) là où elle devait demander à la banque\u00a0: aucune "
        "banque ne peut accepter ce code. À elle de corriger la carte."
    ),
    Kind.AC_REFUSED: N_(
        "La carte refuse le cryptogramme ({sw}). Réessayez\u202f; si cela reste, adressez-vous à "
        "la banque."
    ),
    Kind.AC_MALFORMED: N_(
        "La réponse de la carte n’est pas un cryptogramme qu’un lecteur sache lire. "
        "Réessayez\u202f; si cela reste, la carte est à remplacer."
    ),
    Kind.IAD_UNKNOWN: N_(
        "L’IAD (9F10, octets\u00a0: {bytes}) a une disposition qui n’est pas publique\u00a0: ni "
        "DKI, ni CVN, ni CVR n’y sont lisibles. Le code se fait\u202f; seule sa banque peut le "
        "vérifier."
    ),
    Kind.CVN_UNKNOWN: N_(
        "La recette du cryptogramme (CVN {cvn}) n’est pas publique. Le code se fait\u202f; seule "
        "sa banque peut le vérifier, pas Sésame."
    ),
    Kind.PIN_NOT_IN_CVR: N_(
        "Le CVR ne dit pas «\u00a0code secret vérifié et juste, ARQC\u00a0»\u00a0: aucune banque "
        "prudente n’accepte ce code."
    ),
}
