"""Reading a small form, and nothing larger.

HTML Standard, application/x-www-form-urlencoded. Every form of ours has a handful of short
fields and no file, so other encodings are refused unread.
"""

from urllib.parse import parse_qsl

from starlette.requests import Request

from sesame.web.errors import MalformedForm

MOST_BYTES = 8192
_MOST_FIELDS = 16


async def read_form(request: Request) -> dict[str, str]:
    """The fields of the form in the body of *request*.

    Raises:
        MalformedForm: another type of body, too long, or not fields that stand there once.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise MalformedForm("the body is not application/x-www-form-urlencoded", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise MalformedForm(f"the body has more than {MOST_BYTES} bytes", status=413)
    try:
        pairs = parse_qsl(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise MalformedForm(f"the body has more than {_MOST_FIELDS} fields", status=400) from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedForm("a field stands there twice", status=400)
    return fields
