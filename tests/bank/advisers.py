"""An adviser and two officers of a bank, as its own steps make them, and what they do to cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from sesame.bank.approvals import Kind, Verdict, Wish
from sesame.bank.approving import ask, ask_for_staff, decide
from sesame.bank.bank import Bank
from sesame.bank.calls import Call
from sesame.bank.help_line import oppose
from sesame.bank.helping import Loss
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff, enrol_officer, prepare_bootstrap
from sesame.bank.user_code import UserCode
from tests.bank.branch import ADDRESS, Person
from tests.desk.office import person

_forms = count(1)


@dataclass(frozen=True)
class Desk:
    """Who works at it."""

    adviser: Staff
    officers: Sequence[Staff]

    async def oppose(
        self, bank: Bank, who: Person, cards: Sequence[int], loss: Loss = Loss.STOLEN
    ) -> None:
        """Have *cards* of *who* opposed at *bank*."""
        form = b"oppose" + next(_forms).to_bytes(10)
        call = Call(by=self.adviser, user_code=who.user_code, form=form, address=ADDRESS)
        await oppose(bank, call, loss, cards)

    async def agree(self, bank: Bank, kind: Kind, who: Person, card: int) -> None:
        """Ask for *kind* about a card of *who*, and agree to it."""
        reason = "Demande de l’abonné au guichet"
        wish = Wish(kind, who.user_code, {"card": card}, reason)
        by = self.officers[0] if kind is Kind.LIFT_HOLD else self.adviser
        asked = await ask(bank, by, wish, address=ADDRESS)
        await decide(bank, self.officers[1], asked.id, Verdict.APPROVED, ADDRESS)


async def open_desk(bank: Bank) -> Desk:
    """Hire two officers and an adviser at *bank*."""
    officers = []
    for name in ("Odile Ferrand", "Paul Nogaret"):
        secret, _ = await prepare_bootstrap(
            bank.store, now=bank.now, random_bytes=bank.random_bytes
        )
        new = person(name, Role.OFFICER)
        code = await enrol_officer(bank, secret, new.new, ADDRESS)
        officers.append(_staff(bank, code, name, Role.OFFICER))
    ada = person("Ada Lemoine", Role.ADVISER)
    asked = await ask_for_staff(
        bank, officers[0], ada.new, ada.roles, reason="Embauche du 2 mars", address=ADDRESS
    )
    await decide(bank, officers[1], asked.id, Verdict.APPROVED, ADDRESS)
    return Desk(_staff(bank, UserCode(asked.subject), ada.name, Role.ADVISER), officers)


def _staff(bank: Bank, code: UserCode, name: str, role: Role) -> Staff:
    until = bank.now() + timedelta(hours=1)
    roles = frozenset({role})
    return Staff(user_code=code, name=name, roles=roles, idle_until=until, ends_at=until)
