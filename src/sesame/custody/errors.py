"""Errors of custody. None carries a key, a passphrase, a code or a card number.

CustodyError
 ├ KeystoreError           something about one file; `path` says which
 │  ├ KeystoreMissing        no such file
 │  ├ KeystoreExists         a new keystore never replaces a file
 │  ├ KeystoreExposed        other users of the machine may read it
 │  ├ KeystoreInaccessible   the operating system refuses
 │  ├ KeystoreTooNew         written by a later version of this program
 │  ├ KeystoreDamaged        not as it was written, or not a keystore
 │  │  └ KeystoreAltered     somebody changed it and made the checksum fit
 │  ├ KeystoreWeak           a passphrase could be guessed faster than we allow
 │  ├ KeystoreOfDemonstration  its keys are for a demonstration, and this is none
 │  ├ KeystoreOfProduction   its keys are a bank's, and this is a demonstration
 │  └ WrongPassphrase        the file is whole, the passphrase is another
 ├ PassphraseUnreadable    the file that should hold the passphrase cannot be read
 ├ PassphraseExposed       other users of the machine may read that file
 ├ MalformedPassphrase     not one line of text
 ├ WeakPassphrase          too short or too plain to protect a new keystore
 ├ PublicKeyUnusable       a file that should hold a public key does not
 ├ WrappingKeyUnusable     nor this one the public half of a token's wrapping key
 ├ UnsuitableKey           wrong length, halves alike or weak, or no generation of an issuer key
 │  ├ KeyTaken               its label, DKI or value is, or was, another key's
 │  │  └ HsmKeyTaken            and that key is in a token
 │  ├ HsmKeysIncomplete      a token without a key that custody needs, or with two
 │  ├ CheckValueDiffers      the key that came is not the one that was announced
 │  └ AlreadyCurrent         new cards are made under it as it is
 ├ NoCurrentKey            there is no issuer key under which new cards are made
 ├ UnsuitableComponent     no component of this key, or not the one that it should be
 ├ UnsuitableOfficers      a deed wants more persons than were named
 ├ KeyMissing              custody has no key of that label
 │  └ KeyDestroyed           it had one, which was destroyed: there is a record of it
 ├ WrongUsage              there is such a key, and it is not for this
 │  └ KeyRetired             an issuer key under which no new cards are made
 ├ KeyInUse                a key that must not be destroyed yet
 │  ├ KeyCurrent             new cards are made under it
 │  ├ KeyLast                a token's custody wants one key at least
 │  └ KeyHasCards            cards of the bank need it
 ├ NotExportable           a key that was made to stay
 ├ KeyBlockError           something about one TR-31 key block
 │  ├ MalformedKeyBlock      no block of version B or D
 │  ├ KeyBlockAltered        its MAC does not fit: altered, or under another key
 │  └ UnsuitableKeyBlock     the key in it is for something else
 ├ UnsuitableCard          card data that custody cannot register
 ├ MalformedInquiry        more cards or candidates than one code may have
 ├ SealBroken              a sealed card was altered, moved, or comes from another keystore
 ├ PinSealBroken           a sealed PIN was altered, moved, or comes from another keystore
 ├ ChanceFails             what should be chance draws nothing but PINs that are refused
 ├ BureauCertificateUnusable  nothing is enciphered for this card bureau
 ├ BureauKeyUnusable       what should open a bureau's files does not
 │  └ BureauKeyLocked        it has a passphrase, and none was given
 ├ BureauFileError         something about one file for a bureau; `path` says which
 │  ├ BureauFileExists       a new one never replaces a file
 │  ├ BureauFileUnusable     the operating system refuses, or it is too large
 │  ├ BureauFileTooNew       written by a later version of this program
 │  └ BureauFileDamaged      for another bureau, or not as it was written
 ├ IssuingNeedsKeystore    cards are made where the issuer's keys are in a keystore
 ├ ProfileUnknown          a sealed card of a profile that this program does not have
 ├ ProfileUnsupported      a profile whose keys an HSM cannot derive
 ├ HsmError                something about one HSM
 │  ├ HsmModuleUnusable      its PKCS#11 module does not load
 │  ├ HsmLockRefused         nor does that file take a lock
 │  ├ HsmTokenBusy           another command writes into its tokens, and does not end
 │  ├ HsmTokenMissing        no token of that label in any slot
 │  ├ HsmTokenExists         a token of that label is there already: none is made anew
 │  ├ HsmLabelUnsuitable     what a token cannot be called
 │  ├ HsmKeyUnsuitable       a key in it could come out, or may do what it is not for
 │  ├ HsmRecordsUnsuitable   what it keeps of the acts on its keys is not as we write it
 │  ├ HsmRecordsBusy         somebody else wrote a record at the same moment
 │  ├ HsmKeyAway             by its records it has an issuer key that is not there
 │  ├ HsmSingleKeyAway       or a key of another usage
 │  ├ HsmKeyLingers          or it was to be destroyed, and is still there
 │  └ HsmRefused             it answered a call with anything but CKR_OK; `rv` says what
 ├ CustodyUnavailable      custody does not answer now; nothing was judged
 │  └ SocketUnreachable      the custody process at `path` does not
 ├ CustodyBusy             too many wait already; nothing was judged
 ├ MalformedFrame          the other end of the socket speaks otherwise than we do
 ├ CustodySettingsError    the settings of the custody process cannot be obeyed
 └ SocketError             the custody process cannot listen at `path`
    ├ SocketTaken            another one does already
    ├ SocketFolderExposed    other users could put a socket of their own there
    └ SocketRefused          the operating system refuses
"""

