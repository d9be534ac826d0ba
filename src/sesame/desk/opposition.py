"""Opposition at once: cards lost, stolen or damaged, in one step with what replaces them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.customers import CardKind
from sesame.bank.errors import NotAllowed, NothingToReplace
from sesame.bank.help_line import Opposed, oppose
from sesame.bank.helping import Loss
from sesame.catalogue import N_, translator
from sesame.desk.call import DonePage, Helper, HelpFrame, find_helper, help_frame, read_call
from sesame.desk.cards import CardLine, card_lines
from sesame.desk.desk import Desk
from sesame.desk.guard import SignedIn, forbidden
from sesame.web.institution import spaced, tel
from sesame.web.language import language_of

LOSSES: Mapping[Loss, str] = {
    Loss.LOST: N_("Perdue"),
    Loss.STOLEN: N_("Volée, ou vue par quelqu’un d’autre avec son code secret"),
    Loss.DAMAGED: N_("Abîmée, ou le lecteur ne la lit plus"),
}
_NO_CARD = N_("Cochez au moins une carte.")
_NO_LOSS = N_("Choisissez ce qui est arrivé.")
_NOTHING = N_(
    "Il n’y a rien à faire pour cette carte : elle est hors service, ou son remplacement est déjà "
    "commandé. Une carte bancaire abîmée est remplacée par le service des cartes."
)
_DONE = N_("C’est fait")
_HELD = N_("Cartes bloquées à l’instant : {cards}.")
_RETIRED = N_("Cartes mises hors service avant leur premier usage : {cards}.")
_ENDED = N_("Toutes les sessions ouvertes sont terminées et les navigateurs connus oubliés.")
_ORDERED = N_(
    "Une carte de remplacement est commandée. Elle arrive par courrier, et son code secret dans "
    "une autre lettre."
)
_WORKS_ON = N_("L’ancienne carte sert encore jusqu’au premier usage de la nouvelle.")
_NONE_ORDERED = N_(
    "Aucune carte n’est commandée d’ici : une carte bancaire est remplacée par le service des "
    "cartes, une carte déjà commandée ne l’est pas deux fois."
)
_TELL_HOLD = N_(
    "Dites-lui que seuls les codes Sésame sont bloqués. Pour les paiements d’une carte bancaire, "
    "l’opposition se fait au {number}."
)
_TELL_WRITTEN = N_("Dites-lui qu’un message le confirme.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OppositionPage:
    """opposition.html: which cards, and what has become of them."""

    help: HelpFrame
    cards: tuple[CardLine, ...]
    losses: tuple[tuple[str, str, bool], ...]  # value, name, chosen
    has_bank_card: bool
    lost_cards: str  # the number for payments
    lost_cards_tel: str
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def session(self) -> SignedIn:
        """Who is signed in."""
        return self.help.session


async def get_opposition(desk: Desk, request: Request) -> Response:
    """`GET /guichet/client/{user_code}/opposition`."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    return desk.page(request, "opposition.html", _page(desk, request, helper, {}, {}))


async def post_opposition(desk: Desk, request: Request) -> Response:
    """`POST` of the same: hold and order, in one step."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    call, fields = await read_call(desk, request, helper)
    cards = _chosen(helper, fields)
    loss = Loss(fields["loss"]) if fields.get("loss") in set(Loss) else None
    errors = {} if cards else {"cards": _NO_CARD}
    if loss is None:
        errors["loss"] = _NO_LOSS
    elif cards:
        try:
            done = await oppose(desk.bank, call, loss, cards)
        except NotAllowed:
            return forbidden(desk, request)
        except NothingToReplace:
            errors["cards"] = _NOTHING
        else:
            return _done(desk, request, helper, done, loss)
    page = _page(desk, request, helper, fields, errors)
    return desk.page(request, "opposition.html", page, 422)


def _chosen(helper: Helper, fields: Mapping[str, str]) -> frozenset[int]:
    return frozenset(
        card.number for card in helper.named.cards if fields.get(f"card-{card.number}")
    )


def _page(
    desk: Desk,
    request: Request,
    helper: Helper,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> OppositionPage:
    say = translator(language_of(request))
    lines = card_lines(helper.named, say, _chosen(helper, fields))
    number = desk.site.institution.lost_cards
    return OppositionPage(
        help=help_frame(desk, request, helper),
        cards=tuple(line for line in lines if line.lives),
        losses=tuple(
            (loss.value, say(name), fields.get("loss") == loss) for loss, name in LOSSES.items()
        ),
        has_bank_card=any(card.kind == CardKind.BANK for card in helper.named.cards),
        lost_cards=spaced(number),
        lost_cards_tel=tel(number),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )


def _done(desk: Desk, request: Request, helper: Helper, done: Opposed, loss: Loss) -> Response:
    say = translator(language_of(request))
    said = [
        say(sentence).format(cards=", ".join(f"••••{last4}" for last4 in cards))
        for sentence, cards in ((_HELD, done.held), (_RETIRED, done.retired))
        if cards
    ]
    if loss is not Loss.DAMAGED:
        said.append(say(_ENDED))
    said.append(say(_ORDERED if done.ordered else _NONE_ORDERED))
    if loss is Loss.DAMAGED and not done.retired:
        said.append(say(_WORKS_ON))
    number = spaced(desk.site.institution.lost_cards)
    tell = [say(_TELL_HOLD).format(number=number)] if done.held else []
    page = DonePage(
        help=help_frame(desk, request, helper),
        heading=say(_DONE),
        well=True,
        said=tuple(said),
        next=(*tell, say(_TELL_WRITTEN)),
    )
    return desk.page(request, "help_done.html", page)
