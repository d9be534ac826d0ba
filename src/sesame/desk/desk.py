"""The desk as one value, made at start and passed by hand to every handler."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sesame.bank.bank import Bank
from sesame.bank.post_days import DEFAULT_GAPS, Gaps, PostDays
from sesame.custody.custodian import KeyRef, RevealingCustodian
from sesame.desk.forms import lines_without_card_number, without_card_number
from sesame.web.cookies import Cookie
from sesame.web.opening import PARIS
from sesame.web.rendering import Renderer, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything the handlers need besides the request.

    `card_key` and `card_dki`: the issuer key that the cards of staff are made under, and its
    index in the card. `revealing` says the number of a card, where this desk may show one.
    """

    bank: Bank
    site: Site
    random_bytes: Callable[[int], bytes]
    card_key: KeyRef
    card_dki: int
    gaps: Gaps = DEFAULT_GAPS  # between dispatches
    revealing: RevealingCustodian | None = field(default=None, repr=False)
    public_origin: str | None = None  # "https://desk.example.org"; None: what each request names
    renderer: Renderer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        filters = {
            "without_card_number": without_card_number,
            "lines_without_card_number": lines_without_card_number,
        }
        renderer = Renderer("sesame.desk", self.site, filters=filters)
        object.__setattr__(self, "renderer", renderer)

    @property
    def post_days(self) -> PostDays:
        """When letters are due."""
        hours = self.site.institution.hours
        return PostDays(
            zone=PARIS, is_holiday=lambda day: hours.exception(day) is not None, gaps=self.gaps
        )

    @property
    def browser_cookie(self) -> Cookie:
        """32 random bytes that tell this browser's forms from all others."""
        return Cookie("sesame_desk_browser", secure=self.site.https)

    @property
    def session_cookie(self) -> Cookie:
        """The token of whoever is signed in; never the portal's, also on the same host."""
        return Cookie("sesame_desk_session", secure=self.site.https)

    def page(
        self, request: HTTPConnection, template: str, page: object, status: int = 200
    ) -> Response:
        """Show *page*."""
        return self.renderer.render(request, template, page, status)
