"""The whole way: a card in a real PC/SC slot, and its codes at a running Coop@net."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.running import Browser, Customer, Demonstration, demonstration
from tests.interop.service import ROOT, Service, running

pytestmark = [
    pytest.mark.needs(
        "pcscd", "vsmartcard-vpcd", "opensc", "python3-pyscard", "gcc", "libpcsclite-dev"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("smartcard") is None,
        reason="pyscard is not built: Python's headers are missing (python3-dev)",
    ),
    pytest.mark.timeout(600),
]

EMVTOOL = ROOT / ".cache" / "interop" / "bin" / "emvtool"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service for these tests, with nothing in its slots."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A bank, running, with its customers and their cards."""
    with demonstration(tmp_path_factory.mktemp("coopnet") / "data") as started:
        yield started


def code_of_emvtool(service: Service, customer: Customer) -> str:
    """Eight digits, by another author's terminal; it leaves a leading zero out."""
    return service.run(str(EMVTOOL), "--pin", customer.pin, "cap").stdout.strip().zfill(8)


def code_of_sesame(service: Service, customer: Customer) -> str:
    """Eight digits, by `sesame code --pcsc`."""
    command = [sys.executable, "-m", "sesame", "code", "--pcsc", "--pin-stdin"]
    return service.run(*command, typed=f"{customer.pin}\n").stdout.strip().replace(" ", "")


def sign_in(demo: Demonstration, customer: Customer, code: str) -> str:
    """Where the form leads: the customer's own space, or back with an error."""
    with Browser(demo.portal) as browser:
        answer = browser.submit(customer.user_code, code)
        return str(answer.headers.get("location", answer.status_code))


@pytest.mark.parametrize("kind", ["sesame", "bank"])
@pytest.mark.parametrize("protocol", ["t0", "t1"])
def test_codes_of_two_programs_sign_in_once_each(
    service: Service, demo: Demonstration, kind: str, protocol: str
) -> None:
    """Both are accepted; the first, when it comes again, is not. emvtool knows T=0 alone."""
    customer = demo.customers(kind)[0]
    programs: list[Callable[[Service, Customer], str]] = [code_of_sesame, code_of_sesame]
    if protocol == "t0":
        if not EMVTOOL.exists():
            pytest.skip("emvtool is missing: run  make interop-environment")
        programs[0] = code_of_emvtool
    with service.plugged(Path(customer.card), "--protocol", protocol):
        first, second = (program(service, customer) for program in programs)
    assert sign_in(demo, customer, first) == "/espace"
    assert sign_in(demo, customer, second) == "/espace"
    assert sign_in(demo, customer, first) == "422"


def test_a_code_that_was_overtaken_is_refused(service: Service, demo: Demonstration) -> None:
    """The second code first: the first one is behind it, and lost."""
    customer = demo.customers("sesame")[-1]
    with service.plugged(Path(customer.card)):
        first, second = (code_of_sesame(service, customer) for _ in range(2))
    assert sign_in(demo, customer, second) == "/espace"
    assert sign_in(demo, customer, first) == "422"
