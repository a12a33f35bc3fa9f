"""Brokers of our own, on free ports of the loopback, that can be stopped, frozen and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.private_servers import PrivateServer, free_port, program, running

PASSWORD = "correct-horse"


class PrivateRedis(PrivateServer):
    """Redis, which keeps nothing: what it has is lost when it stops."""

    name = "Redis"
    politely = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def create(self) -> None:
        program("redis-server", self.name)

    def _command(self) -> Sequence[str]:
        options = {"bind": "127.0.0.1", "port": self.port, "requirepass": PASSWORD, "save": "", "appendonly": "no"}
        pairs = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return [program("redis-server", self.name), *pairs, "--dir", str(self.directory)]

    def _connect(self) -> Any:
        import redis

        client = redis.Redis.from_url(self.url, socket_connect_timeout=3, socket_timeout=3)
        client.ping()
        return client


class PrivateRabbitMQ(PrivateServer):
    """RabbitMQ, which keeps what is durable."""

    name = "RabbitMQ"
    politely = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"amqp://bench:{PASSWORD}@127.0.0.1:{self.port}//"

    def create(self) -> None:
        _rabbitmq_program()
        # Instead of the guest that everybody knows.
        lines = (
            "default_user = bench",
            f"default_pass = {PASSWORD}",
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
        )
        (self.directory / "rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="ascii")

    def stop(self, *, crash: bool = False, within: float = 30.0) -> None:
        if crash and self._child is not None:
            # The server proper runs below a script.
            os.killpg(self._child.process.pid, signal.SIGKILL)
        super().stop(crash=crash, within=within)

    def _command(self) -> Sequence[str]:
        places = {
            "HOME": self.directory,
            "RABBITMQ_NODENAME": f"cronjobs-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": free_port(),
            "RABBITMQ_MNESIA_BASE": self.directory / "mnesia",
            "RABBITMQ_LOG_BASE": self.directory / "log",
            "RABBITMQ_CONFIG_FILE": self.directory / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.directory / "plugins",
            "RABBITMQ_PID_FILE": self.directory / "pid",
            "RABBITMQ_LOGS": "-",
        }
        return ["env", *(f"{name}={value}" for name, value in places.items()), _rabbitmq_program()]

    def _connect(self) -> Any:
        from kombu import Connection

        connection = Connection(self.url, connect_timeout=3)
        connection.connect()
        return connection


BROKERS: dict[str, type[PrivateServer]] = {"redis": PrivateRedis, "rabbitmq": PrivateRabbitMQ}


def private_broker(kind: str) -> AbstractContextManager[PrivateServer]:
    """Run a broker of that kind (``redis``, ``rabbitmq``) meanwhile; raise `ServerMissing` where there is none."""
    return running(BROKERS[kind])


def _rabbitmq_program() -> str:
    # Not the wrapper in the search path, which becomes another user.
    packaged = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(packaged) if packaged.exists() else program("rabbitmq-server", "RabbitMQ")
