"""Which database servers the tests find on this machine; `script/test` asks.

Prints a line per server: its name, its URL or a dash, and what was found, separated by tabs.
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


SERVICES: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "postgres": (
        find_postgres,
        [f"postgres://{user}@127.0.0.1:5432/postgres" for user in dict.fromkeys([getpass.getuser(), "postgres"])],
    ),
    "mariadb": (find_mariadb, ["mysql://root@127.0.0.1:3306/mysql"]),
}


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
        sys.stdout.write("\t".join((name, *find(name))) + "\n")


if __name__ == "__main__":
    main()
