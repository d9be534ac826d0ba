"""How fast a bank is lived: simulated logins a second, in one process.

A simulated login is more than a server's: the chip and the reader that make the code, the
payments before it, the model that judges the answer. Its database is in memory.
"""

import statistics
import time

from sesame.simulation.book import Count
from sesame.simulation.plan import Plan
from sesame.simulation.run import simulate

ROUNDS = 3
PLAN = Plan(customers=150, days=60, seed=1)


def measure(plan: Plan = PLAN) -> dict[str, float]:
    """The median of some rounds, enrolment and all: `simulated_per_second`."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        logins = simulate(plan).total[Count.LOGINS]
        rates.append(logins / (time.perf_counter() - began))
    return {"simulated_per_second": statistics.median(rates)}
