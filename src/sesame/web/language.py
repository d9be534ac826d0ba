"""The language of a page: French, unless this browser has chosen another.

The choice is kept in a cookie and made by a plain link, so it works everywhere.
"""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sesame.catalogue import Language
from sesame.web.guard import internal_path

OWN_NAMES = {Language.FRENCH: "Français", Language.ENGLISH: "English"}
_COOKIE = "sesame_language"  # no secret: the two applications of a demonstration share it
_YEAR = 31_536_000  # seconds
_LANGUAGES = {language.value: language for language in Language}


def language_of(request: HTTPConnection) -> Language:
    """What the browser of *request* has chosen."""
    return _LANGUAGES.get(request.cookies.get(_COOKIE, ""), Language.FRENCH)


def switch_address(language: Language, request: HTTPConnection) -> str:
    """The link that shows the page of *request* in *language*."""
    here, query = request.scope["raw_path"], request.scope["query_string"]
    back = (here + b"?" + query if query else here).decode("latin-1")
    return f"/langue/{language}?{urlencode({'retour': back})}"


def language_route(*, secure: bool) -> Route:
    """`GET /langue/en?retour=/acces`: remember, and back to where the link stood."""

    async def choose(request: Request) -> Response:
        language = _LANGUAGES.get(request.path_params["language"])
        if language is None:
            raise HTTPException(404)
        back = internal_path(request.query_params.get("retour", ""), "/")
        response = RedirectResponse(back, status_code=303)
        response.set_cookie(
            _COOKIE, language, max_age=_YEAR, secure=secure, httponly=True, samesite="lax"
        )
        return response

    return Route("/langue/{language}", choose)
