"""What went wrong, in a sentence for the person at the keyboard.

Errors carry English for engineers; here the ones that a person can do something about are
said in their language. The places are attributes of the error.
"""

from sesame.card.errors import (
    CardFileDamaged,
    CardFileExposed,
    CardFileGone,
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
    CardFileGone: N_(
        "{path}\u00a0: ce fichier a été effacé ou remplacé pendant que sa carte était dans le "
        "lecteur. Rien n’a été écrit. Prenez la carte qui est là maintenant, ou refaites-la."
    ),
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
        "{path}\u00a0: le système refuse de lire ou d’écrire cette carte ({reason}). Vérifiez le "
        "dossier, son propriétaire et la place qui reste."
    ),
    CardKeyMissing: N_(
        "{path}\u00a0: la clé qui ouvre cette carte n’est pas à côté d’elle (card.key)."
    ),
    CardInUse: N_(
        "{path}\u00a0: cette carte est dans un autre lecteur. Retirez-la, puis recommencez."
    ),
}
