"""Jars, fetched once for each version, also by a mirror or a proxy; errors say what is missing and why."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlsplit

import pytest

from pinlake.errors import MachineError
from pinlake.spark import jars
from pinlake.spark.jars import fetch_jars, jars_folders, proxy_options

PACKAGE = "org.example:delta-spark_9"
POM = "<project><groupId>org.example</groupId><artifactId>delta-spark_9</artifactId><version>{}</version></project>"
EMPTY_JAR = b"PK\x05\x06" + bytes(18)
SETTINGS = """\
<ivysettings>
  <settings defaultResolver="mirror"/>
  <resolvers><ibiblio name="mirror" m2compatible="true" root="{}/maven2/"/></resolvers>
</ivysettings>
"""


def files(version: str) -> dict[str, bytes]:
    """What a Maven repository has of a version of the package."""
    name = f"org/example/delta-spark_9/{version}/delta-spark_9-{version}"
    return {f"{name}.pom": POM.format(version).encode(), f"{name}.jar": EMPTY_JAR}


def write_package(repository: Path, version: str) -> None:
    """Put a version of the package into a Maven repository."""
    for path, content in files(version).items():
        file = repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with versions 1 and 2 of the package in its Maven repository, which Ivy asks before any other."""
    for version in ("1", "2"):
        write_package(tmp_path / ".m2" / "repository", version)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Duser.home={tmp_path}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http", "https", "no", "all"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)
    return tmp_path


class Web(ThreadingHTTPServer):
    """On the loopback a Maven repository below /maven2/ with version 3 of the package, and a proxy to any other.

    With `password` it lets nobody in who doesn't give it as a proxy's.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self.password: str | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        wanted = b64encode((self.server.password or "").encode()).decode()
        if self.server.password and self.headers["Proxy-Authorization"] != f"Basic {wanted}":
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = files("3").get(urlsplit(self.path).path.removeprefix("/maven2/"))
        self.send_response(502 if self.command == "CONNECT" else 404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET" and content:
            self.wfile.write(content)

    do_HEAD = do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked is in a list."""


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.slow
def test_jars_of_another_version_are_fetched_anew_and_the_old_ones_go(tmp_path: Path) -> None:
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"])) == ["org.example_delta-spark_9-1.jar"]
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:2"])) == ["org.example_delta-spark_9-2.jar"]
    assert names(sorted((tmp_path / "ivy" / "jars").iterdir())) == ["org.example_delta-spark_9-2.jar"]


@pytest.mark.slow
def test_jars_that_are_there_are_taken_without_asking_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"])
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"]) == first
    assert fetch_jars([tmp_path / "other", tmp_path / "ivy"], [f"{PACKAGE}:1"]) == first
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_of_several_that_need_them_at_once_one_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, fetched = jars._resolve, []
    monkeypatch.setattr(jars, "_resolve", lambda folder, packages: fetched.append(resolve(folder, packages)))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"])), range(3)))
    assert (found, len(fetched)) == ([["org.example_delta-spark_9-1.jar"]] * 3, 1)


@pytest.mark.slow
def test_an_unmarked_folder_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "ivy" / "jars").mkdir(parents=True)
    (tmp_path / "ivy" / "jars" / "org.example_delta-spark_9-1.jar").touch()
    (tmp_path / "ivy" / "jars" / "half.jar").touch()
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"])) == ["org.example_delta-spark_9-1.jar"]


@pytest.mark.slow
def test_what_cant_be_fetched_is_told_with_the_reason(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", f"http://{web.address}/maven2/")
    fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:1"])
    with pytest.raises(
        MachineError, match=r"jars of org.example:delta-spark_9:4 could not be fetched to \S+/ivy \(.*not found"
    ):
        fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:4"])
    assert not (tmp_path / "ivy" / "complete").exists()


@pytest.mark.slow
def test_a_mirror_by_a_variable(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", f"http://{web.address}/maven2/")
    # Of another Spark: its settings are not looked at.
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "conf"))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-env.sh").write_text("exit 1\n")
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:3"])) == ["org.example_delta-spark_9-3.jar"]


@pytest.mark.slow
def test_a_mirror_by_the_settings_of_ivy(tmp_path: Path, home: Path, web: Web) -> None:
    (home / ".ivy2").mkdir()
    (home / ".ivy2" / "ivysettings.xml").write_text(SETTINGS.format(f"http://{web.address}"))
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:3"])) == ["org.example_delta-spark_9-3.jar"]


@pytest.mark.slow
def test_a_proxy_that_wants_a_password(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.password = 'jane:p@ss "word"\\'
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", "http://repository.example/maven2/")
    login = quote(web.password, safe=":")
    monkeypatch.setenv("http_proxy", f"http://{login}@{web.address}")
    assert names(fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:3"])) == ["org.example_delta-spark_9-3.jar"]
    jar = "http://repository.example/maven2/org/example/delta-spark_9/3/delta-spark_9-3.jar"
    assert f"GET {jar}" in web.asked


@pytest.mark.slow
def test_a_proxy_to_https_is_asked_too_and_the_error_says_what_may_help(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", "https://repository.example/maven2/")
    monkeypatch.setenv("HTTPS_PROXY", web.address)
    with pytest.raises(
        MachineError, match=r"name a proxy in https_proxy, or a mirror .* in DEFAULT_ARTIFACT_REPOSITORY"
    ):
        fetch_jars([tmp_path / "ivy"], [f"{PACKAGE}:3"])
    assert set(web.asked) == {"CONNECT repository.example:443"}


@pytest.mark.parametrize(
    ("proxies", "options"),
    [
        ({}, []),
        ({"no": "localhost"}, []),
        ({"all": "socks5://127.0.0.1:1080"}, []),
        ({"http": "http://proxy:3128/"}, ["-Dhttp.proxyHost=proxy", "-Dhttp.proxyPort=3128"]),
        ({"https": "proxy"}, ["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=80"]),
        (
            {"https": "http://[::1]:8080", "no": " .a.example, *.b.example,c:8081,10.0.0.1, "},
            [
                "-Dhttps.proxyHost=::1",
                "-Dhttps.proxyPort=8080",
                "-Dhttp.nonProxyHosts=localhost|127.*|[::1]|a.example|*.a.example|b.example|*.b.example|c|*.c"
                "|10.0.0.1|*.10.0.0.1",
            ],
        ),
    ],
)
def test_what_java_is_told_of_proxies(proxies: dict[str, str], options: list[str]) -> None:
    assert proxy_options(proxies) == options


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(MachineError, match=r"https_proxy: .*; it must be as in http://proxy:3128"):
        proxy_options({"https": "http://proxy:port"})


@pytest.mark.slow
def test_where_the_environment_cant_be_written_the_cache_has_the_jars(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = fetch_jars([tmp_path / "file" / "ivy", tmp_path / "cache" / "ivy"], [f"{PACKAGE}:1"])
    assert found == [tmp_path / "cache" / "ivy" / "jars" / "org.example_delta-spark_9-1.jar"]


def test_where_nothing_can_be_written_the_error_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    first, second = tmp_path / "file" / "a", tmp_path / "file" / "b"
    with pytest.raises(MachineError, match=f"neither in {first} nor in {second}, which .* XDG_CACHE_HOME or HOME"):
        fetch_jars([first, second], [f"{PACKAGE}:1"])


def test_each_environment_has_a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, first), (_, of_kafka) = jars_folders(), jars_folders("kafka")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    own, second = jars_folders()
    assert own == tmp_path / "share" / "pinlake" / "ivy"
    assert len({first, second, of_kafka}) == 3
