"""A PostgreSQL for the tests: the one that is named, or one of our own for as long as they run.

One server serves all workers of a run. The first that needs it starts it, under a lock in the
run's folder; the controlling process, which made the folder, stops it. A run that needs none
starts none.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMED_SERVER = "GOALPOST_TEST_POSTGRES_URL"
_RUN_FOLDER = "GOALPOST_TEST_RUN"
_START_SECONDS = 60
# PostgreSQL refuses to run as root. This user is in every passwd file and owns nothing.
_OTHER_THAN_ROOT = "nobody"
_OPTIONS = ("listen_addresses=''", "max_connections=200", "timezone=UTC")
# The books of a test need not outlive it.
_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class NoServer(Exception):
    """There is no PostgreSQL to test with, and none can be started."""


def open_run() -> Path:
    """Make the folder of this run and tell the workers of it, which inherit our environment."""
    # Sockets have short names only, so the folder lies right under the temporary one.
    folder = Path(tempfile.mkdtemp(prefix="goalpost-"))
    os.environ[_RUN_FOLDER] = str(folder)
    return folder


def close_run(folder: Path) -> None:
    """Stop the run's server, if one was started, and remove everything of it."""
    programs = folder / "programs"
    if programs.exists():
        _run(Path(programs.read_text()) / "pg_ctl", "stop", "-m", "immediate", folder=folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.environ.pop(_RUN_FOLDER, None)


def server_address(*, durable: bool = False) -> str:
    """Return the address of a server, with no database in it; start one if this run has none.

    A `durable` one has what it commits on the disk before it says so: the benchmark's. Raises
    NoServer, with a sentence: tests of PostgreSQL are never left out silently.
    """
    named = os.environ.get(NAMED_SERVER)
    if named:
        return named
    folder = Path(os.environ[_RUN_FOLDER])
    with _locked(folder / "lock"):
        if not (folder / "programs").exists():
            programs = _find_programs(folder)
            _start(programs, folder, () if durable else _FORGETFUL)
            (folder / "programs").write_text(str(programs))
    return f"postgresql://goalpost@/postgres?host={folder / 'data'}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_programs(folder: Path) -> Path:
    packaged = importlib.util.find_spec("pgserver")
    if packaged is not None and packaged.origin is not None:
        package = Path(packaged.origin).parent
        return _reachable(package, folder) / "pginstall" / "bin"
    in_path = shutil.which("initdb")
    if in_path:
        return Path(in_path).resolve().parent
    # Debian keeps them out of PATH; the newest version is the last.
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if installed:
        return installed[-1].parent
    raise NoServer(
        "No PostgreSQL to test with: `make test` installs one from requirements-dev.txt (pgserver);"
        f" where that has none for this machine, install PostgreSQL or set {NAMED_SERVER}."
    )


def _reachable(package: Path, folder: Path) -> Path:
    """Return the package where the user that is to run it can read it: root's home is closed."""
    if os.geteuid() != 0:
        return package
    libraries = package.with_name("pgserver.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(package, folder / package.name))


def _start(programs: Path, folder: Path, more_options: tuple[str, ...]) -> None:
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        folder.chmod(0o755)
        owner = pwd.getpwnam(_OTHER_THAN_ROOT)
        os.chown(data, owner.pw_uid, owner.pw_gid)
    _run(
        programs / "initdb",
        "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username=goalpost",
        folder=folder,
    )  # fmt: skip
    settings = (*_OPTIONS, *more_options, f"unix_socket_directories={data}")
    options = " ".join(f"-c {setting}" for setting in settings)
    log = data / "log"
    _run(programs / "pg_ctl", "start", "-w", "-l", str(log), "-o", options, folder=folder)


def _run(program: Path, *arguments: str, folder: Path) -> None:
    data = folder / "data"
    # Into a file, not a pipe: the server inherits it, and a pipe would stay open as long as it.
    with (folder / "output").open("a+") as output:
        finished = subprocess.run(
            [program, "-D", data, *arguments],
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_START_SECONDS,
            user=_OTHER_THAN_ROOT if os.geteuid() == 0 else None,
            group=pwd.getpwnam(_OTHER_THAN_ROOT).pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )
        if finished.returncode:
            output.seek(0)
            raise NoServer(f"{program} failed:\n{output.read()}")
