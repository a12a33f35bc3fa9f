"""Which databases and brokers the tests find on this machine; `script/test` asks.

Prints a line per server: its kind, its name, its URL or a dash, and what was found, separated by tabs.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from typing import Any

import dj_database_url


def find_postgres(url: str) -> str:
    """Return the version of the server at `url`; raise if tests cannot use it."""
    import psycopg

    with psycopg.connect(url, connect_timeout=3) as connection:
        row = connection.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
        if not (row and row[0]):
            raise PermissionError("its user may not create databases")
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


def find_mariadb(url: str) -> str:
    """Return the version of the server at `url`; raise if tests cannot use it."""
    import MySQLdb

    parts = dj_database_url.parse(url)
    connection: Any = MySQLdb.connect(
        host=parts["HOST"],
        port=int(parts["PORT"] or 3306),
        user=parts["USER"],
        password=parts["PASSWORD"],
        connect_timeout=3,
    )
    try:
        return f"MariaDB {connection.get_server_info()}"
    finally:
        connection.close()


def find_redis(url: str) -> str:
    """Return the version of the server at `url`; raise if tests cannot use it."""
    import redis

    with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
        info: Any = client.info("server")
        return f"Redis {info['redis_version']}"


def find_rabbitmq(url: str) -> str:
    """Return the version of the server at `url`; raise if tests cannot use it."""
    from kombu import Connection

    with Connection(url, connect_timeout=3) as connection:
        connection.connect()
        return f"RabbitMQ {connection.connection.server_properties['version']}"


SERVICES: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "postgres": (
        find_postgres,
        [f"postgres://{user}@127.0.0.1:5432/postgres" for user in dict.fromkeys([getpass.getuser(), "postgres"])],
    ),
    "mariadb": (find_mariadb, ["mysql://root@127.0.0.1:3306/mysql"]),
    "redis": (find_redis, ["redis://127.0.0.1:6379/11"]),
    "rabbitmq": (find_rabbitmq, ["amqp://guest:guest@127.0.0.1:5672//"]),
}
BROKERS = ("redis", "rabbitmq")


def find(name: str) -> tuple[str, str]:
    """Return the URL of a usable server, or a dash, and what was found."""
    look, usual = SERVICES[name]
    given = os.environ.get(f"TEST_{name.upper()}_URL")
    complaint = ""
    for url in [given] if given else usual:
        try:
            return url, look(url)
        except Exception as error:  # noqa: BLE001  # any reason is a reason to go without
            complaint = complaint or " ".join(str(error).split())
    return "-", complaint


def main() -> None:
    for name in SERVICES:
        kind = "broker" if name in BROKERS else "database"
        sys.stdout.write("\t".join((kind, name, *find(name))) + "\n")


if __name__ == "__main__":
    main()
