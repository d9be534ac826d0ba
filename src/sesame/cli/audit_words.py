"""What `sesame audit` says of what it found, and of what went wrong."""

from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.errors import (
    AlreadyErased,
    ExportUnusable,
    FalseSeal,
    MalformedUserCode,
    NoSuchCustomer,
    NoSuchHold,
    NoSuchLogin,
    NotSealed,
    UnderHold,
)
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.custody.errors import PublicKeyUnusable
from sesame.monitoring.textfile import MetricsUnwritable
from sesame.store.errors import (
    LedgerHeld,
    LedgerUnusable,
    SegmentLost,
    SegmentTaken,
    StreamUnreadable,
)

SENTENCES.update(
    {
        PublicKeyUnusable: N_(
            "{path}\u00a0: ce n’est pas une clé publique pour sceaux ({reason}). Donnez le fichier "
            "que «\u00a0sesame audit create-key\u00a0» a écrit."
        ),
        FalseSeal: N_(
            "Sceau faux\u00a0: {problem}. Laissez tout en l’état, et comparez avec une autre copie."
        ),
        SegmentLost: N_(
            "{path}\u00a0: le sceau n°\u00a0{number} manque, alors que de plus récents sont là. "
            "Cherchez-le dans une autre copie."
        ),
        SegmentTaken: N_(
            "Le fichier n°\u00a0{number} est déjà là\u00a0: un autre programme y écrit-il des "
            "sceaux\u00a0?"
        ),
        StreamUnreadable: N_(
            "{path}\u00a0: le système refuse ({reason}). Vérifiez ce dossier et son propriétaire."
        ),
        LedgerHeld: N_("{path}\u00a0: un autre programme s’en sert. Arrêtez-le d’abord."),
        LedgerUnusable: N_(
            "{path}\u00a0: ce registre ne peut servir ({reason}). Vérifiez le fichier et son "
            "propriétaire\u202f; ôté de là, il est refait d’après les sceaux."
        ),
        MetricsUnwritable: N_(
            "{path}\u00a0: le fichier des mesures ne peut être écrit ({reason}). Vérifiez son "
            "dossier et son propriétaire."
        ),
        ExportUnusable: N_("{path}\u00a0: {reason}. Vérifiez le chemin, ou refaites l’export."),
        NoSuchCustomer: N_("Personne n’a ce code utilisateur. Vérifiez-le, et la base."),
        NoSuchLogin: N_(
            "Pas de preuve\u00a0: cet abonné n’a pas cette ligne, ou la règle de conservation l’a "
            "ôtée, ou ce n’est pas une connexion, ou les valeurs qu’elle engage ont été changées."
        ),
        NotSealed: N_(
            "Aucun sceau ne couvre encore cette connexion. Attendez le prochain, ou donnez le "
            "dossier des plus anciens."
        ),
        UnderHold: N_(
            "Rien n’est effacé\u00a0: une conservation pour litige est en cours. Levez-la d’abord."
        ),
        AlreadyErased: N_(
            "Cette personne est déjà effacée\u00a0: il ne reste que des lignes de preuve."
        ),
        NoSuchHold: N_(
            "Il n’y a pas de conservation n°\u00a0{number} à lever. Regardez lesquelles il y a "
            "par «\u00a0sesame audit holds\u00a0»."
        ),
        MalformedUserCode: N_("Un code utilisateur a huit caractères, de A à Z et de 0 à 9."),
    }
)

KINDS = {
    Kind.ALTERED: N_("Modifié"),
    Kind.DELETED: N_("Ligne ôtée"),
    Kind.SWAPPED: N_("Ordre changé"),
    Kind.TRUNCATED: N_("Fin coupée"),
    Kind.ROLLED_BACK: N_("État ancien, sauvegarde restaurée"),
    Kind.REWRITTEN: N_("Autre histoire que celle qui fut scellée"),
    Kind.ADDED: N_("Ligne ajoutée"),
    Kind.FALSE_ANCHOR: N_("Faux élagage"),
    Kind.FALSE_MAC: N_("Acceptation dont la garde des clés ne répond pas"),
    Kind.ATC_LOWERED: N_("Dernier ATC abaissé"),
    Kind.DISAGREES: N_("Accord à deux que le journal ne confirme pas"),
}
_SENTENCES = {
    Kind.ALTERED: N_("{user_code}, ligne {version}\u00a0: elle n’est pas telle qu’écrite."),
    Kind.DELETED: N_("{user_code}, ligne {version}\u00a0: elle a été ôtée."),
    Kind.SWAPPED: N_("{user_code}, ligne {version}\u00a0: une autre se trouve à sa place."),
    Kind.TRUNCATED: N_("{user_code}\u00a0: la fin est coupée, à partir de la ligne {version}."),
    Kind.ROLLED_BACK: N_(
        "{user_code}\u00a0: tout s’arrête à la ligne {version}, mais un sceau en connaît de plus "
        "récentes. Une sauvegarde ancienne a-t-elle été restaurée, ou la fin coupée avec sa "
        "trace\u00a0?"
    ),
    Kind.REWRITTEN: N_(
        "{user_code}, ligne {version}\u00a0: ce n’est pas celle qui fut scellée. Histoire récrite, "
        "ou continuée après la restauration d’une sauvegarde ancienne."
    ),
    Kind.ADDED: N_("{user_code}, ligne {version}\u00a0: elle est en trop."),
    Kind.FALSE_ANCHOR: N_(
        "{user_code}\u00a0: les lignes jusqu’à {version} manquent, et ce qui les dit élaguées par "
        "la règle n’est pas signé de la clé qui scelle."
    ),
    Kind.FALSE_MAC: N_(
        "{user_code}, ligne {version}\u00a0: elle dit qu’un code fut accepté, et la garde des clés "
        "n’en répond pas. Histoire récrite, ou clés d’une autre banque."
    ),
    Kind.ATC_LOWERED: N_(
        "{user_code}, ligne {version}\u00a0: elle a pris un ATC, ou y a fait commencer une carte, "
        "dont le dernier ATC est plus bas. Il a été abaissé\u202f; des codes qui ont servi "
        "pourraient servir encore."
    ),
    Kind.DISAGREES: N_(
        "{user_code}, ligne {version}\u00a0: une demande à deux, sa décision, un compte d’agent ou "
        "le compteur de départ d’une carte n’est pas comme le journal le dit (ligne 0\u00a0: il "
        "n’en dit rien). Les tables ont été changées."
    ),
}


def words(finding: Finding) -> str:
    """*finding* as a sentence."""
    return say(_SENTENCES[finding.kind]).format(
        user_code=finding.user_code, version=finding.version
    )
