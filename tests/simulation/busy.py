"""A small bank in which much happens, for short runs."""

from dataclasses import replace

from sesame.simulation.plan import Habits, Plan

BUSY = Habits(
    curious=0.3,
    overlooked=1.0,
    harvested=1.0,
    lost=0.5,
    forgotten_pin=0.3,
    vandalised=0.5,
    mistyped=0.05,
    crashed=0.02,
    wrong_key=0.01,
    forgets_devices=0.5,
    passed_by=0.2,
    kept=0.5,
    restores=20,
)
SHORT = Plan(customers=40, days=40, seed=7, habits=BUSY)
# A day of a bank that is large enough for a flood from an office, where many sign in from
# computers that they share.
FLOODED = Plan(customers=300, days=1, seed=5, habits=Habits(logins=1, elsewhere=0.3, restores=0))
# The same bank, where days lie between the campaign and the flood, and little else happens.
CALM = replace(
    FLOODED,
    days=20,
    habits=Habits(
        logins=0.02, payments=0, unused=0, crashed=0, mistyped=0, vandalised=0, restores=0
    ),
)
