"""What went wrong, in a sentence for the person at the keyboard.

Errors carry English for engineers; here the ones that a person can do something about are
said in their language. The places are attributes of the error.
"""

from sesame.card.errors import (
    CardFileDamaged,
    CardFileExposed,
    CardFileMissing,
    CardFileTooNew,
    CardFileUnusable,
    CardInUse,
    CardKeyMissing,
)
from sesame.catalogue import N_, Language, translator
from sesame.cli.language import say
from sesame.custody.errors import (
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreExists,
    KeystoreExposed,
    KeystoreInaccessible,
    KeystoreMissing,
    KeystoreTooNew,
    KeystoreWeak,
    MalformedPassphrase,
    PassphraseExposed,
    PassphraseUnreadable,
    WeakPassphrase,
    WrongPassphrase,
)
from sesame.errors import SesameError
from sesame.reader.errors import (
    AnswerMalformed,
    CardIsMute,
    CardPulled,
    NoCard,
    NoCommonProtocol,
    NoReader,
    PcscLibraryMissing,
    ReaderBusy,
    ReaderUnknown,
    ReaderUnplugged,
    ServiceAbsent,
    ServiceFails,
    ServiceForbids,
    ServiceHangs,
    SeveralCards,
)


def sentence(error: SesameError, language: Language | None = None) -> str:
    """What went wrong, where, and what to do; in the language of this process where None."""
    french = SENTENCES.get(type(error))
    if french is None:
        return str(error)
    said = say(french) if language is None else translator(language)(french)
    return said.format(**vars(error))