from datetime import date
from enum import StrEnum, unique
from pathlib import Path

from sesame.errors import SesameError


class CustodyError(SesameError):
    """Anything wrong with keys, their file, or what was sealed under them."""


class KeystoreError(CustodyError):
    """The keystore file at `path` cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"keystore {path}: {problem}")
        self.path = path


class KeystoreMissing(KeystoreError):
    """There is no file at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "no such file. Give its path, or make one: sesame keys create FILE")


class KeystoreExists(KeystoreError):
    """Something stands at `path` already. Keys in use must not be lost to a new keystore."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "exists already. Choose another path, or move that file away")


class KeystoreExposed(KeystoreError):
    """The file's `mode` lets other users in."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            path,
            f"mode {mode:04o} lets other users read or change it. Ask who could have copied it, "
            "then run chmod 600 on it",
        )
        self.mode = mode


class KeystoreInaccessible(KeystoreError):
    """The operating system refuses; `reason` is in its own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"{reason}. Check its folder, its owner and the space left")
        self.reason = reason


class KeystoreFull(KeystoreError):
    """With what was to be added, the keystore at `path` would be larger than any that is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, "full: with this it could not be opened again. Ask for help; nothing was changed"
        )


class KeystoreTooNew(KeystoreError):
    """The file has a format `version` that this program does not know."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            path, f"format version {version} is newer than this program. Install a later sesame"
        )
        self.version = version


class KeystoreDamaged(KeystoreError):
    """The file is not as it was written; `problem` says where that showed."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, f"{problem}. Put back a copy; nothing was changed")
        self.problem = problem


class KeystoreAltered(KeystoreDamaged):
    """The checksum fits and the seal does not: no accident does that."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "somebody changed it, and its checksum with it")


class KeystoreWeak(KeystoreError):
    """The file's cost of trying a passphrase is below the floor, and it is no demonstration."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "its argon2id cost is below the floor, which only demonstration keystores may be. "
            "Make a new keystore",
        )


class KeystoreOfDemonstration(KeystoreError):
    """The file's keys are a demonstration's, and this is none."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, "holds demonstration keys. Create one for production: sesame keys create"
        )


class KeystoreOfProduction(KeystoreError):
    """The file's keys are a bank's, and this is a demonstration."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            "holds production keys, which a demonstration does not touch. Take the line "
            "demonstration = true out, or create demonstration keys",
        )


class WrongPassphrase(KeystoreError):
    """The file is whole and the passphrase does not open it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the passphrase does not open it. Check capital letters and layout")


class PassphraseUnreadable(CustodyError):
    """The passphrase file at `path` cannot be read; `reason` is in the system's own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"passphrase file {path}: {reason}. Check its path and its owner")
        self.path = path
        self.reason = reason


