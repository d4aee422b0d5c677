"""A PostgreSQL server for tests: Debian's, unprivileged, on a socket in a folder of its own, which goes with it."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

USER = "usernym"
STANDBY = "standby"
"""The name that a standby gives to its primary."""
START_S = 60.0


@functools.cache
def binaries() -> Path | None:
    """The folder of the newest server's programs, 15 or newer; None if there is none, or no driver for it."""
    try:
        import psycopg  # noqa: F401 - optional
    except ImportError:
        return None
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin/initdb") if int(path.parts[-3]) >= 15]
    if found:
        return max(found, key=lambda path: int(path.parts[-3])).parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


needs_postgres = pytest.mark.skipif(binaries() is None, reason="NO POSTGRESQL HERE (apt install postgresql-15)")
ON_POSTGRES = pytest.param("postgresql", marks=[needs_postgres, pytest.mark.processes])
"""For a parameter beside "sqlite"."""


class PostgresServer:
    """A server with databases of its own. It does everything that a real one does to keep what it commits.

    `primary`: the server whose standby it is.
    """

    def __init__(self, primary: PostgresServer | None = None) -> None:
        found = binaries()
        assert found is not None, "see `needs_postgres`"
        self._bin = found
        self.folder = Path(tempfile.mkdtemp(prefix="usernym-pg-", dir="/tmp"))
        # The server refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self.data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count(1)
        if primary is None:
            self._run(
                "initdb", "--pgdata", self.data, "--auth=trust", f"--username={USER}", "--no-sync", "--encoding=UTF8"
            )
        else:
            source = primary.url("postgres") + f"&application_name={STANDBY}"
            self._run(
                "pg_basebackup", "--pgdata", self.data, "--dbname", source, "--write-recovery-conf", "--no-sync",
                "--checkpoint=fast",
            )  # fmt: skip
        self.start()

    def _as_user(self) -> dict[str, Any]:
        mine = self._user.pw_uid == os.getuid()
        return {} if mine else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def program(self, name: str) -> str:
        """The path of one of the server's programs."""
        return str(self._bin / name)

    def _run(self, program: str, *arguments: object) -> str:
        command = [self.program(program), *map(str, arguments)]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self._as_user()
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start it, after `kill` again; it answers when this returns."""
        with (self.folder / "log").open("ab") as log:
            command = [
                self.program("postgres"), "-D", str(self.data), "-k", str(self.folder), "-c", "listen_addresses=",
                "-c", "max_connections=60", "-c", "shared_buffers=16MB", "-c", "deadlock_timeout=200ms",
            ]  # fmt: skip
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self._as_user()
            )
        end = time.monotonic() + START_S
        while not self.answers():
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: SIGQUIT is `immediate`, as after a loss of power but for the disk's own caches."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def processes(self) -> list[int]:
        """The ids of its processes: the first one, and those that it started."""
        assert self._process is not None
        first = self._process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"node_{next(self._databases)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement as the server's administrator."""
        import psycopg

        with psycopg.connect(url or self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
