"""What went wrong, in a sentence for the person at the keyboard.

Errors carry English for engineers; here the ones that a person can do something about are
said in their language. The places are attributes of the error.
"""

from sesame.card.errors import (
    CardFileDamaged,
    CardFileExists,
    CardFileExposed,
    CardFileGone,
    CardFileMissing,
    CardFileTooNew,
    CardFileUnusable,
    CardInUse,
    CardKeyMissing,
    NameUnprintable,
)
from sesame.catalogue import N_, Language, translator
from sesame.cli.language import say
from sesame.custody.errors import (
    AlreadyCurrent,
    BureauCertificateUnusable,
    BureauFileDamaged,
    BureauFileExists,
    BureauFileTooNew,
    BureauFileUnusable,
    BureauKeyLocked,
    BureauKeyUnusable,
    ChanceFails,
    CustodyBusy,
    CustodyUnavailable,
    IssuingNeedsKeystore,
    KeyBlockAltered,
    KeyCurrent,
    KeyDestroyed,
    KeyHasCards,
    KeyLast,
    KeyMissing,
    KeyRetired,
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreExists,
    KeystoreExposed,
    KeystoreFull,
    KeystoreInaccessible,
    KeystoreMissing,
    KeystoreOfDemonstration,
    KeystoreOfProduction,
    KeystoreTooNew,
    KeystoreWeak,
    KeyTaken,
    MalformedKeyBlock,
    MalformedPassphrase,
    NoCurrentKey,
    NotExportable,
    PassphraseExposed,
    PassphraseUnreadable,
    PinSealBroken,
    SocketUnreachable,
    UnsuitableKey,
    UnsuitableKeyBlock,
    UnsuitableOfficers,
    WeakPassphrase,
    WrongPassphrase,
    WrongUsage,
)
from sesame.errors import SesameError


def sentence(error: SesameError, language: Language | None = None) -> str:
    """What went wrong, where, and what to do; in the language of this process where None."""
    french = SENTENCES.get(type(error))
    if french is None:
        return str(error)
    said = say(french) if language is None else translator(language)(french)
    return said.format(**vars(error))


