"""A notice as an e-mail: plain text, in the customer's language, and nothing to click.

RFC 5322 and RFC 2045; `Auto-Submitted` is RFC 3834, 5: it keeps holiday replies away.
"""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sesame.bank.errors import EmailRefused
from sesame.bank.notices import Told
from sesame.catalogue import N_, Language, translator
from sesame.web.formats import day, time
from sesame.web.institution import Institution, spaced
from sesame.web.notice_words import no_links, notice_words
from sesame.web.opening import PARIS
from sesame.web.week import week_in_words

_HELLO = N_("Bonjour,")
_DONE = N_("C’était le {day} à\u00a0{time}.")
_KEYS = N_("Quand on vous répond au {number}\u00a0: {keys}.")
_HOURS = N_("Horaires\u00a0: {hours}.")
_AUTOMATIC = N_("Ce message part tout seul\u00a0: n’y répondez pas.")
_NO_ADDRESS = "it is no address that an e-mail can be sent to"


def message_of(told: Told, institution: Institution, sender: str) -> EmailMessage:
    """The e-mail that *told* asks for, from the address *sender*.

    Its Message-ID is the notice's own at each try, so that mail programs show it once.

    Raises:
        EmailRefused: it is for an address that none can be sent to.
    """
    language, say = told.language, translator(told.language)
    words = notice_words(told.event, institution, language)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(say(institution.name), addr_spec=sender)
    try:
        told.to.encode("ascii")
        message["To"] = Address(addr_spec=told.to)
    except (ValueError, IndexError):  # also what the parser of addresses stumbles over
        raise EmailRefused(_NO_ADDRESS) from None
    message["Subject"] = words.title
    message["Date"] = format_datetime(told.at)
    message["Message-ID"] = f"<{told.id.hex()}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(told, institution, language), cte="quoted-printable")
    message["Content-Language"] = language.value  # setting the content takes such headers away
    return message


def _text(told: Told, institution: Institution, language: Language) -> str:
    say = translator(language)
    words = notice_words(told.event, institution, language)
    local = told.at.astimezone(PARIS)
    done = say(_DONE).format(
        day=day(local.date(), language, this_year=0), time=time(told.at, language)
    )
    number = spaced(institution.telephone)
    paragraphs = [
        say(_HELLO),
        f"{words.title}. {done}",
        " ".join(words.sentences),
        words.alarm,
        " ".join(
            (
                say(_KEYS).format(number=number, keys=say(institution.keys_to_press)),
                say(_HOURS).format(hours=week_in_words(institution.hours, language)),
            )
        ),
        f"{no_links(language)} {say(_AUTOMATIC)}",
        say(institution.name),
    ]
    return "\n\n".join(part for part in paragraphs if part) + "\n"
