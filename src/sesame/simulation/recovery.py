"""What is done after an older backup was put back, before the first customer is let in.

The stream that left for another host, where there is one, is replayed as `sesame database
replay` does. Cards that came by post, and those that were held, are entered again from what the
desk knows. Then another life of the database begins, and every card is unsure: the desk's too,
for those were entered before it, and who knows what was typed since they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sesame.bank.bank import Bank
from sesame.bank.customers import NewCard
from sesame.bank.replay import Replayed, replay
from sesame.bank.stream import StreamedLine
from sesame.bank.user_code import UserCode
from sesame.simulation.desk import enter_card, enter_hold
from sesame.store.steps import Step


@dataclass(slots=True)
class Shipped:
    """What the desk has done since a backup, in its order, and what its new cards were used for."""

    held: list[tuple[UserCode, int]] = field(default_factory=list)
    renewed: dict[tuple[UserCode, int], NewCard] = field(default_factory=dict)
    # The last ATCs of those, as the stream knows them.
    accepted: dict[tuple[UserCode, int], int] = field(default_factory=dict)
    forgot_devices: set[UserCode] = field(default_factory=set)

    def note_accepted(self, user_code: UserCode, atcs: tuple[tuple[int, int], ...]) -> None:
        """A step raised these cards to these ATCs."""
        self.accepted.update({(user_code, number): atc for number, atc in atcs})

    def note_held(self, user_code: UserCode, card_number: int) -> None:
        """A card was held."""
        self.held.append((user_code, card_number))

    def note_renewed(self, user_code: UserCode, card_number: int, new: NewCard) -> None:
        """Another card came in its place, whose ATCs begin anew."""
        self.renewed[user_code, card_number] = new
        self.held = [one for one in self.held if one != (user_code, card_number)]
        self.accepted.pop((user_code, card_number), None)


async def work_off(bank: Bank, shipped: Shipped, stream: Sequence[Step] | None) -> Replayed:
    """Take the bank to what *shipped* and the *stream* tell of it; without one, to less.

    No card is sure once another life has begun, which is for the caller: see `restored.beat`.
    """
    done = Replayed()
    if stream is not None:
        lines = [StreamedLine(step.user_code, step.line.version, step.line.line) for step in stream]
        done = await replay(bank, lines)
    for (user_code, number), new in shipped.renewed.items():
        known = 0 if stream is None else shipped.accepted.get((user_code, number), 0)
        await enter_card(bank, user_code, number, replace(new, last_atc=known))
    for user_code, number in shipped.held:
        await enter_hold(bank, user_code, number)
    return done