# A command adds its own errors where it defines them.
SENTENCES: dict[type[SesameError], str] = {
    KeystoreMissing: N_(
        "{path}\u00a0: ce fichier n’existe pas. Vérifiez son chemin, ou créez-le avec "
        "«\u00a0sesame keys create\u00a0»."
    ),
    KeystoreExists: N_(
        "{path}\u00a0: ce fichier existe déjà et reste tel qu’il est. Choisissez un autre chemin."
    ),
    KeystoreExposed: N_(
        "{path}\u00a0: le mode {mode:04o} laisse d’autres utilisateurs lire ou changer ce "
        "fichier. Cherchez qui a pu le copier, puis faites «\u00a0chmod 600\u00a0»."
    ),
    KeystoreInaccessible: N_(
        "{path}\u00a0: le système refuse ({reason}). Vérifiez le dossier, son propriétaire et la "
        "place qui reste."
    ),
    KeystoreTooNew: N_(
        "{path}\u00a0: une version plus récente de Sésame a écrit ce fichier (format {version}). "
        "Mettez Sésame à jour."
    ),
    KeystoreDamaged: N_(
        "{path}\u00a0: ce fichier est abîmé, ou n’est pas un trousseau. Il reste tel qu’il "
        "est\u202f; remettez une copie à sa place."
    ),
    KeystoreAltered: N_(
        "{path}\u00a0: quelqu’un a modifié ce fichier. Ne vous en servez plus\u202f; prévenez la "
        "sécurité et remettez une copie sûre à sa place."
    ),
    KeystoreWeak: N_(
        "{path}\u00a0: la phrase de passe de ce fichier s’essaie à trop bas coût. Seule une "
        "démonstration peut s’en contenter\u00a0: créez un autre trousseau."
    ),
    WrongPassphrase: N_(
        "{path}\u00a0: ce n’est pas la phrase de passe de ce fichier. Vérifiez les majuscules et "
        "la disposition du clavier."
    ),
    PassphraseUnreadable: N_(
        "{path}\u00a0: la phrase de passe ne peut y être lue ({reason}). Vérifiez le chemin et le "
        "propriétaire du fichier."
    ),
    PassphraseExposed: N_(
        "{path}\u00a0: le mode {mode:04o} laisse d’autres utilisateurs lire la phrase de passe. "
        "Faites «\u00a0chmod 600\u00a0», et un autre trousseau si quelqu’un a pu la lire."
    ),
    MalformedPassphrase: N_(
        "Une phrase de passe tient en une ligne de texte UTF-8, sans tabulation ni autre "
        "caractère de commande."
    ),
    WeakPassphrase: N_(
        "Cette phrase de passe est trop simple. Il faut au moins {shortest} caractères, et au "
        "moins {different} caractères différents\u00a0: quatre mots tirés au sort conviennent."
    ),
    CardFileMissing: N_("{path}\u00a0: cette carte n’existe pas. Vérifiez son chemin."),
    CardFileExposed: N_(
        "{path}\u00a0: d’autres utilisateurs peuvent lire cette carte. Faites «\u00a0chmod "
        "600\u00a0»."
    ),
    CardFileDamaged: N_(
        "{path}\u00a0: ce fichier est abîmé, ou n’est pas une carte. Il reste tel qu’il est."
    ),
    CardFileTooNew: N_(
        "{path}\u00a0: une version plus récente de Sésame a écrit cette carte. Mettez Sésame à "
        "jour."
    ),
    CardFileUnusable: N_(
        "{path}\u00a0: le système refuse de lire ou d’écrire cette carte. Vérifiez le dossier et "
        "son propriétaire."
    ),
    CardKeyMissing: N_(
        "{path}\u00a0: la clé qui ouvre cette carte n’est pas à côté d’elle (card.key)."
    ),
    CardInUse: N_(
        "{path}\u00a0: cette carte est dans un autre lecteur. Retirez-la, puis recommencez."
    ),
    CardIsMute: N_(
        "La carte ne répond pas. Retirez-la, remettez-la puce vers le haut, et nettoyez la puce."
    ),
    PcscLibraryMissing: N_(
        "La bibliothèque pyscard manque ({reason}). Sous Debian\u00a0: «\u00a0apt-get install gcc "
        "libpcsclite-dev python3-dev\u00a0», puis «\u00a0pip install pyscard\u00a0»."
    ),
    ServiceAbsent: N_(
        "Le service PC/SC ne répond pas. Sous Debian\u00a0: «\u00a0apt-get install pcscd\u00a0», "
        "puis «\u00a0systemctl start pcscd\u00a0», ou «\u00a0pcscd --foreground\u00a0» dans un "
        "autre terminal."
    ),
    ServiceForbids: N_(
        "Le service PC/SC refuse cet utilisateur. Ouvrez une session sur la machine elle-même, ou "
        "ajoutez une règle de polkit pour org.debian.pcsc-lite."
    ),
    ServiceHangs: N_(
        "Rien ne répond depuis {seconds} secondes ({call}). Retirez la carte et recommencez\u202f; "
        "si cela dure, débranchez le lecteur et relancez pcscd."
    ),
    ServiceFails: N_(
        "Le service PC/SC refuse {call} (erreur {code}). Débranchez le lecteur, rebranchez-le, et "
        "recommencez."
    ),
    NoReader: N_(
        "Aucun lecteur n’est branché. Branchez-en un\u202f; s’il l’est déjà, son pilote manque "
        "peut-être\u00a0: «\u00a0apt-get install libccid\u00a0»."
    ),
    ReaderUnknown: N_(
        "Aucun lecteur ne s’appelle {name}. Donnez un numéro ou une partie d’un nom, parmi\u00a0: "
        "{readers}."
    ),
    SeveralCards: N_(
        "Il y a une carte dans plusieurs lecteurs. Dites lequel, après --pcsc\u00a0: {readers}."
    ),
    ReaderBusy: N_(
        "{reader}\u00a0: un autre programme se sert de la carte. Fermez-le, puis recommencez."
    ),
    ReaderUnplugged: N_("{reader}\u00a0: le lecteur a été débranché. Rebranchez-le."),
    NoCard: N_(
        "Aucune carte en {seconds} secondes. Insérez-la, puce vers le haut, et recommencez. "
        "Lecteurs\u00a0: {readers}."
    ),
    CardPulled: N_(
        "{reader}\u00a0: la carte a été retirée trop tôt. Remettez-la et recommencez\u00a0: elle "
        "dit combien d’essais du code secret il lui reste."
    ),
    NoCommonProtocol: N_(
        "{reader}\u00a0: cette carte ne parle ni T=0 ni T=1. Ce n’est pas une carte bancaire."
    ),
    AnswerMalformed: N_(
        "Ce qui est revenu n’est pas une réponse de carte ({problem}). Nettoyez la puce et "
        "recommencez."
    ),
}
