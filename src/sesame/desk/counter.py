"""A Sésame card over the counter, for somebody whose cards all fail: ordered, then handed over.

The envelope holds the card alone. Its PIN and what activates it come by post, from others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.errors import NotAllowed, NothingToHandOver, NothingToReplace
from sesame.bank.help_line import hand_over, letter_to_hand_over, order_for_counter
from sesame.catalogue import N_, translator
from sesame.desk.call import DonePage, Helper, HelpFrame, find_helper, help_frame, read_call
from sesame.desk.desk import Desk
from sesame.desk.guard import SignedIn, forbidden
from sesame.web.language import language_of

_NO_PAPERS = N_("Cochez-le une fois la pièce d’identité vue ; sinon, la carte part par courrier.")
_NOTHING = N_(
    "Une carte de cette personne fonctionne, ou une autre est déjà en route : rien n’est commandé. "
    "Une carte perdue ou volée se met d’abord en opposition."
)
_NOT_THERE = N_("Cette carte a déjà été remise, ou sa lettre a été annulée.")
_ORDERED = N_("La carte est commandée")
_ORDERED_SAID = N_(
    "L’émission la fait et l’envoie à l’agence sous enveloppe. Le code secret et le numéro "
    "d’activation partent par courrier, chez la personne."
)
_ORDERED_NEXT = N_(
    "Dites-lui que la carte ne sert pas avant ces deux courriers, et de venir avec sa pièce "
    "d’identité."
)
_HANDED = N_("La carte est remise")
_HANDED_SAID = N_(
    "C’est écrit, avec votre nom. Le code secret part par courrier, ou est déjà parti si cette "
    "enveloppe est venue par la poste."
)
_HANDED_NEXT = N_(
    "N’ouvrez pas l’enveloppe. Ne lui dites ni ne lui demandez aucun numéro : celui qui active la "
    "carte est dans le colis du lecteur."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPage:
    """counter.html: the form that orders, or the one that hands over `letter`."""

    help: HelpFrame
    letter: str | None  # the reference on the envelope that waits
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def session(self) -> SignedIn:
        """Who is signed in."""
        return self.help.session


async def get_counter(desk: Desk, request: Request) -> Response:
    """`GET /guichet/client/{user_code}/carte-au-guichet`."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    page = await _page(desk, request, helper, {})
    return desk.page(request, "counter.html", page)


async def post_counter(desk: Desk, request: Request) -> Response:
    """`POST` of the same: order a card, or write down that it was handed over."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    call, fields = await read_call(desk, request, helper)
    handing = fields.get("act") == "hand-over"
    if not fields.get("papers-seen"):
        page = await _page(desk, request, helper, {"papers": _NO_PAPERS})
        return desk.page(request, "counter.html", page, 422)
    try:
        if handing:
            await hand_over(desk.bank, call)
        else:
            await order_for_counter(desk.bank, call)
    except NotAllowed:
        return forbidden(desk, request)
    except (NothingToReplace, NothingToHandOver) as error:
        nothing = _NOT_THERE if isinstance(error, NothingToHandOver) else _NOTHING
        page = await _page(desk, request, helper, {"papers": nothing})
        return desk.page(request, "counter.html", page, 422)
    say = translator(language_of(request))
    said = (_HANDED, _HANDED_SAID, _HANDED_NEXT) if handing else _ORDERED_ALL
    heading, sentence, then = map(say, said)
    done = DonePage(
        help=help_frame(desk, request, helper),
        heading=heading,
        well=True,
        said=(sentence,),
        next=(then,),
    )
    return desk.page(request, "help_done.html", done)


_ORDERED_ALL = (_ORDERED, _ORDERED_SAID, _ORDERED_NEXT)


async def _page(
    desk: Desk, request: Request, helper: Helper, errors: Mapping[str, str]
) -> CounterPage:
    say = translator(language_of(request))
    return CounterPage(
        help=help_frame(desk, request, helper),
        letter=await letter_to_hand_over(desk.bank, helper.user_code),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