class PassphraseExposed(CustodyError):
    """The `mode` of the passphrase file at `path` lets other users in."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            f"passphrase file {path}: mode {mode:04o} lets other users read or change it. Run "
            "chmod 600 on it, and make a new keystore if somebody could have read it"
        )
        self.path = path
        self.mode = mode


class MalformedPassphrase(CustodyError):
    """The passphrase is no line of text. The message never repeats it."""

    def __init__(self) -> None:
        super().__init__(
            "a passphrase is one line of text in UTF-8, without control characters: "
            "take away line ends and tabs, or save the file as UTF-8"
        )


class WeakPassphrase(CustodyError):
    """A new keystore wants more. The message never repeats the passphrase."""

    def __init__(self, *, shortest: int, different: int) -> None:
        super().__init__(
            f"the passphrase is too weak: use {shortest} characters or more, at least {different} "
            "of them different. Four words drawn by lot will do"
        )
        self.shortest = shortest
        self.different = different


class PublicKeyUnusable(CustodyError):
    """The file at `path` holds no public key that verifies seals; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"public key {path}: {reason}. Give the file that sesame audit create-key made"
        )
        self.path = path
        self.reason = reason


class WrappingKeyUnusable(CustodyError):
    """The file at `path` holds no key under which one is brought to a token; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"wrapping key {path}: {reason}. Give the file that sesame hsm wrapping-key made"
        )
        self.path = path
        self.reason = reason


class UnsuitableKey(CustodyError):
    """The key cannot stand in a keystore."""


class KeyTaken(UnsuitableKey):
    """The key of `label` cannot be added: something of it is another key's."""

    def __init__(self, label: str, problem: str) -> None:
        super().__init__(f"key {label}: {problem}")
        self.label = label


class HsmKeyTaken(KeyTaken):
    """The token has a key of that label, or the one key that there may be for that usage."""


class HsmKeysIncomplete(UnsuitableKey):
    """The token has `count` keys for `usage`, and custody wants one; of an issuer's, at least."""

    def __init__(self, usage: str, count: int) -> None:
        super().__init__(
            f"the token has {count} {usage} keys, custody wants one. Was there one? Put it back, "
            "for another one does not do its work. A new token gets all its keys by sesame hsm "
            "generate"
        )
        self.usage = usage
        self.count = count


class CheckValueDiffers(UnsuitableKey):
    """The key that was to be `label` has the check value `found`, and not `announced`."""

    def __init__(self, label: str, found: bytes, announced: bytes) -> None:
        self.label = label
        self.found = found.hex().upper()
        self.announced = announced.hex().upper()
        super().__init__(
            f"key {label}: its check value is {self.found}, and {self.announced} was announced. It "
            "is not in the token; ask where it comes from"
        )


class AlreadyCurrent(UnsuitableKey):
    """New cards are made under the key of `label` already."""

    def __init__(self, label: str) -> None:
        super().__init__(f"key {label!r} is the current one already: there is nothing to do")
        self.label = label


class NoCurrentKey(CustodyError):
    """No new cards are made: no issuer key for `usage` is current."""

    def __init__(self, usage: str) -> None:
        super().__init__(
            f"no {usage} key is current: say which one is (sesame keys use, or sesame hsm use)"
        )
        self.usage = usage


class KeyMissing(CustodyError):
    """Custody has no key of `label`."""

    def __init__(self, label: str) -> None:
        super().__init__(f"custody has no key {label!r}. Is this the keystore of these cards?")
        self.label = label


class KeyDestroyed(KeyMissing):
    """The key of `label` was destroyed on the day `on`: its cards make no codes any more."""

    def __init__(self, label: str, on: date) -> None:
        CustodyError.__init__(
            self,
            f"key {label!r} was destroyed on {on.isoformat()}: the cards made under it are of no "
            "use any more. Give their holders new ones",
        )
        self.label = label
        self.on = on


class WrongUsage(CustodyError):
    """A key was asked to do what it is not for. Usage is bound to a key for ever."""


