"""Errors of the bank. A refused code is none of them: it is an outcome, and is stored.

BankError
 ├ MalformedUserCode   what was typed is no user code
 ├ MalformedOldCode    what was typed is no old code
 ├ MalformedNumber     what was typed is no activation or release number
 ├ ImpossibleCode      no card of this institution makes such a code
 ├ SameCodeTwice       two codes in a row were asked for
 ├ ChallengeOver       the challenge is too old, or none of ours: nothing was judged
 ├ TooBusy             too many attempts at once: nothing was judged or counted
 ├ UserCodeTaken       enrolment: somebody has this user code
 ├ CardTaken           enrolment: somebody has this card
 ├ ReferenceTaken      enrolment: somebody has the institution's own reference
 ├ TooManyCards        enrolment: more cards than an attempt looks at
 ├ UnsuitableOldCode   enrolment: an old code's hash that costs more or less than ours
 ├ NotEnrolled         enrolment of many: nobody was, for some cannot be
 ├ UnreadableCustomers import: the file as a whole is none that could be read
 ├ HeartbeatUnusable   the file of the heartbeat cannot be read or written
 ├ HeartbeatHeld       another process of this machine does not let go of that file
 ├ StreamAltered       replay: a line is not as the bank wrote it
 ├ FalseSeal           audit: a seal, or what stands under it, is not as it was sealed
 ├ ExportUnusable      audit: no export, or it cannot be read or written
 ├ NoSuchCustomer      audit: nobody has this user code
 ├ UnderHold           erasure: a legal hold keeps what is there of a person
 ├ AlreadyErased       erasure: it was done before
 ├ NoSuchHold          legal holds: none of that number, or it was lifted
 ├ NoSuchLogin         audit: there is no such login of this customer
 ├ NotSealed           audit: no seal covers it yet
 ├ MalformedStaffCode  what was typed is no staff code
 ├ IncompatibleRoles   staff: roles that nobody may hold together
 ├ NotAllowed          staff: the role does not have this right, or the account is closed
 ├ PersonTaken         staff: somebody with this personnel number has an account
 ├ MalformedPersonnelNumber   what was typed is none
 ├ UnsuitableReason    approvals: a reason says something, in a line
 ├ MisleadingReason    hours: a reason that customers read leads nowhere
 ├ Undecided           approvals: this person may not decide on it; says why
 ├ NothingToRelease    approvals: what was asked for is done already, or cannot be
 ├ NothingToSend       activation: no card waits for a new number
 ├ NothingToHold       own hold: no card of the customer's signs in
 ├ NotShown            approvals: the number of a card is not shown; says why
 ├ NotLowered          approvals: a counter cannot fall, or not so; says why
 ├ SameAddress         letters go to this address already
 ├ OfficersEnough      staff: two security officers are there, who enrol the others
 ├ TooVague            search: nothing, or one letter, is nobody in particular
 ├ WholeNumber         search: perhaps a card's whole number, which nobody is to type
 ├ SecretRefused       staff: the one-time secret is none, was used, or expired
 ├ EmailRefused        notices: the mail server will never take this e-mail
 ├ EmailDeferred       notices: it does not take this e-mail now
 └ MailServerAway      notices: it takes none now
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sesame.errors import SesameError

_NAMED = 10  # of those who cannot be enrolled; the error has all of them


class BankError(SesameError):
    """Anything that the bank will not do."""


class MalformedUserCode(BankError):
    """A user code has eight characters, A to Z and 0 to 9."""

    def __init__(self) -> None:
        super().__init__("a user code has eight characters, A to Z and 0 to 9")


class MalformedOldCode(BankError):
    """An old code has 1 to 128 characters."""

    def __init__(self) -> None:
        super().__init__("an old code has 1 to 128 characters")


class MalformedNumber(BankError):
    """An activation or release number has eight digits."""

    def __init__(self) -> None:
        super().__init__("an activation or release number has eight digits")


class NothingToSend(BankError):
    """No card of that order waits for a new number."""

    def __init__(self) -> None:
        super().__init__("no such card waits, or a letter with a new number is to be printed")


class NothingToHold(BankError):
    """No card of the customer's signs in: there is nothing to hold."""

    def __init__(self) -> None:
        super().__init__("no card of this customer signs in: there is nothing to hold")


class SameCodeTwice(BankError):
    """Two codes in a row are two different ones; this costs no try."""

    def __init__(self) -> None:
        super().__init__("the two codes are the same: make a second one and send both")


