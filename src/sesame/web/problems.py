"""Pages for what is not there, not allowed, or broken: a sentence and a way on.

They show what we say of a status, nothing of the request and nothing of the error. Each says
what to do next, and its title begins with « Erreur ».
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sesame.catalogue import N_
from sesame.web.errors import ForeignRequest, MalformedForm
from sesame.web.rendering import Renderer

Handlers = Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """problem.html: what is wrong, in French; the template translates it."""

    title: str
    explanation: str
    way_on: str = N_("Revenir à l’accueil")
    address: str = "/"


_FOREIGN = ProblemPage(
    N_("Ce formulaire ne peut pas être envoyé"),
    N_(
        "Il a été ouvert dans un autre navigateur, ou depuis trop longtemps, ou par un autre site. "
        "Rien n’a été transmis : reprenez avec un nouveau formulaire."
    ),
)
_PAGES = {
    404: ProblemPage(
        N_("Cette page n’existe pas"),
        N_(
            "L’adresse est peut-être mal recopiée, ou la page a été déplacée. "
            "Vérifiez l’adresse, ou repartez de la page d’accueil."
        ),
    ),
    405: ProblemPage(
        N_("Cette adresse ne s’ouvre pas ainsi"),
        N_("Reprenez depuis la page d’accueil, par les liens et les boutons."),
    ),
    500: ProblemPage(
        N_("Une erreur s’est produite de notre côté"),
        N_("Elle est enregistrée et nous allons la corriger. Réessayez dans quelques minutes."),
    ),
    503: ProblemPage(
        N_("Service momentanément indisponible"),
        N_("Votre demande n’a peut-être pas été exécutée. Réessayez dans quelques instants."),
    ),
}
_OTHER = ProblemPage(
    N_("Cette demande n’a pas pu être comprise"),
    N_("Reprenez depuis la page d’accueil, par les liens et les boutons."),
)


def problem_handlers(renderer: Renderer, *, form: str = "/") -> Handlers:
    """What answers errors, for Starlette's `exception_handlers`.

    Args:
        renderer: its package has a frame.html.
        form: where the application gives a new form to whoever sent an old or foreign one.
    """
    foreign = replace(_FOREIGN, way_on=N_("Ouvrir un nouveau formulaire"), address=form)

    async def answer(request: Request, error: Exception) -> Response:
        headers: Mapping[str, str] | None = None
        page, status = _PAGES[500], 500
        if isinstance(error, ForeignRequest):
            page, status = foreign, 403
        elif isinstance(error, MalformedForm):
            page, status = _OTHER, error.status
        elif isinstance(error, HTTPException):
            status, headers = error.status_code, error.headers
            page = _PAGES.get(status, _OTHER)
        response = renderer.render(request, "problem.html", page, status)
        response.headers.update(headers or {})
        return response

    return dict.fromkeys((ForeignRequest, MalformedForm, HTTPException, Exception), answer)
