"""Activation of a new card, and release of cards that their owner held: a way in with a number.

Each is a login by the new, or held, card, and one number beside it that somebody else does not
have: of the reader's parcel, or of the page that said that the codes are held. Judged, answered and
limited as any way in (`sesame.portal.login`).
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.activation import NumberUse
from sesame.catalogue import N_
from sesame.portal.forms import read_sesame, read_two_codes, with_number
from sesame.portal.guard import (
    ACTIVATION,
    ACTIVATION_CHALLENGE,
    ACTIVATION_TWO,
    RELEASE,
    RELEASE_CHALLENGE,
    RELEASE_TWO,
)
from sesame.portal.login import CHALLENGE_WANTED, WANTED, Way, attempt_by, empty_form
from sesame.portal.portal import Portal

_NO_ACTIVATION = N_(
    "Un numéro d’activation a 8 chiffres : il est écrit dans la lettre du colis de votre lecteur."
)
_NO_RELEASE = N_(
    "Un numéro de déblocage a 8 chiffres : vous l’avez noté quand vous avez bloqué vos codes."
)
_ACTIVATION_ASKING = Way(
    path=ACTIVATION_CHALLENGE,
    template="activation.html",
    read=with_number(read_two_codes, _NO_ACTIVATION),
    refused=N_(
        "Activation refusée. Vérifiez votre code utilisateur et le numéro d’activation, puis "
        "répondez au nouveau nombre et faites un code tout de suite après, avec la nouvelle carte."
    ),
    two_codes_wanted=CHALLENGE_WANTED,
    reads_two=True,
    asks=True,
    use=NumberUse.ACTIVATION,
    single=ACTIVATION,
)
_ACTIVATION_TWO = replace(
    _ACTIVATION_ASKING,
    path=ACTIVATION_TWO,
    refused=N_(
        "Activation refusée. Vérifiez votre code utilisateur et le numéro d’activation, puis "
        "faites deux nouveaux codes de suite, avec la nouvelle carte, et entrez-les dans l’ordre."
    ),
    two_codes_wanted=WANTED,
    asks=False,
)
_ACTIVATION = replace(
    _ACTIVATION_TWO,
    path=ACTIVATION,
    read=with_number(read_sesame, _NO_ACTIVATION),
    refused=N_(
        "Activation refusée. Vérifiez votre code utilisateur et le numéro d’activation, puis "
        "faites un nouveau code Sésame avec la nouvelle carte : un code ne sert qu’une fois."
    ),
    reads_two=False,
    two=_ACTIVATION_TWO,
    asking=_ACTIVATION_ASKING,
)
_RELEASE_ASKING = Way(
    path=RELEASE_CHALLENGE,
    template="release.html",
    read=with_number(read_two_codes, _NO_RELEASE),
    refused=N_(
        "Déblocage refusé. Vérifiez votre code utilisateur et le numéro de déblocage, puis "
        "répondez au nouveau nombre et faites un code tout de suite après, avec la même carte."
    ),
    two_codes_wanted=CHALLENGE_WANTED,
    reads_two=True,
    asks=True,
    use=NumberUse.RELEASE,
    single=RELEASE,
)
_RELEASE_TWO = replace(
    _RELEASE_ASKING,
    path=RELEASE_TWO,
    refused=N_(
        "Déblocage refusé. Vérifiez votre code utilisateur et le numéro de déblocage, puis "
        "faites deux nouveaux codes de suite, avec la même carte, et entrez-les dans l’ordre."
    ),
    two_codes_wanted=WANTED,
    asks=False,
)
_RELEASE = replace(
    _RELEASE_TWO,
    path=RELEASE,
    read=with_number(read_sesame, _NO_RELEASE),
    refused=N_(
        "Déblocage refusé. Vérifiez votre code utilisateur et le numéro de déblocage, puis "
        "faites un nouveau code Sésame : un code ne sert qu’une fois."
    ),
    reads_two=False,
    two=_RELEASE_TWO,
    asking=_RELEASE_ASKING,
)
_WAYS = {
    way.path: way
    for way in (
        _ACTIVATION,
        _ACTIVATION_TWO,
        _ACTIVATION_ASKING,
        _RELEASE,
        _RELEASE_TWO,
        _RELEASE_ASKING,
    )
}
OPENING = tuple(_WAYS)  # addresses


async def get_opening(portal: Portal, request: Request) -> Response:
    """`GET /activation`, `/deblocage`, and each with two codes or a challenge."""
    return await empty_form(portal, request, _WAYS[request.url.path])


async def post_opening(portal: Portal, request: Request) -> Response:
    """`POST` of the same."""
    return await attempt_by(portal, request, _WAYS[request.url.path])
