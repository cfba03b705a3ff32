"""Where the tests keep their files: in memory, where the machine has room there.

SQLite, as we open it, goes on only when a commit is on the disk, and creating a database of
PostgreSQL writes hundreds of files. The tests do both by the thousand, and a disk makes them wait.
None of them pulls the plug: what a killed process wrote stays, in memory as on a disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by `tempfile`
# A run takes some 300 MB; a container often has 64.
ROOM_BYTES = 2 * 1024**3


def keep_files_in_memory() -> None:
    """Have `tempfile`, and so pytest and what it starts, make its folders in memory.

    A TMPDIR that is set decides instead.
    """
    if "TMPDIR" not in os.environ and _is_fit(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it may have looked already


def _is_fit(folder: Path) -> bool:
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < ROOM_BYTES:
        return False
    # A PostgreSQL that runs as another user than root is copied there, and started.
    return not os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0)
