"""Two hundred browsers, one fresh code, four server processes on one SQLite file."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.contract.running import LOGIN, TLS, Browser, demonstration, free_port, fresh_code, server

BROWSERS = 200
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@pytest.mark.parametrize("kind", ["bank", "sesame"])
def test_exactly_one_of_two_hundred_browsers_gets_in(tmp_path: Path, kind: str) -> None:
    """One 303; the others 422, 429 or 503; afterwards the code is used for everybody."""
    folder = tmp_path / "data"
    port = free_port()
    with demonstration(folder, port=port) as demo:
        customer = demo.customers(kind)[0]
        code = fresh_code(customer)
    with server(folder / "settings.toml", port, workers=4):
        address = f"http://127.0.0.1:{port}"
        statuses = asyncio.run(_all_at_once(address, customer.user_code, code))
        assert statuses[303] == 1, statuses
        assert set(statuses) <= {303, 422, 429, 503}, statuses
        assert statuses.total() == BROWSERS
        with Browser(address) as late:
            assert late.submit(customer.user_code, code).status_code in {422, 429}


async def _all_at_once(address: str, user_code: str, code: str) -> Counter[int]:
    """Everybody opens the form first; then all send it in the same moment."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    clients = [
        httpx.AsyncClient(base_url=address, limits=limits, timeout=60, verify=TLS)
        for _ in range(BROWSERS)
    ]
    ready = asyncio.Barrier(BROWSERS)

    async def one(client: httpx.AsyncClient) -> int:
        page = await client.get(LOGIN)
        fields = {**dict(_HIDDEN.findall(page.text)), "user_code": user_code, "code": code}
        await ready.wait()
        return (await client.post(LOGIN, data=fields)).status_code

    try:
        return Counter(await asyncio.gather(*map(one, clients)))
    finally:
        for client in clients:
            await client.aclose()