class KeyRetired(WrongUsage):
    """No new cards are made under the key of `label`, though codes of old ones are verified."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"key {label!r} only verifies: make new cards under the current key of its usage"
        )
        self.label = label


@unique
class ComponentFault(StrEnum):
    """What is wrong with a component, or with components together."""

    DIGITS = "a component is written in hexadecimal digits, 0 to 9 and A to F, two a byte"
    LENGTH = "this is not as long as the key"
    ZEROS = "a component of zeros hides nothing: the others are the key"
    WEAK = "its halves are alike, or one is a weak or semi-weak DES key"
    CHECK_VALUE = "a check value has six hexadecimal digits"
    NUMBER = "a key is made of two or three components"
    KINDS = "the components are not of one kind of key"
    TWINS = "two components are the same: they cancel each other"


class UnsuitableComponent(CustodyError):
    """What was brought is no component of this key. The message never repeats it."""

    def __init__(self, fault: ComponentFault) -> None:
        super().__init__(f"not to be used as a component: {fault}")
        self.fault = fault


class UnsuitableOfficers(CustodyError):
    """What is done to keys is done by two or more persons, each named."""


class KeyInUse(CustodyError):
    """The key must not be destroyed yet."""


class KeyCurrent(KeyInUse):
    """New cards are made under the key of `label`."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"key {label!r} is the current one: put another to use first (sesame keys use, or "
            "sesame hsm use)"
        )
        self.label = label


class KeyLast(KeyInUse):
    """The key of `label` is the last one for `usage` in a token, whose custody wants one."""

    def __init__(self, label: str, usage: str) -> None:
        super().__init__(
            f"key {label!r} is the token's last one for {usage}, without which custody does not "
            "start. Make the next one first: sesame hsm generate"
        )
        self.label = label
        self.usage = usage


class KeyHasCards(KeyInUse):
    """The key of `label` has `cards` cards, and that many were not given up."""

    def __init__(self, label: str, cards: int) -> None:
        super().__init__(
            f"key {label!r} has {cards} cards, whose codes would be refused for ever. Renew them "
            f"first, or give them up: --give-up-cards {cards}"
        )
        self.label = label
        self.cards = cards


class NotExportable(CustodyError):
    """The key of `label` was made to stay where it is."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"key {label!r} is not exportable: that was decided when it was made, for ever"
        )
        self.label = label


class KeyBlockError(CustodyError):
    """The TR-31 key block cannot be used."""


class MalformedKeyBlock(KeyBlockError):
    """The bytes are no key block that we know; `problem` says where that showed."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the key block: {problem}. Have it sent again as one line of a TR-31 block, "
            "version B or D"
        )
        self.problem = problem


class KeyBlockAltered(KeyBlockError):
    """The block's MAC does not fit."""

    def __init__(self) -> None:
        super().__init__(
            "the key block: its MAC does not fit. Compare the check values of the protection key "
            "on both sides; if they agree, the block was altered"
        )


class UnsuitableKeyBlock(KeyBlockError):
    """The block is whole; its key is not one that we import."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"the key block: {problem}. {remedy}")
        self.problem = problem


class UnsuitableCard(CustodyError):
    """The card's data contradict the profile, or EMV."""


class MalformedInquiry(CustodyError):
    """An inquiry has at most two cards with at most two candidates each."""


class SealBroken(CustodyError):
    """A sealed card does not open.

    From `Custodian.match`, `inquiry` and `question` count from 0 and say which one.
    """

    def __init__(
        self, problem: str, *, inquiry: int | None = None, question: int | None = None
    ) -> None:
        place = "" if inquiry is None else f" (inquiry {inquiry}, question {question})"
        super().__init__(f"sealed card{place}: {problem}. Do not use the row; look at its history")
        self.problem = problem
        self.inquiry = inquiry
        self.question = question

    def asked(self, *, inquiry: int, question: int) -> "SealBroken":
        """The same error, with its place in what the custodian was asked."""
        return SealBroken(self.problem, inquiry=inquiry, question=question)


