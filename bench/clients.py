"""Clients that poll the API over HTTP, and what they were answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """What came of one request: of which kind it was, how it was answered (200, or why not), after how many ms."""

    kind: str
    outcome: int | str
    milliseconds: float


class Site(NamedTuple):
    """Where the API is, and a token that it knows."""

    port: int
    token: str

    def get(self, kind: str, path: str) -> tuple[Answer, bytes]:
        """Ask on a connection of its own; return the answer and its body."""
        begun = time.perf_counter()
        outcome: int | str
        try:
            outcome, body = self._ask(path)
        except (OSError, http.client.HTTPException) as error:
            outcome, body = f"{type(error).__name__}: {error}", b""
        return Answer(kind, outcome, (time.perf_counter() - begun) * 1_000), body

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"Token {self.token}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def poll(site: Site, execution: int, *, clients: int, seconds: float, pause: float) -> list[Answer]:
    """Let `clients` ask for the status and follow the log of `execution`, with a pause after each request; return the answers."""
    found = [Client(site, execution, pause=pause) for _ in range(clients)]
    end = time.monotonic() + seconds
    # Not all of them in the same moment.
    delays = (pause * number / clients for number in range(clients))
    threads = [threading.Thread(target=each.run, args=(end, delay)) for each, delay in zip(found, delays, strict=True)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return [answer for each in found for answer in each.answers]


class Client:
    """Asks for the status, then for what an execution has logged since, and so on."""

    def __init__(self, site: Site, execution: int, *, pause: float) -> None:
        self._site, self._pause = site, pause
        self._following = f"/cron/executions/{execution}/logs"
        self.answers: list[Answer] = []

    def run(self, end: float, delay: float) -> None:
        """Begin after `delay` seconds, and go on until `end` on the steady clock."""
        time.sleep(delay)
        while time.monotonic() < end:
            self._ask("status", "/cron/status")
            if body := self._ask("logs", self._following):
                self._following = json.loads(body)["next"]

    def _ask(self, kind: str, path: str) -> bytes:
        """Return the body, if that was answered 200, and pause."""
        answer, body = self._site.get(kind, path)
        self.answers.append(answer)
        time.sleep(self._pause)
        return body if answer.outcome == 200 else b""


def errors(answers: Sequence[Answer]) -> Counter[str]:
    """Return how often anything but 200 was answered, by kind and by what it was."""
    return Counter(f"{each.kind}: {each.outcome}" for each in answers if each.outcome != 200)
