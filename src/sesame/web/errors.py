"""Errors of the web layer; `sesame.web.problems` makes pages of those that a browser causes.

WebError
 ├ ForeignRequest   a form that another site sent, or that another browser was given
 └ MalformedForm    a body that no form of ours sends
MalformedHours      opening hours that contradict themselves; `sesame.settings` says where
"""

from sesame.errors import SesameError


class WebError(SesameError):
    """Anything that a browser of ours would not have sent."""


class ForeignRequest(WebError):
    """The form does not come from a page that we gave to this browser."""


class MalformedForm(WebError):
    """The body is not what a form of ours sends. `status` is the HTTP status that says so."""

    def __init__(self, problem: str, *, status: int) -> None:
        super().__init__(f"form: {problem}")
        self.status = status


class MalformedHours(SesameError):
    """Opening hours that no week can have; the message says what to write instead."""