class ChallengeOver(BankError):
    """The challenge is too old, was made before a restore, or for another form; it costs no try."""

    def __init__(self) -> None:
        super().__init__("the challenge is over, or was given to another: ask for a new one")


class ImpossibleCode(BankError):
    """No card of this institution makes this code: it was mistyped, and costs no try."""

    def __init__(self) -> None:
        super().__init__("no card of this institution makes such a code: it was mistyped")


class TooBusy(BankError):
    """Other attempts on the same user code came first; nothing was judged or counted."""

    def __init__(self) -> None:
        super().__init__(
            "other attempts on this user code came first: nothing was counted, try again"
        )


class UserCodeTaken(BankError):
    """The user code is somebody's already."""


class CardTaken(BankError):
    """The card (PAN and PSN) is somebody's already. The message never repeats its number."""


class ReferenceTaken(BankError):
    """The institution's own reference is another customer's already."""


class TooManyCards(BankError):
    """An attempt looks at a bounded number of cards, so a customer has no more."""


class UnsuitableOldCode(BankError):
    """The hash of an old code was made otherwise than ours, so that its time would tell."""

    def __init__(self) -> None:
        super().__init__(
            "the old code's hash is no argon2id of our parameters: "
            "make it with sesame.bank.old_code.OldCodes.hash"
        )


class UnreadableCustomers(BankError):
    """The file of customers as a whole cannot be read; `trouble` is one of `Trouble`'s values.

    `column` is the name of a column, or its number where its name might be somebody's.
    """

    def __init__(self, trouble: str, *, column: str = "") -> None:
        super().__init__(
            f"the file of customers cannot be read: {trouble} {column}".rstrip()
            + ". docs/reference/customer-import.md says how it is written"
        )
        self.trouble = trouble
        self.column = column


class HeartbeatHeld(BankError):
    """Others of this machine had the lock at `path` for all of `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(
            f"heartbeat {path}: other processes have held this lock for {seconds:g} s. Either the "
            "database lets them wait, or one stands still: find it (fuser, lsof), and let it go "
            "on, or end it"
        )
        self.path = path
        self.seconds = f"{seconds:g}"


class HeartbeatUnusable(BankError):
    """The file of the heartbeat at `path` cannot be read or written; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"heartbeat {path}: {reason}. Make its folder the server's to write; a file that is "
            "damaged, take away: the database then counts as restored"
        )
        self.path = path
        self.reason = reason


class StreamAltered(BankError):
    """A line of the stream is not as the bank wrote it; nothing of what comes with it was taken."""

    def __init__(self, user_code: str, version: int) -> None:
        super().__init__(
            f"line {version} of {user_code} is not as this bank wrote it: find out who altered the "
            "stream, and take another copy of it. What stood before it was replayed"
        )
        self.user_code = user_code
        self.version = version


class NotEnrolled(BankError):
    """Nobody of a batch was enrolled. `refused` says who cannot be, by place from 0, and why."""

    def __init__(self, refused: Mapping[int, BankError]) -> None:
        named = [f"number {place + 1}: {why}" for place, why in sorted(refused.items())[:_NAMED]]
        more = [f"and {len(refused) - _NAMED} more"] if len(refused) > _NAMED else []
        super().__init__(
            f"nobody was enrolled. Take these out, or mend them: {'; '.join([*named, *more])}"
        )
        self.refused = refused


class FalseSeal(BankError):
    """A seal of the audit stream, or what stands under it, is not as it was sealed."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"audit seal: {problem}. Keep all of it as it is, and compare with another copy"
        )
        self.problem = problem


class ExportUnusable(BankError):
    """The export or evidence at `path` cannot be read or written; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Check the path, or make another export")
        self.path = path
        self.reason = reason


class NoSuchCustomer(BankError):
    """Nobody has the user code."""

    def __init__(self) -> None:
        super().__init__("nobody has this user code: check it, and the database")


class NoSuchLogin(BankError):
    """The customer has no such line, or it is no login, or its values were erased."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no evidence of this login: {reason}")
        self.reason = reason


class UnderHold(BankError):
    """The person is under legal hold: nothing of theirs is erased."""

    def __init__(self) -> None:
        super().__init__("nothing is erased: there is a legal hold; lift it first")


class AlreadyErased(BankError):
    """The person was erased before."""

    def __init__(self) -> None:
        super().__init__("this person was erased already: only lines of evidence are left")


class NoSuchHold(BankError):
    """There is no legal hold of that number, or it was lifted before."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no legal hold {number} that could be lifted")
        self.number = number


