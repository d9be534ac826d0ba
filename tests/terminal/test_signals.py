"""`sesame.terminal.signals`: a program that waits for the keyboard ends when it is told to."""

import os
import signal
import threading

import pytest

from sesame.terminal.signals import ended_in_order


def test_a_signal_that_interrupts_no_read_is_heard() -> None:
    """As one that comes just before it, or one that another thread of the process was given."""
    ours, theirs = os.pipe()

    def tell() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    late: list[int] = []
    told = threading.Timer(0.2, tell)
    given_up = threading.Timer(60, lambda: late.append(os.write(theirs, b".")))
    told.start()
    given_up.start()
    before = signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, ended_in_order():
        os.read(ours, 1)
    given_up.cancel()
    assert not late
    assert ended.value.code == 128 + signal.SIGTERM
    assert (signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGTERM)) == before
    os.close(ours)
    os.close(theirs)


def test_a_clock_that_somebody_else_set_goes_on() -> None:
    """It is given back as it was."""
    before = signal.setitimer(signal.ITIMER_REAL, 500)
    with ended_in_order():
        assert signal.getitimer(signal.ITIMER_REAL)[0] < 1
    assert 400 < signal.setitimer(signal.ITIMER_REAL, *before)[0] <= 500