# A command adds its own errors where it defines them; where one is missing `main` loads them all.
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
    KeystoreFull: N_(
        "{path}\u00a0: ce trousseau est plein et reste tel qu’il est. Demandez de l’aide avant de "
        "continuer\u00a0: un plus grand ne pourrait plus être ouvert."
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
    KeystoreOfDemonstration: N_(
        "{path}\u00a0: ces clés sont celles d’une démonstration. Créez-en d’autres avec "
        "«\u00a0sesame keys create\u00a0»."
    ),
    KeystoreOfProduction: N_(
        "{path}\u00a0: ces clés sont celles d’une banque, et une démonstration n’y touche pas. "
        "Retirez la ligne «\u00a0demonstration = true\u00a0», ou créez des clés de démonstration."
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
    SocketUnreachable: N_(
        "{path}\u00a0: le processus qui garde les clés ne répond pas ({problem}). Démarrez-le avec "
        "«\u00a0sesame custody serve\u00a0», ou vérifiez le chemin, le groupe et les utilisateurs "
        "admis."
    ),
    UnsuitableOfficers: N_(
        "Il faut nommer au moins deux personnes différentes, chacune par « --officer "
        "NOM,FONCTION\u00a0», et dire le motif en une ligne de 80 caractères au plus."
    ),
    UnsuitableKey: N_(
        "Cette clé ne convient pas\u00a0: vérifiez sa longueur, son nom (petites lettres, "
        "chiffres, traits d’union), son index (DKI), et que ses moitiés ne sont ni égales ni "
        "faibles."
    ),
    AlreadyCurrent: N_("La clé {label} est déjà en service\u00a0: il n’y a rien à faire."),
    NoCurrentKey: N_(
        "Aucune clé {usage} n’est en service\u00a0: dites laquelle par «\u00a0sesame keys "
        "use\u00a0» ou, dans un HSM, «\u00a0sesame hsm use\u00a0»."
    ),
    KeyTaken: N_(
        "La clé {label} ne peut s’ajouter : son nom, son index (DKI) ou sa valeur est celui "
        "d’une autre clé d’ici, ou d’une clé détruite."
    ),
    KeyMissing: N_(
        "Il n’y a pas de clé {label} ici. Regardez lesquelles il y a\u00a0: «\u00a0sesame keys "
        "list\u00a0» ou, dans un HSM, «\u00a0sesame hsm list\u00a0»."
    ),
    KeyDestroyed: N_(
        "La clé {label} a été détruite le {on} : ses cartes ne servent plus. Remplacez-les."
    ),
    KeyRetired: N_(
        "La clé {label} est retirée : elle vérifie encore des codes, mais on ne fait plus de "
        "cartes avec elle."
    ),
    KeyCurrent: N_(
        "La clé {label} est en service. Mettez-en d’abord une autre en service\u00a0: "
        "«\u00a0sesame keys use\u00a0» ou, dans un HSM, «\u00a0sesame hsm use\u00a0»."
    ),
    KeyLast: N_(
        "La clé {label} est la dernière d’usage {usage} du jeton, et sans elle rien ne démarre. "
        "Faites d’abord la suivante\u00a0: «\u00a0sesame hsm generate\u00a0»."
    ),
    KeyHasCards: N_(
        "La clé {label} a {cards} cartes, dont les codes seraient refusés pour toujours. "
        "Renouvelez-les d’abord, ou sacrifiez-les : --give-up-cards {cards}"
    ),
    WrongUsage: N_(
        "Cette clé n’est pas une clé d’émetteur : elle est la seule de son usage et reste "
        "telle qu’elle est."
    ),
    NotExportable: N_(
        "La clé {label} n’est pas exportable : cela s’est décidé quand elle a été faite."
    ),
    MalformedKeyBlock: N_(
        "Ce n’est pas un bloc TR-31 de version B ou D sous cette clé ({problem}). Faites-le "
        "envoyer de nouveau, en une ligne."
    ),
    KeyBlockAltered: N_(
        "Le bloc ne s’ouvre pas : comparez les valeurs de contrôle de la clé de protection "
        "(KBPK) des deux côtés ; si elles sont égales, le bloc a été modifié."
    ),
    UnsuitableKeyBlock: N_(
        "La clé de ce bloc n’est pas une clé maîtresse d’émetteur pour cryptogrammes ({problem})."
    ),
    BureauCertificateUnusable: N_(
        "Certificat du façonnier{where}\u00a0: il ne convient pas ({problem}). Il en faut un de "
        "RSA, d’au moins 3072 bits, pour chiffrer des clés."
    ),
    BureauKeyUnusable: N_(
        "{path}\u00a0: cette clé n’ouvre pas les fichiers du façonnier ({problem})."
    ),
    BureauKeyLocked: N_(
        "{path}\u00a0: cette clé est protégée par une phrase de passe, et aucune n’a été donnée."
    ),
    BureauFileExists: N_(
        "{path}\u00a0: ce fichier existe déjà et reste tel qu’il est. Choisissez un autre chemin."
    ),
    BureauFileUnusable: N_(
        "{path}\u00a0: le système refuse ce fichier ({reason}). Rien n’a été fait."
    ),
    BureauFileTooNew: N_(
        "{path}\u00a0: une version plus récente de Sésame a écrit ce fichier (format "
        "{version}). Mettez Sésame à jour."
    ),
    BureauFileDamaged: N_(
        "{path}\u00a0: ce fichier est abîmé, ou n’est pas pour ce certificat. N’en faites "
        "aucune carte\u202f; demandez à la banque de l’envoyer de nouveau."
    ),
    PinSealBroken: N_(
        "Un code secret scellé ne s’ouvre pas\u00a0: il a été modifié ou déplacé, ou le trousseau "
        "est un autre. N’imprimez pas sa lettre\u202f; commandez une autre carte."
    ),
    ChanceFails: N_(
        "Tous les codes secrets tirés sont trop simples\u00a0: ce n’est pas du hasard. Ne faites "
        "aucune carte sur cette machine avant de l’avoir réparée."
    ),
    IssuingNeedsKeystore: N_(
        "Les cartes se font là où est le trousseau\u00a0: ces clés sont dans un HSM, ou dans un "
        "autre processus."
    ),
    NameUnprintable: N_(
        "Ce nom n’a pas deux lettres qu’une carte puisse porter\u00a0: commandez-la avec le nom en "
        "lettres latines."
    ),
    CardFileExists: N_(
        "{path}\u00a0: cette carte existe déjà, et reste telle qu’elle est. Choisissez un autre "
        "nom."
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
    CustodyUnavailable: N_(
        "Ce qui garde les clés ne répond pas ({reason})\u00a0: la commande n’est pas allée à son "
        "terme. Regardez si le HSM est là et en marche, puis relancez-la."
    ),
    CustodyBusy: N_(
        "Trop de demandes attendent déjà les clés\u00a0: la commande n’est pas allée à son terme. "
        "Relancez-la."
    ),
    CardInUse: N_(
        "{path}\u00a0: cette carte est dans un autre lecteur. Retirez-la, puis recommencez."
    ),
}
