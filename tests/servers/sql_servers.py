"""MariaDB and PostgreSQL: real servers on this machine, started for the tests and ended by them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from tools.ports import free_port

PASSWORD = "p@ss:w/rd%41"  # every character that means something in a URL


@dataclass
class Server:
    """One server program with a folder and a port of its own."""

    name: str
    command: list[str]
    url: str
    folder: Path
    stop_signal: signal.Signals
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder, **as_user())

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        self.process = None


def as_user() -> dict[str, Any]:
    """Options of a process: these servers refuse to be run by root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def program(name: str, *folders: str) -> str:
    """A program on the PATH or in one of the folders where packages put it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *folders]))
    if found is None:
        pytest.skip(f"program {name} is not installed")
    return found


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **as_user())
    assert done.returncode == 0, done.stdout + done.stderr


def mariadb(folder: Path) -> Server:
    install, serve = program("mariadb-install-db"), program("mariadbd", "/usr/sbin", "/usr/local/sbin")
    data, port = f"--datadir={folder}/data", free_port()
    run(install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db", folder=folder)
    (folder / "init.sql").write_text(
        "CREATE DATABASE IF NOT EXISTS posts;\n"
        f"CREATE USER IF NOT EXISTS ada@127.0.0.1 IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON posts.* TO ada@127.0.0.1;\n"
    )
    places = [data, f"--port={port}", f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
    limits = ["--bind-address=127.0.0.1", "--skip-name-resolve", f"--init-file={folder}/init.sql"]
    command = [serve, "--no-defaults", *places, *limits]
    return Server("mariadb", command, f"mysql://ada@127.0.0.1:{port}/posts", folder, signal.SIGTERM)


def postgresql(folder: Path, password: str = PASSWORD) -> Server:
    newest_first = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    init, serve = program("initdb", *newest_first), program("postgres", *newest_first)
    data, port = f"{folder}/data", free_port()
    (folder / "password").write_text(password)
    secret = ["--auth=scram-sha-256", f"--pwfile={folder}/password"]
    run(init, "-D", data, "-U", "ada", "-E", "UTF8", "--locale=C", "--no-sync", *secret, folder=folder)
    command = [serve, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"]
    # Fast shutdown: without it, it waits until all who are connected have gone.
    return Server("postgresql", command, f"postgresql://ada@127.0.0.1:{port}/postgres", folder, signal.SIGINT)


@contextmanager
def running_server(make: Callable[[Path], Server]) -> Iterator[Server]:
    """A started server, in a folder of its own. It may not accept connections yet."""
    # Not tmp_path: its folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="pinlake-"))
    try:
        if user := as_user():
            os.chown(folder, user["user"], user["group"])
        made = make(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def connected(server: Server) -> Any:
    """A connection that shares nothing with the code that is tested; waits until the server is up."""
    driver = "mysql+pymysql" if server.name == "mariadb" else "postgresql+pg8000"
    return reachable(sql.make_url(server.url).set(drivername=driver, password=PASSWORD)).begin()


def reachable(url: sql.URL) -> sql.Engine:
    """An engine for a server; waits until it is up."""
    engine = sql.create_engine(url, poolclass=sql.NullPool)
    for _ in range(300):
        try:
            engine.connect().close()
            break
        except sql.exc.DBAPIError:
            time.sleep(0.1)
    return engine
