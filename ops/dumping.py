"""PostgreSQL's own `pg_dump` and `pg_restore`: found, checked against the server, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, make_url

from core.db import Base
from ops.copying import CopyFailed, Step

# Debian keeps each version's programs there.
_INSTALLED = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\) (\d+)")
_VERSION_DATA = re.compile(r"TABLE DATA \S+ alembic_version ")
_DUMPING = "dumping contents of table"
_MOST_ERROR_CHARACTERS = 300


def dump(url: str, target: Path, *, server: Connection, step: Step) -> None:
    """Write the database into `target` by `pg_dump -Fc`, of one moment. Raises CopyFailed."""
    program = _program("pg_dump", least=_version_of(server))
    total = len(Base.metadata.tables)
    arguments = [
        *("--format=custom", "--no-owner", "--no-privileges", "--verbose"),
        *("--file", str(target)),
    ]
    _run(program, arguments, make_url(url), tables=total, step=step)
    listed = _listed(target, server)
    if not _VERSION_DATA.search(listed):
        raise CopyFailed(f"{target.name} has been migrated by nobody.")
    step(total, total)


def check_dump(source: Path, *, server: Connection) -> None:
    """Look at a dump as far as can be without putting it back. Raises CopyFailed."""
    if not _VERSION_DATA.search(_listed(source, server)):
        raise CopyFailed(f"{source.name} is no copy of a Goalpost database.")


def put_back(source: Path, url: str, *, server: Connection, step: Step) -> None:
    """Fill the database from a dump, as a whole or not at all; its tables may be there, empty."""
    program = _program("pg_restore", least=_version_of(server))
    arguments = [
        *("--no-owner", "--no-privileges", "--clean", "--if-exists", "--verbose"),
        *("--single-transaction", "--exit-on-error", str(source)),
    ]
    _run(program, arguments, make_url(url), tables=len(Base.metadata.tables), step=step)


def _listed(path: Path, server: Connection) -> str:
    program = _program("pg_restore", least=_version_of(server))
    found = subprocess.run(  # noqa: S603 - found in PATH, or where Debian keeps it
        [program, "--list", path], capture_output=True, text=True, check=False, errors="replace"
    )
    if found.returncode:
        raise CopyFailed(f"{path.name} is no dump that pg_restore reads.")
    return found.stdout


def _version_of(server: Connection) -> int:
    info = server.dialect.server_version_info or (0,)
    return int(info[0])


def _program(name: str, *, least: int) -> str:
    """Return a program that is as new as the server; an older one refuses it, or loses things."""
    versions = sorted(_INSTALLED.glob(f"*/bin/{name}"), key=lambda path: -int(path.parts[-3]))
    found = {}
    for program in (shutil.which(name), *map(str, versions)):
        if program is None:
            continue
        told = subprocess.run(  # noqa: S603 - as above
            [program, "--version"], capture_output=True, text=True, check=False
        ).stdout
        match = _VERSION.search(told)
        if match is None:
            continue
        if int(match[1]) >= least:
            return program
        found[program] = match[1]
    if not found:
        raise CopyFailed(
            f"{name} is not here: install PostgreSQL's client programs, version {least} or newer"
            f" (Debian: postgresql-client-{least}), or copy the database where they are."
        )
    old = ", ".join(f"{program} is {version}" for program, version in found.items())
    raise CopyFailed(f"The server is PostgreSQL {least}, and {old}: install {name} {least}.")


def _run(program: str, arguments: list[str], url: URL, *, tables: int, step: Step) -> None:
    conninfo, environment = connection_of(url)
    done = 0
    last = ""
    # Where the process can be looked at, there is no password: it goes by the environment.
    with subprocess.Popen(  # noqa: S603 - as above
        [program, *arguments, f"--dbname={conninfo}", "--no-password"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        for line in process.stderr or ():
            if _DUMPING in line or "processing data for table" in line:
                done += 1
                step(min(done, tables), tables)
            if "error:" in line:
                last = last or line.strip()
    if process.returncode:
        raise CopyFailed(f"{Path(program).name} failed: {last[:_MOST_ERROR_CHARACTERS]}")


def connection_of(url: URL) -> tuple[str, Mapping[str, str]]:
    """Return how to connect without the password, and the environment that has it."""
    _, given = url.get_dialect()().create_connect_args(url)
    password = given.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo(**given), environment
