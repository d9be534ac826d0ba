"""The portal as one value, made at start and passed by hand to every handler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sesame.bank.bank import Bank
from sesame.portal.help_block import HelpBlock
from sesame.portal.special_days import Hours
from sesame.store.closures import ClosureRow
from sesame.web.cookies import Cookie
from sesame.web.rendering import Renderer, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """Everything the handlers need besides the request."""

    bank: Bank
    site: Site
    random_bytes: Callable[[int], bytes]
    public_origin: str | None = None  # "https://www.example.org"; None: what each request names
    renderer: Renderer = field(init=False, repr=False)
    hours: Hours = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hours = Hours(self.site.institution.hours, self._closures)
        object.__setattr__(self, "hours", hours)
        block = HelpBlock(hours, self._now)
        renderer = Renderer("sesame.portal", self.site, frame=block)
        object.__setattr__(self, "renderer", renderer)

    def _now(self) -> datetime:
        return self.bank.now()

    def _closures(self) -> Sequence[ClosureRow]:
        return self.bank.closures.rows

    @property
    def browser_cookie(self) -> Cookie:
        """32 random bytes that tell this browser's forms from all others."""
        return Cookie("sesame_browser", secure=self.site.https)

    @property
    def session_cookie(self) -> Cookie:
        """The token of whoever is signed in."""
        return Cookie("sesame_session", secure=self.site.https)

    @property
    def device_cookie(self) -> Cookie:
        """By which this browser is known to those who signed in with it before."""
        known = int(self.bank.limits.device_known.total_seconds())
        return Cookie("sesame_device", secure=self.site.https, max_age=known)

    def page(
        self, request: HTTPConnection, template: str, page: object, status: int = 200
    ) -> Response:
        """Show *page*."""
        return self.renderer.render(request, template, page, status)
