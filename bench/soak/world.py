"""What the clients of a soak share: where the server is, chance, and what they saw that was not to be seen."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp

from stage import API_KEY, Stage, token

# Longer than anything that a client waits for takes on a busy machine.
PATIENCE = 30.0
RARE_CHANNELS = 500


class World:
    def __init__(self, stage: Stage, http: aiohttp.ClientSession, seed: int) -> None:
        self.stage = stage
        self.http = http
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.over = asyncio.Event()
        self._numbers = 0

    def number(self) -> int:
        """One that nobody had before."""
        self._numbers += 1
        return self._numbers

    def rare(self) -> str:
        """A channel that nobody used lately, most likely. There are not more of them, because the server
        remembers for a day where a channel was."""
        return f"rare:{self.number() % RARE_CHANNELS}"

    def token(self, seconds: float = 60) -> str:
        """Of a user who was never there."""
        return token(f"user-{self.number()}", seconds)

    def from_somewhere(self) -> dict[str, str]:
        """Headers of a client with an address of its own, behind the trusted proxy."""
        place = self.chance.randrange(1 << 24)
        return {"X-Forwarded-For": f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}"}

    def bearer(self, seconds: float = 60) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(seconds)}", **self.from_somewhere()}

    def wrong(self, what: str) -> None:
        self.unexpected[what[:200]] += 1

    async def api(self, path: str, body: dict, expected: tuple[int, ...] = (200,)) -> dict:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with self.http.post(f"{self.stage.http}/api/v1/{path}", json=body, headers=headers) as answer:
            if answer.status not in expected:
                self.wrong(f"POST {path} was answered {answer.status}: {await answer.text()}")
                return {}
            return await answer.json()

    async def rest(self, seconds: float) -> None:
        """Waits for about so long, or until it is over."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds * self.chance.uniform(0.5, 1.5))
        except TimeoutError:
            pass

    async def repeat(self, name: str, act: Callable[["World"], Awaitable[None]], pause: float) -> None:
        """Acts again and again until it is over. What it raises was not expected."""
        await self.rest(pause)
        while not self.over.is_set():
            try:
                await act(self)
                self.done[name] += 1
            except Exception as error:
                self.wrong(f"{name}: {type(error).__name__}: {error}")
            await self.rest(pause)
