"""What is wrong with a line of customers or cards, and what to do; nothing of what stands there."""

from collections.abc import Mapping

from sesame.bank.customer_file import Problem, Trouble
from sesame.bank.errors import UnreadableCustomers
from sesame.catalogue import N_
from sesame.cli.language import say


def words(problem: Problem) -> str:
    """Where, what, and what to do, in one line."""
    where = (
        N_("Ligne {line}, {field}\u00a0: {what}")
        if problem.field
        else N_("Ligne {line}\u00a0: {what}")
    )
    what = say(PROBLEMS[problem.trouble]).format(
        number=problem.number, point=f"U+{problem.number:04X}"
    )
    return say(where).format(line=problem.line, field=problem.field, what=what)


def file_words(error: UnreadableCustomers) -> str:
    """Why the file as a whole cannot be read, and what to do."""
    return say(FILE[error.trouble]).format(column=error.column)


# Of one line, or one field of it.
PROBLEMS: Mapping[Trouble, str] = {
    Trouble.NOT_UTF_8: N_(
        "ce n’est pas de l’UTF-8 (octet {number}). Exportez le fichier en «\u00a0CSV UTF-8\u00a0»."
    ),
    Trouble.LONG_LINE: N_("plus de {number} octets. Un guillemet n’est-il pas resté ouvert\u202f?"),
    Trouble.NOT_CSV: N_(
        "les guillemets ne vont pas par deux. Une ligne du fichier est une ligne entière\u00a0: "
        "aucune valeur n’y passe à la suivante, et un guillemet dans une valeur se double."
    ),
    Trouble.NOT_JSON: N_("ce n’est pas un objet JSON sur une ligne."),
    Trouble.COLUMNS: N_(
        "{number} colonnes, ce que l’en-tête n’a pas. Une valeur qui contient le séparateur se met "
        "entre guillemets."
    ),
    Trouble.UNKNOWN_FIELD: N_("un champ que la page de référence ne connaît pas. Ôtez-le."),
    Trouble.NOT_TEXT: N_("chaque valeur est un texte entre guillemets, les nombres aussi."),
    Trouble.CHARACTER: N_("un caractère que rien n’imprime ({point}). Ôtez-le."),
    Trouble.GARBLED: N_(
        "des lettres accentuées abîmées par un autre codage. Exportez de nouveau, en UTF-8."
    ),
    Trouble.TOO_LONG: N_("plus de {number} caractères. Abrégez."),
    Trouble.CARD_NUMBER: N_(
        "ces chiffres sont ceux d’un numéro de carte, qui n’a sa place que dans pan. Une colonne "
        "est-elle décalée\u202f?"
    ),
    Trouble.MISSING: N_("rien n’y est. Remplissez ce champ."),
    Trouble.USER_CODE: N_(
        "ce n’est pas un code utilisateur\u00a0: huit caractères, A à Z et 0 à 9."
    ),
    Trouble.CHECK_CHARACTER: N_(
        "son caractère de contrôle n’est pas le bon\u00a0: comparez avec l’original."
    ),
    Trouble.REFERENCE: N_(
        "une référence a des lettres sans accent, des chiffres, des espaces et - . / _, et ne "
        "commence pas par un tiret."
    ),
    Trouble.NO_REFERENCE: N_(
        "sans code utilisateur, il faut une référence à vous, pour retrouver celui qui sera "
        "attribué."
    ),
    Trouble.NOT_GENERATED: N_(
        "il faut en attribuer un. Dites par --user-codes dans quel fichier l’écrire."
    ),
    Trouble.LANGUAGE: N_("ni fr ni en."),
    Trouble.NO_STREET: N_("l’adresse n’a aucune ligne de rue ou de lieu (line_2 à line_5)."),
    Trouble.POSTCODE: N_("un code postal français a cinq chiffres."),
    Trouble.LINE_6: N_("avec le code postal, plus de {number} caractères. Abrégez."),
    Trouble.LINES: N_(
        "avec le nom, la ville et le pays, plus de {number} lignes. Réunissez-en deux."
    ),
    Trouble.COUNTRY: N_("ce n’est pas un pays en deux lettres (ISO 3166-1)\u00a0: FR, BE, CH…"),
    Trouble.LETTER_FORMAT: N_("ni normal ni large-print."),
    Trouble.EMAIL: N_("ce n’est pas une adresse électronique. Corrigez-la, ou laissez vide."),
    Trouble.OLD_CODE: N_("ni une empreinte argon2id ($argon2id$v=19$…), ni will-be-set, ni none."),
    Trouble.OLD_CODE_COST: N_(
        "cette empreinte argon2id a d’autres paramètres que la banque\u00a0; la page de référence "
        "les donne. Écrivez will-be-set, et faites choisir un nouveau code."
    ),
    Trouble.CARD_KIND: N_("ni bank, ni sesame, ni none."),
    Trouble.NO_WAY_IN: N_("ni carte ni ancien code\u00a0: cette personne n’entrerait pas."),
    Trouble.NO_CARD: N_(
        "seule une ligne «\u00a0bank\u00a0» décrit une carte\u00a0: laissez vide. Une carte Sésame "
        "reçoit son numéro quand elle est faite."
    ),
    Trouble.PAN: N_("un numéro de carte a de 8 à {number} chiffres, et rien d’autre."),
    Trouble.LUHN: N_("la clé de Luhn est fausse\u00a0: un chiffre est mal copié."),
    Trouble.PSN: N_("le numéro de séquence (PSN) a deux chiffres\u00a0: 00, 01…"),
    Trouble.PROFILE: N_("ce n’est pas un profil de cartes de cette banque."),
    Trouble.DKI: N_(
        "aucune clé d’émetteur n’a cet index (DKI), un octet en hexadécimal\u00a0: voyez "
        "«\u00a0sesame keys list\u00a0», ou l’option --key."
    ),
    Trouble.LAST_ATC: N_("le dernier ATC vu est un nombre de 0 à 65534."),
    Trouble.ENDS: N_("les quatre derniers chiffres de la carte qui se termine, ou rien."),
    Trouble.WHO: N_("dites à qui est la carte\u00a0: code utilisateur, ou référence."),
    Trouble.TWICE: N_("le même est à la ligne {number}. Gardez celle qui est juste."),
    Trouble.USER_CODE_TAKEN: N_(
        "quelqu’un l’a déjà, ou l’a eu. Comparez avec la base\u00a0; il n’est pas redonné."
    ),
    Trouble.DIFFERS: N_(
        "cette personne est déjà inscrite, par une ligne qui disait autre chose. Ôtez la ligne, "
        "et faites changer au guichet ce qui doit l’être."
    ),
    Trouble.CARD_TAKEN: N_(
        "quelqu’un a déjà une carte de ce numéro et de ce PSN. Cherchez à qui elle est."
    ),
    Trouble.REFERENCE_TAKEN: N_("un autre client a cette référence. Cherchez qui des deux."),
    Trouble.NO_CUSTOMER: N_(
        "aucun client inscrit n’est celui de cette ligne. Cherchez à qui est la carte."
    ),
    Trouble.ANOTHER_NAME: N_(
        "le client inscrit a un autre nom. Vérifiez à qui est la carte\u00a0; si c’est bien lui, "
        "écrivez son nom comme la banque le connaît."
    ),
    Trouble.NO_SUCH_CARD: N_(
        "ce client n’a pas d’autre carte bancaire qui finisse ainsi. Corrigez, ou laissez vide."
    ),
    Trouble.CARD_STOPPED: N_(
        "cette carte est déjà la sienne, mais bloquée ou retirée ici. Voyez sa page au "
        "guichet\u00a0; une carte retirée ne revient pas."
    ),
    Trouble.OWN_HOLD: N_(
        "ce client a bloqué ses codes lui-même. Qu’il lève son blocage d’abord, ou le guichet."
    ),
    Trouble.NO_ROOM: N_(
        "ce client a déjà {number} cartes, et n’en a jamais plus. Dites dans ends laquelle de ses "
        "cartes bancaires se termine."
    ),
}
# Of the file as a whole.
FILE: Mapping[str, str] = {
    Trouble.EMPTY: N_("Ce fichier est vide\u00a0: il faut un en-tête et des lignes."),
    Trouble.UTF_16: N_(
        "Ce fichier est en UTF-16. Exportez-le en «\u00a0CSV UTF-8 (délimité par des "
        "virgules)\u00a0»."
    ),
    Trouble.NOT_UTF_8: N_(
        "L’en-tête n’est pas en UTF-8. Exportez le fichier en «\u00a0CSV UTF-8\u00a0»."
    ),
    Trouble.LONG_LINE: N_(
        "L’en-tête est trop long\u00a0: est-ce du CSV, avec une ligne pour chaque client\u202f?"
    ),
    Trouble.NOT_CSV: N_("Les guillemets de l’en-tête ne vont pas par deux. Est-ce du CSV\u202f?"),
    Trouble.SEMICOLONS: N_(
        "L’en-tête est séparé par des points-virgules, comme l’écrit Excel. Ajoutez "
        "--delimiter semicolon."
    ),
    Trouble.UNKNOWN_COLUMN: N_(
        "La colonne {column} de l’en-tête n’en est pas une. La première ligne nomme les colonnes, "
        "comme la page de référence les nomme."
    ),
    Trouble.DOUBLE_COLUMN: N_("L’en-tête nomme {column} deux fois. Ôtez une des colonnes."),
    Trouble.MISSING_COLUMN: N_("L’en-tête n’a pas de colonne {column}. Ajoutez-la."),
}
