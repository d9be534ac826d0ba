"""`sesame demo --letters`: what the demonstration's bank posts, as PDF, and nothing is opened."""

import os
from collections import Counter
from pathlib import Path

from sesame.app import utc_now
from sesame.catalogue import N_
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.page_progress import interrupted_by_sigterm, page_progress
from sesame.demonstration import has_letters, letters_seed, occupied, prepare, recipients
from sesame.demonstration_letters import letters_of
from sesame.web.institution import Institution
from sesame.web.opening import PARIS

_KINDS = {
    "card": N_("pour les cartes"),
    "pin": N_("pour les codes secrets (cartes Sésame)"),
    "reader": N_("pour les lecteurs"),
    "welcome": N_("de bienvenue, avec le code utilisateur"),
    "sheet": N_("modes d’emploi"),
}


def write_letters(data: Path, named: Path, *, port: int, new: bool) -> int:
    """Write every letter of the demonstration in *data* into the folder *named*.

    A demonstration is made first where there is none, or a *new* one is wanted; one that is there
    may go on running meanwhile.

    Raises:
        Unusable: *named* holds something, the disk does not take it, or Typst is missing.
        SesameError: see `occupied` and `prepare`.
    """
    try:
        from sesame.letters import batch  # noqa: PLC0415 -- 84 MB that no other command needs
        from sesame.letters.errors import BatchExists  # noqa: PLC0415 -- beside it
        from sesame.letters.typesetting import Typesetter  # noqa: PLC0415 -- likewise
    except ModuleNotFoundError:
        raise Unusable(
            say(
                "Les lettres demandent le paquet typst\u00a0: faites «\u00a0pip install "
                "'sesame[letters]'\u00a0»."
            )
        ) from None
    folder = Path(os.path.abspath(named))  # noqa: PTH100 -- a link is no folder: not resolved
    try:
        batch.refuse_occupied(folder)
        if new or not has_letters(data):
            with occupied(data):
                prepare(data, portal_port=port, simulator_port=port + 1, new=new)
        folder.parent.mkdir(parents=True, exist_ok=True)
        on = utc_now().astimezone(PARIS).date()
        letters = list(letters_of(recipients(data), letters_seed(data), on))
        with interrupted_by_sigterm(), page_progress(len(letters)) as written:
            files = batch.write_samples(
                folder, letters, typesetter=Typesetter(Institution()), written=written
            )
    except BatchExists:
        raise Unusable(
            say(
                "{folder}\u00a0: il y a déjà quelque chose ici, qui reste tel quel. Nommez un "
                "dossier qui n’existe pas, ou un dossier vide."
            ).format(folder=named)
        ) from None
    except OSError as error:
        raise Unusable(
            say("{path}\u00a0: le système refuse ({reason}). Choisissez un autre chemin.").format(
                path=error.filename or named, reason=error.strerror
            )
        ) from None
    _report(named, Counter(file.name.partition("-")[0] for file in files))
    return 0


def _report(folder: Path, counts: Counter[str]) -> None:
    print(
        say("{folder}\u00a0: {count} PDF. Démonstration\u00a0: rien n’est à poster.").format(
            folder=folder, count=counts.total()
        )
    )
    for kind, words in _KINDS.items():
        print(f"  {kind + '-*.pdf':<14} {counts[kind]:>3}  {say(words)}")
