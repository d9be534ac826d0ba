"""From a failure in a whole bank to the shortest story that shows it.

First everybody is left out but whom it befell; then event after event, as long as the same rule
is broken (delta debugging, Zeller and Hildebrandt 2002). What is left is told.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from sesame.simulation.events import NOBODY_IN_PARTICULAR, Event
from sesame.simulation.events import OF_CUSTOMER as _OF_CUSTOMER
from sesame.simulation.lives import life, restores, strangers
from sesame.simulation.plan import Plan
from sesame.simulation.server import Sentence
from sesame.simulation.world import Violation, World


@dataclass(frozen=True, slots=True)
class Story:
    """The shortest list of events that breaks the rule, and what happens in it."""

    violation: Violation
    events: Sequence[Event]
    sentences: Sequence[Sentence]


def shortest_story(plan: Plan, violation: Violation) -> Story | None:
    """The shortest story of *violation*; None where it does not happen to its user code alone."""
    found: dict[tuple[Event, ...], Story] = {}

    def breaks(events: Sequence[Event]) -> bool:
        story = asyncio.run(_play(plan, events, violation))
        if story is not None:
            found[tuple(events)] = story
        return story is not None

    events = _until(plan, violation)
    if not breaks(events):
        return None
    return found[tuple(fewest(events, breaks))]


def _until(plan: Plan, violation: Violation) -> list[Event]:
    """All that happened to the user code, and to the bank, before the rule was broken."""
    who = violation.who
    lived = life(plan, who) if who >= 0 else iter(())
    return sorted(
        event
        for event in chain(lived, strangers(plan, who), restores(plan))
        if event.at <= violation.at
    )


async def _play(plan: Plan, events: Sequence[Event], violation: Violation) -> Story | None:
    """Play *events* alone: their story, if they break the same rule."""
    world = World(plan, only=[violation.who], tells=True)
    await world.populate()
    mine = [event for event in events if event.who != NOBODY_IN_PARTICULAR]
    world.begin(
        [
            iter([event for event in mine if event.kind in _OF_CUSTOMER]),
            iter([event for event in mine if event.kind not in _OF_CUSTOMER]),
        ],
        [event for event in events if event.who == NOBODY_IN_PARTICULAR],
    )
    try:
        await world.advance(violation.at + 1)
    except Violation as found:
        return Story(found, events, world.story) if found.rule is violation.rule else None
    finally:
        await world.close()
    return None


def fewest(events: list[Event], breaks: Callable[[list[Event]], bool]) -> list[Event]:
    """A part of *events* of which none can be left out."""
    pieces = 2
    while len(events) > 1:
        size = -(-len(events) // pieces)
        for begin in range(0, len(events), size):
            rest = events[:begin] + events[begin + size :]
            if rest and breaks(rest):
                events, pieces = rest, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(events), 2 * pieces)
    return events
