"""Style sheets and pictures, each under an address that changes when the file does."""

import hashlib
from os import stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

PREFIX = "/static"
# vendor/ too: those files carry their version in the name, so that a style sheet can import them.
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class HashedFiles(StaticFiles):
    """The folders ``static/`` of some packages, as one; the first that has a file gives it."""

    def __init__(self, *packages: str) -> None:
        """Read every file once, for its hash."""
        super().__init__(packages=[(package, "static") for package in packages])
        self._hashes: dict[str, str] = {}
        for directory in map(Path, self.all_directories):
            for path in directory.rglob("*"):
                if path.is_file():
                    name = path.relative_to(directory).as_posix()
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
                    self._hashes.setdefault(name, digest)

    def address(self, name: str) -> str:
        """Where browsers find the file *name*.

        Raises:
            KeyError: no package has it.
        """
        return f"{PREFIX}/{name}?v={self._hashes[name]}"

    def mount(self) -> Mount:
        """The route that serves them."""
        return Mount(PREFIX, app=self, name="static")

    def file_response(
        self, full_path: PathLike, stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, to be kept for good where its address says which version it is."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        name = self.get_path(scope)
        named = name.startswith("vendor/") or scope["query_string"] == (
            f"v={self._hashes.get(name)}".encode()
        )
        response.headers["Cache-Control"] = _FOR_GOOD if named else _ASK_AGAIN
        return response