class NotSealed(BankError):
    """No seal covers the line yet."""

    def __init__(self) -> None:
        super().__init__(
            "no seal of this stream covers the login: wait for the next one, or name the folder "
            "that holds older ones"
        )


class MalformedStaffCode(BankError):
    """A staff code has seven characters, the last of which checks the others."""

    def __init__(self) -> None:
        super().__init__("a staff code has seven characters, letters and digits: type it again")


class IncompatibleRoles(BankError):
    """Nobody may hold these roles together, or there are none."""


class NotAllowed(BankError):
    """The role does not have this right, or the account was closed meanwhile."""

    def __init__(self) -> None:
        super().__init__("this account does not have the right to do so: ask who has")


class PersonTaken(BankError):
    """Somebody with this personnel number has an account that is not closed: close that one."""


class MalformedPersonnelNumber(BankError):
    """A personnel number has 1 to 20 letters, digits, full stops, slashes or hyphens; no card's."""

    def __init__(self) -> None:
        super().__init__(
            "a personnel number has 1 to 20 of A-Z, 0-9, full stop, slash and hyphen, and is no "
            "card's number"
        )


class UnsuitableReason(BankError):
    """A reason says something, in a line, and holds no card's number."""

    def __init__(self, shortest: int, longest: int, *, card_number: bool = False) -> None:
        super().__init__(
            "a reason is read in clear: write it without the card's number"
            if card_number
            else f"a reason has {shortest} to {longest} characters, in one line"
        )
        self.shortest = shortest
        self.longest = longest
        self.card_number = card_number


class MisleadingReason(BankError):
    """A reason that customers read holds a number to call, or an address."""

    def __init__(self) -> None:
        super().__init__("a reason that customers read holds no number to call and no address")


class Undecided(BankError):
    """This person may not decide on the request; `why` is an `approvals.Barred`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the request was not decided: {why}")
        self.why = why


class NotShown(BankError):
    """The number of a card is not shown to this person; `why` is an `approvals.Unseen`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the number of the card is not shown: {why}")
        self.why = why


class NotLowered(BankError):
    """What is expected of a counter cannot be lowered so; `why` is a `lowering.Unlowered`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the counter is not lowered: {why}")
        self.why = why


class AskedAlready(BankError):
    """Another request for that card is open: let that one be decided on first."""

    def __init__(self) -> None:
        super().__init__("another request for that card is open: nothing was written")


class UnsuitableGaps(BankError):
    """The days between the dispatches are none that keep them apart."""


class NoSuchBatch(BankError):
    """No batch has that id."""

    def __init__(self, batch: str) -> None:
        super().__init__(f"no batch has the id {batch}: look at its letters' list again")
        self.batch = batch


class BatchDone(BankError):
    """The batch was posted, or its folder destroyed, before."""

    def __init__(self, batch: str, on: str) -> None:
        super().__init__(f"batch {batch}: that was done on {on} already: nothing was changed")
        self.batch = batch
        self.on = on


class NotOnThatDay(BankError):
    """A batch is posted on the day it was printed or later, and not in the future."""

    def __init__(self, batch: str, first: str, last: str) -> None:
        super().__init__(f"batch {batch}: can have been posted from {first} to {last} only")
        self.batch = batch
        self.first = first
        self.last = last


class TwoOnThatDay(BankError):
    """Other elements of the same customers were posted on the day that a batch is said to."""

    def __init__(self, batch: str, day: str, references: Sequence[str]) -> None:
        super().__init__(
            f"batch {batch}: another envelope of the same customers was posted on {day}: post "
            f"{', '.join(references)} on another day"
        )
        self.batch = batch
        self.day = day
        self.references = ", ".join(references)


class ReadersMissing(BankError):
    """The stock has fewer readers than parcels are to be sent."""

    def __init__(self, missing: int, wanted: int) -> None:
        super().__init__(
            f"{missing} readers are missing in stock for {wanted} parcels: nothing was printed. "
            "Take readers into stock first, or print fewer"
        )
        self.missing = missing
        self.wanted = wanted


class MovedMeanwhile(BankError):
    """What was prepared is not what is there any more: nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "letters, readers or orders were changed by somebody else meanwhile: nothing was "
            "written. Ask again"
        )


