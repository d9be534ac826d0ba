"""The framework's floor: a route that reads the same body and answers, and nothing else."""

import sys

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Question(msgspec.Struct):
    """The body of a verification."""

    user_code: str
    code: str


_decode = msgspec.json.Decoder(Question).decode


async def answer(request: Request) -> Response:
    """Read and answer."""
    _decode(await request.body())
    return Response(b'{"outcome":"accepted"}', media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/api/v1/verifications", answer, methods=["POST"])]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