class PinSealBroken(CustodyError):
    """A sealed PIN does not open. Its card gets no letter: order another card."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"sealed PIN: {problem}. Print no letter for it; look at the order's history, and "
            "order another card"
        )
        self.problem = problem


class ChanceFails(CustodyError):
    """The source of chance gives what no chance gives. Nothing was made."""

    def __init__(self) -> None:
        super().__init__(
            "every PIN that was drawn is a weak one: this is no chance. Make no cards on this "
            "machine before its random numbers are repaired"
        )


class BureauCertificateUnusable(CustodyError):
    """Nothing is enciphered for this certificate of a card bureau, at `path` if it is a file."""

    def __init__(self, problem: str, path: Path | None = None) -> None:
        self.where = "" if path is None else f" {path}"
        super().__init__(
            f"the bureau's certificate{self.where}: {problem}. Have the bureau send another one: "
            "RSA of 3072 bits or more, for enciphering keys"
        )
        self.problem = problem
        self.path = path


class BureauKeyUnusable(CustodyError):
    """The private key at `path` opens no bureau's files."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the bureau's key {path}: {problem}")
        self.path = path
        self.problem = problem


class BureauKeyLocked(BureauKeyUnusable):
    """The key at `path` wants a passphrase."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "it wants a passphrase: give it")


class BureauFileError(CustodyError):
    """The bureau's file at `path` cannot be used. Nothing of its content is said."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"bureau file {path}: {problem}")
        self.path = path


class BureauFileExists(BureauFileError):
    """Something stands at `path` already."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "exists already and stays as it is. Choose another path")


class BureauFileUnusable(BureauFileError):
    """The operating system refuses, or the file is no bureau's; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"cannot be used: {reason}. Nothing was written")
        self.reason = reason


class BureauFileTooNew(BureauFileError):
    """A later version of this program wrote the file."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(path, f"has version {version}, newer than this program knows: update it")
        self.version = version


class BureauFileDamaged(BureauFileError):
    """The file is for another bureau, or its bytes are not those that were written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, f"{problem}. Make no card of it; have the bank send it again")
        self.problem = problem


class IssuingNeedsKeystore(CustodyError):
    """The issuer's keys are in an HSM or another process: no cards are made from there."""

    def __init__(self) -> None:
        super().__init__(
            "cards are made with the issuer's keys in a keystore, and these are in an HSM or in "
            "a custody process: make them where the keystore is (docs/limits.md)"
        )


class ProfileUnknown(CustodyError):
    """The sealed card names a profile that this custody does not hold."""

    def __init__(self, profile: str) -> None:
        super().__init__(f"no profile {profile!r} here: was the card registered by a later sesame?")
        self.profile = profile


class ProfileUnsupported(CustodyError):
    """The keys of this `profile` are not derived by the steps that an HSM offers."""

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"profile {profile!r} wants a tree of session keys (EMV2000), which no HSM derives "
            "inside: keep these cards in a custody of its own, on a keystore"
        )
        self.profile = profile


class CustodyUnavailable(CustodyError):
    """Custody does not answer; `reason` says what is known. Nothing was judged or counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"custody does not answer: {reason}")
        self.reason = reason


class SocketUnreachable(CustodyUnavailable):
    """The custody process behind the socket at `path` does not answer; `problem` says why not."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"socket {path}: {problem}. Start sesame custody serve, or look at the path, the group "
            "and the users in its settings"
        )
        self.path = path
        self.problem = problem


class CustodyBusy(CustodyError):
    """As many as may wait for custody wait already. Nothing was judged or counted."""

    def __init__(self) -> None:
        super().__init__("too many wait for custody already: nothing was counted, try again")


class HsmError(CustodyError):
    """Anything about an HSM, its PKCS#11 module or what is in its token."""


class HsmModuleUnusable(HsmError):
    """The file at `path` does not load as a PKCS#11 module; `reason` in the system's words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"PKCS#11 module {path}: {reason}. Give the path of the library that came with the HSM"
        )
        self.path = path
        self.reason = reason


class HsmLockRefused(HsmError):
    """The module at `path` takes no lock; `reason` in the system's words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"PKCS#11 module {path} cannot be locked ({reason}), so another command could write "
            "at the same time. Name a copy of it on a disk of this machine, the same for everybody"
        )
        self.path = path
        self.reason = reason