class NoSuchLetter(BankError):
    """No letter has that reference, or it is not one that can come back."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"no letter {reference} is at the post: read the reference on it again, or it was "
            "written down already"
        )
        self.reference = reference


class NothingToOrder(BankError):
    """Nobody wants a card, or this one was ordered again already."""

    def __init__(self) -> None:
        super().__init__("there is nothing to order: nothing was written")


class TakesTwo(BankError):
    """Another PIN in the place of one that was printed is asked for at the desk, and agreed to."""

    def __init__(self) -> None:
        super().__init__(
            "the PIN was printed: another card with another PIN takes two persons. Ask for it at "
            "the desk, where the returned mail is listed"
        )


class NoSuchReader(BankError):
    """No reader has that serial number in the state that it should leave."""

    def __init__(self, serial: str) -> None:
        super().__init__(f"reader {serial}: is not known, or not where it should be")
        self.serial = serial


class UnsuitableReaders(BankError):
    """A list of readers that cannot be taken into stock."""


class MalformedReader(UnsuitableReaders):
    """The line `line`, from 1, is no serial number with perhaps a model."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"line {line}: write a serial number, and perhaps a comma and the model, of 1 to "
            "40 printable characters each"
        )
        self.line = line


class EndlessReader(UnsuitableReaders):
    """The line `line`, from 1, is longer than any; or a quotation mark up to it is not closed."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"line {line}: it is far too long for a serial number, or a quotation mark before it "
            "is not closed"
        )
        self.line = line


class ReaderListedTwice(UnsuitableReaders):
    """The line `line`, from 1, has a serial number that stands further up."""

    def __init__(self, line: int, serial: str) -> None:
        super().__init__(f"line {line}: {serial} stands there twice: take one out")
        self.line = line
        self.serial = serial


class TooManyReaders(UnsuitableReaders):
    """The list has more than `most` readers."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} readers: take them in by parts")
        self.most = most


class NoReaderListed(UnsuitableReaders):
    """The list has no serial number."""

    def __init__(self) -> None:
        super().__init__("there is no serial number: write one a line")


class NothingToRelease(BankError):
    """What was asked for is done already, or cannot be done any more; the request stays open."""

    def __init__(self) -> None:
        super().__init__("there is nothing to release: the card is not there, or not held")


class SameAddress(BankError):
    """Letters go there already: nothing was changed, and nobody is told."""

    def __init__(self) -> None:
        super().__init__("letters go to this address already")


class OfficersEnough(BankError):
    """Two security officers have signed in: they enrol the others."""

    def __init__(self) -> None:
        super().__init__(
            "two security officers have signed in: they enrol the others at the desk, /guichet"
        )


class SecretRefused(BankError):
    """The one-time secret is none, was used, or expired."""

    def __init__(self) -> None:
        super().__init__("the one-time secret is none, was used, or expired: have another printed")


class TooVague(BankError):
    """What was typed to find a customer by is nothing, or one letter."""

    def __init__(self) -> None:
        super().__init__("too little to find a customer by: two letters of a name, or four digits")


class WholeNumber(BankError):
    """What was typed to find a customer by may be a card's whole number."""

    def __init__(self) -> None:
        super().__init__("perhaps a card's whole number: its last four digits are enough")


class EmailRefused(BankError):
    """The mail server will never take this e-mail: its status, and no address."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the mail server refuses an e-mail for good: {status}")


class EmailDeferred(BankError):
    """The mail server does not take this e-mail now."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the mail server does not take an e-mail now: {status}")


class MailServerAway(BankError):
    """The mail server takes no e-mail now; says why, and what to look at."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the mail server takes no e-mail ({reason}): look at [mail] in the settings, and at "
            "the server. Notices wait; after a day a letter takes their place"
        )


class NotIdentified(BankError):
    """Too little was asked to know who calls."""

    def __init__(self, enough: int) -> None:
        super().__init__(
            f"ask {enough} of the questions at least, one of them about the last login or the "
            "last letter, and tick them"
        )
        self.enough = enough


class NothingToLift(BankError):
    """No side of the access is suspended."""

    def __init__(self) -> None:
        super().__init__("the access is not suspended: there is nothing to lift")


class LiftedEnough(BankError):
    """So many suspensions were lifted already: of this customer, or by this adviser."""

    def __init__(self) -> None:
        super().__init__("so many suspensions were lifted today: this one ends by itself")


class NothingToReplace(BankError):
    """No such card is in use, or what replaces it is ordered already."""

    def __init__(self) -> None:
        super().__init__("there is no card to be replaced, or its replacement is on its way")


class NothingToHandOver(BankError):
    """No card of this customer's lies at the counter."""

    def __init__(self) -> None:
        super().__init__("no card of this customer lies at the counter: wait until it is printed")
