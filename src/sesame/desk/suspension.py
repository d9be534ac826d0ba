"""Lifting a suspension for a caller who was asked who they are. No answer is typed anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.desk_limits import desk_limits
from sesame.bank.errors import LiftedEnough, NotAllowed, NothingToLift, NotIdentified
from sesame.bank.help_line import lift_suspension
from sesame.bank.helping import ENOUGH_QUESTIONS, LiftReason, Question, check_identified
from sesame.bank.tries import suspension_end
from sesame.catalogue import N_, translator
from sesame.desk.call import DonePage, Helper, HelpFrame, find_helper, help_frame, read_call
from sesame.desk.desk import Desk
from sesame.desk.guard import SignedIn, forbidden
from sesame.web.formats import until
from sesame.web.language import language_of

QUESTIONS: Mapping[Question, str] = {
    Question.LAST_LOGIN: N_("La date de sa dernière connexion"),
    Question.ADDRESS: N_("L’adresse où nous lui écrivons"),
    Question.LETTER: N_("La référence de notre dernière lettre"),
    Question.CARD: N_("Quelle carte, et ses quatre derniers chiffres"),
}
REASONS: Mapping[LiftReason, str] = {
    LiftReason.MISTYPED: N_("Codes mal recopiés"),
    LiftReason.OTHER_CARD: N_("Une autre carte que la sienne"),
    LiftReason.READER: N_("Un lecteur en panne"),
    LiftReason.STRANGER: N_("Quelqu’un d’autre a essayé"),
    LiftReason.UNEXPLAINED: N_("La personne ne sait pas pourquoi"),
}
_TOO_FEW = N_(
    "Posez au moins {enough} de ces questions, dont la dernière connexion ou la référence d’une "
    "lettre, et cochez-les\u00a0: l’adresse et la carte sont aussi dans un portefeuille volé."
)
_NO_REASON = N_("Choisissez une raison.")
_NOTHING = N_("L’accès n’est pas suspendu : il n’y a rien à lever.")
_ENOUGH = N_(
    "Assez de suspensions ont été levées aujourd’hui, pour cette personne ou par vous. Celle-ci "
    "se lève d’elle-même {until}. Si la personne n’y arrive pas, faites un essai ensemble."
)
_DONE = N_("La suspension est levée")
_TRIES = N_("Trois essais de nouveau. Les erreurs des trente derniers jours comptent toujours.")
_TWO_CODES = N_(
    "Après neuf erreurs en trente jours, la page demande deux codes de suite : prévenez-la."
)
_TELL = N_("Dites-lui qu’un message le confirme.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionPage:
    """suspension.html: until when, the questions, the reason."""

    help: HelpFrame
    until: str  # « jusqu’à 14 h 32 »; "" where it is not suspended
    questions: tuple[tuple[str, str, bool], ...]  # value, name, ticked
    reasons: tuple[tuple[str, str, bool], ...]  # likewise, chosen
    enough_questions: int
    lifts: int  # a day, for one customer
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def session(self) -> SignedIn:
        """Who is signed in."""
        return self.help.session


async def get_suspension(desk: Desk, request: Request) -> Response:
    """`GET /guichet/client/{user_code}/suspension`."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    return desk.page(request, "suspension.html", await _page(desk, request, helper, {}, {}))


async def post_suspension(desk: Desk, request: Request) -> Response:
    """`POST` of the same: give the tries back."""
    helper = await find_helper(desk, request)
    if isinstance(helper, Response):
        return helper
    call, fields = await read_call(desk, request, helper)
    asked = [question for question in Question if fields.get(f"asked-{question}")]
    say = translator(language_of(request))
    if fields.get("reason") not in set(LiftReason):
        errors = {"reason": say(_NO_REASON)}
        try:
            check_identified(asked)
        except NotIdentified as few:
            errors["asked"] = say(_TOO_FEW).format(enough=few.enough)
        page = await _page(desk, request, helper, fields, errors)
        return desk.page(request, "suspension.html", page, 422)
    status = 422
    try:
        await lift_suspension(desk.bank, call, LiftReason(fields["reason"]), asked)
    except NotAllowed:
        return forbidden(desk, request)
    except NotIdentified as few:
        errors = {"asked": say(_TOO_FEW).format(enough=few.enough)}
    except NothingToLift:
        errors = {"lift": say(_NOTHING)}
    except LiftedEnough:
        errors = {"lift": say(_ENOUGH).format(until=_until(desk, request, helper))}
        status = 429
    else:
        done = DonePage(
            help=help_frame(desk, request, helper),
            heading=say(_DONE),
            well=True,
            said=(say(_TRIES), say(_TWO_CODES)),
            next=(say(_TELL),),
        )
        return desk.page(request, "help_done.html", done)
    page = await _page(desk, request, helper, fields, errors)
    return desk.page(request, "suspension.html", page, status)


def _until(desk: Desk, request: Request, helper: Helper) -> str:
    now = desk.bank.now()
    sides = (helper.state.open, helper.state.reserved)
    ends = [end for tries in sides if (end := suspension_end(tries, now)) is not None]
    return until(max(ends), language_of(request), now=now) if ends else ""


async def _page(
    desk: Desk,
    request: Request,
    helper: Helper,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> SuspensionPage:
    say = translator(language_of(request))
    return SuspensionPage(
        help=help_frame(desk, request, helper),
        until=_until(desk, request, helper),
        questions=tuple(
            (one.value, say(name), bool(fields.get(f"asked-{one}")))
            for one, name in QUESTIONS.items()
        ),
        reasons=tuple(
            (one.value, say(name), fields.get("reason") == one) for one, name in REASONS.items()
        ),
        enough_questions=ENOUGH_QUESTIONS,
        lifts=(await desk_limits(desk.bank)).lifts_of_customer,
        errors=errors,
    )
