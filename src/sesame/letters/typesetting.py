"""From a letter to the bytes of its PDF: tagged (PDF/UA-1), fonts embedded, language set.

`letter.typ` is fixed. What stands in a letter reaches it as JSON, so that no name and no address
is ever read as markup; nothing is written to a disk on the way.
"""

from datetime import UTC, datetime, time
from pathlib import Path

import msgspec
import typst

from sesame.letters.contents import contents_of
from sesame.letters.errors import AddressTooLong, LetterError, UnprintableText
from sesame.letters.letter import Posted, Sheet, kind_of, name_of
from sesame.web.institution import Institution

_FOLDER = Path(__file__).parent
# A sheet has no date of its own; a PDF has to have one, and the same sheet the same bytes.
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


class Typesetter:
    """Sets letters of one institution, one after the other."""

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        # Fonts of the system would make other pages on other machines.
        fonts = typst.Fonts(include_system_fonts=False, font_paths=[_FOLDER / "fonts"])
        self._compiler = typst.Compiler(
            _FOLDER / "letter.typ", root=_FOLDER, font_paths=fonts, ignore_system_fonts=True
        )

    def pdf(self, posted: Posted) -> bytes:
        """The PDF of *posted*; the same bytes for the same letter.

        Raises:
            AddressTooLong: name and address do not fit into the window.
            UnprintableText: they have characters that no font of ours has.
            LetterError: Typst refuses it for another reason.
        """
        contents = msgspec.json.encode(contents_of(posted, self._institution)).decode()
        on = _NO_DATE if isinstance(posted, Sheet) else datetime.combine(posted.on, time(), UTC)
        try:
            pdf = self._compiler.compile(
                sys_inputs={"contents": contents},
                format="pdf",
                pdf_standards=["ua-1"],
                timestamp=on,
            )
        except typst.TypstError as error:
            refusal = _refusal(posted, str(error))
        else:
            assert isinstance(pdf, bytes)  # noqa: S101 -- one PDF, without an output
            return pdf
        # Not where it was caught: Typst's own words, which may repeat what stands in the letter,
        # would hang on to it as its context.
        raise refusal


def _refusal(posted: Posted, why: str) -> LetterError:
    name = name_of(posted)
    if "address-too-long" in why:
        return AddressTooLong(name)
    if "could not be displayed" in why:
        return UnprintableText(name)
    return LetterError(
        f"{kind_of(posted)} {name}: the typesetter refused it: this is a fault of ours"
    )