class HsmTokenBusy(HsmError):
    """Another command has held the lock on the module at `path` for `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(
            f"PKCS#11 module {path}: another command has been writing for {seconds:.0f} s, and "
            "nothing was done. Let it end, then do this again; `lslocks` shows the process that "
            "holds the lock"
        )
        self.path = path
        self.seconds = round(seconds)


class HsmTokenMissing(HsmError):
    """No slot of the module at `path` holds a token called `label`."""

    def __init__(self, path: Path, label: str) -> None:
        super().__init__(
            f"PKCS#11 module {path}: no token {label!r} in any slot. Plug it in, check the label "
            "and the module's configuration, or make one: sesame hsm init"
        )
        self.path = path
        self.label = label


class HsmTokenExists(HsmError):
    """A token called `label` is there: to make it anew would lose the keys in it."""

    def __init__(self, path: Path, label: str) -> None:
        super().__init__(f"PKCS#11 module {path}: there is a token {label!r} already. Take another")
        self.path = path
        self.label = label


class HsmLabelUnsuitable(HsmError):
    """A token's label has 1 to 32 bytes."""

    def __init__(self, label: str) -> None:
        super().__init__("a token's label has 1 to 32 bytes of UTF-8")
        self.label = label


class HsmKeyUnsuitable(HsmError):
    """The key `label` in the token is not as custody makes them; `problem` says in what."""

    def __init__(self, label: str, problem: str) -> None:
        super().__init__(f"key {label!r} in the token {problem}. Make another: sesame hsm generate")
        self.label = label
        self.problem = problem


class HsmRecordsUnsuitable(HsmError):
    """The token's records of what was done to its keys are not as we write them."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the token's records: {problem}. Only who has its PIN can have done it: find out who"
        )
        self.problem = problem


class HsmRecordsBusy(HsmError):
    """Somebody else wrote a record into the token meanwhile; ours was taken back."""

    def __init__(self) -> None:
        super().__init__(
            "somebody else is at work on this token's keys: our record was taken back. Look at "
            "sesame hsm list, then do it again"
        )


class HsmKeyAway(HsmError):
    """The issuer key of `label` is on record and not in the token, and nobody destroyed it."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"key {label!r} is on record and not in the token, though it was not destroyed. Put it "
            "back, out of the token's backup with its vendor's tool. Only if it is gone for good: "
            f"sesame hsm destroy {label}"
        )
        self.label = label


class HsmSingleKeyAway(HsmError):
    """So is the key of `label`, of whose `usage` there is one only, which nothing replaces."""

    def __init__(self, label: str, usage: str) -> None:
        super().__init__(
            f"key {label!r}, for {usage}, is on record and not in the token. Put it back, out of "
            "the token's backup with its vendor's tool: another one does not open or confirm what "
            "was made with it"
        )
        self.label = label
        self.usage = usage


class HsmKeyLingers(HsmError):
    """The key of `label` is destroyed by its record, and still in the token."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"key {label!r} was destroyed, by its record, and is still in the token. End it: "
            f"sesame hsm destroy {label}"
        )
        self.label = label


class HsmRefused(HsmError):
    """The module answered `function` with `rv`, which it calls `name`. Neither is a secret."""

    def __init__(self, function: str, name: str, rv: int) -> None:
        super().__init__(f"the HSM answered {function} with {name}")
        self.function = function
        self.name = name
        self.rv = rv


class MalformedFrame(CustodyError):
    """What came over the socket is not what we speak. The message repeats nothing of it."""


class CustodySettingsError(CustodyError):
    """The settings of the custody process cannot be read or obeyed; the message says where."""


class SocketError(CustodyError):
    """The custody process cannot listen on the socket at `path`."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"socket {path}: {problem}")
        self.path = path


class SocketTaken(SocketError):
    """A process answers there already."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "another process answers there. Stop it, or name another socket")


class SocketFolderExposed(SocketError):
    """The `mode` of the socket's folder lets other users put a socket of their own there."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            path,
            f"its folder has mode {mode:04o}, so that other users could put a socket of their own "
            "there. Run chmod go-w on the folder, or choose another",
        )
        self.mode = mode


class SocketRefused(SocketError):
    """The operating system refuses; `reason` is in its own words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"{reason}. Check its folder, its owner and the group")
        self.reason = reason
