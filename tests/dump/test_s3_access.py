"""Who asks for a bucket, and where: roles, keys, regions and endpoints, on the driver and after a journey."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pinlake.dump.s3 import S3Store
from pinlake.errors import MachineError, SourceError, UsageError
from pinlake.ingest.reader import told_by_worker
from tests.servers.s3_server import EXPIRED, ROLE_DENIED, S3, SLOW_DOWN

ROLE = f"arn:aws:iam::{'0' * 12}:role/reader"
KEYS = ("given-key", "made-up-secret-of-tests", "made-up-word")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.clients.waits.growing.max", 0.01)


def roles_asked(s3: S3) -> int:
    return s3.requests.count(("POST", "/"))


def role_keys(number: int, lasting: timedelta) -> tuple[int, bytes]:
    """An answer of the token service."""
    until = datetime.now(UTC) + lasting
    return 200, (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>role-key-{number}</AccessKeyId><SecretAccessKey>made-up-secret-of-tests</SecretAccessKey>"
        f"<SessionToken>made-up-word</SessionToken><Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


def test_a_role_is_assumed(s3: S3) -> None:
    store = S3Store("s3://landing", ROLE)
    store.write("t/1", b"x")
    assert roles_asked(s3) == 1, "the role's keys come from the token service"
    assert store.read("t/1").content == b"x"
    assert roles_asked(s3) == 1, "they are used as long as they last"


def test_a_worker_fetches_a_roles_keys_anew_before_they_expire(s3: S3) -> None:
    s3.client().put_object(Bucket="landing", Key="t/1", Body=b"x")
    # So soon that keys are fetched again with each request.
    s3.rule = lambda method, path: (
        role_keys(roles_asked(s3), timedelta(minutes=5)) if (method, path) == ("POST", "/") else None
    )
    store = S3Store("s3://landing", ROLE)
    store.entries("t")
    travelled = pickle.dumps(store)
    assert b"role-key" not in travelled
    assert b"made-up" not in travelled
    s3.requests.clear()
    s3.keys.clear()
    worker = pickle.loads(travelled)
    assert [worker.read("t/1").content for _ in range(3)] == [b"x"] * 3
    assert roles_asked(s3) >= 3
    assert {"role-key-1", "role-key-2", "role-key-3"} <= s3.keys


def test_a_role_that_cant_be_assumed_is_no_fault_of_objects(s3: S3) -> None:
    s3.client().put_object(Bucket="landing", Key="t/1", Body=b"x")
    s3.rule = lambda method, path: (403, ROLE_DENIED) if method == "POST" else None
    told = rf"\(AccessDenied\): role {ROLE} can't be assumed; .* sts:AssumeRole; check the setting s3_role"
    store = S3Store("s3://landing", ROLE)
    with pytest.raises(SourceError, match=told):
        store.entries("t")
    assert len(s3.requests) == 1
    with pytest.raises(SourceError, match=told):
        store.read("t/1")
    with pytest.raises(SourceError, match=told):
        list(pickle.loads(pickle.dumps(store)).read_all(["t/1"]))
    with pytest.raises(SourceError, match=told):
        store.stat("t/1")
    with pytest.raises(MachineError, match=told):
        store.write("t/2", b"x")


def test_a_role_of_the_configuration_that_cant_be_assumed(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        f"[profile mine]\nrole_arn = {ROLE}\nsource_profile = base\n\n"
        f"[profile base]\naws_access_key_id = a\naws_secret_access_key = {KEYS[1]}\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    s3.rule = lambda method, path: (403, ROLE_DENIED) if method == "POST" else None
    with pytest.raises(SourceError, match=r"\(AccessDenied\): role of the AWS configuration can't be assumed"):
        list(S3Store("s3://landing").read_all(["t/1"]))


def test_a_role_isnt_given_to_keys_that_have_expired(s3: S3) -> None:
    expired = ROLE_DENIED.replace(b"AccessDenied", b"ExpiredToken")
    s3.rule = lambda method, path: (403, expired) if method == "POST" else None
    with pytest.raises(SourceError, match=rf"\(ExpiredToken\): role {ROLE} can't be assumed; the session's token has"):
        list(S3Store("s3://landing", ROLE).read_all(["t/1"]))


def test_a_token_service_that_is_busy_is_waited_for(s3: S3) -> None:
    failures = iter([(503, SLOW_DOWN)] * 3)
    s3.rule = lambda method, path: next(failures, None) if method == "POST" else None
    S3Store("s3://landing", ROLE).write("t/1", b"x")


def test_a_role_needs_somebody_to_assume_it(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match="no credentials were found; set AWS_ACCESS_KEY_ID"):
        S3Store("s3://landing", ROLE).read("t/1")


def test_what_a_worker_says_is_found_in_sparks_trace() -> None:
    trace = "Job aborted\n  File x\npinlake.errors.SourceError: bucket s3://a can't give b; do c\n\nDriver stacktrace:"
    assert str(told_by_worker(RuntimeError(trace))) == "bucket s3://a can't give b; do c"
    assert told_by_worker(RuntimeError("Job aborted")) is None


@pytest.mark.parametrize("service", ["", "_S3"])
def test_a_worker_asks_the_endpoint_and_region_of_the_driver(
    s3: S3, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    s3.client().put_object(Bucket="landing", Key="t/1", Body=b"x")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(f"AWS_ENDPOINT_URL{service}", s3.address)
    travelled = pickle.dumps(S3Store("s3://landing"))
    monkeypatch.delenv(f"AWS_ENDPOINT_URL{service}")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert pickle.loads(travelled).read("t/1").content == b"x"
    assert pickle.loads(pickle.dumps(pickle.loads(travelled))).read("t/1").content == b"x", "and once more"


def test_a_worker_asks_the_endpoints_of_the_drivers_profile(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    s3.client().put_object(Bucket="landing", Key="t/1", Body=b"x")
    (tmp_path / "config").write_text(
        f"[profile mine]\nregion = eu-west-1\nservices = here\n\n[services here]\ns3 =\n  endpoint_url = {s3.address}\n"
        f"sts =\n  endpoint_url = {s3.address}\n"
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with monkeypatch.context() as driver:
        driver.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        driver.setenv("AWS_PROFILE", "mine")
        travelled = pickle.dumps(S3Store("s3://landing", ROLE))
    assert pickle.loads(travelled).read("t/1").content == b"x"
    assert roles_asked(s3) == 1


def test_keys_in_variables_travel_and_those_in_files_are_each_machines_own(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "driver-key")
    store = S3Store("s3://landing")
    store.write("t/1", b"x")
    travelled = pickle.dumps(store)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert pickle.loads(travelled).read("t/1").content == b"x"
    assert s3.keys == {"driver-key"}
    for name in ("driver", "worker"):
        lines = f"[default]\naws_access_key_id = {name}-file\naws_secret_access_key = made-up-secret-of-tests\n"
        (tmp_path / name).write_text(lines)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "driver"))
    travelled = pickle.dumps(S3Store("s3://landing"))
    assert b"made-up-secret-of-tests" not in travelled
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "worker"))
    pickle.loads(travelled).read("t/1")
    assert s3.keys == {"driver-key", "worker-file"}


def test_keys_that_are_given_are_used_and_travel(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3Store("s3://landing", keys=KEYS)
    store.write("t/1", b"x")
    assert pickle.loads(pickle.dumps(store)).read("t/1").content == b"x"
    assert s3.keys == {"given-key"}
    # As from a file that ends with a line break, which no header can have.
    assert S3Store("s3://landing", keys=("given-key\n", "made-up-secret-of-tests\n")).read("t/1").content == b"x"


def test_keys_that_are_given_are_never_shown(s3: S3) -> None:
    store = S3Store("s3://landing", ROLE, KEYS)
    s3.rule = lambda method, path: (400, EXPIRED)
    with pytest.raises(SourceError) as told:
        store.read("t/1")
    shown = f"{store!r} {vars(store)} {told.value} {told.value.__cause__}"
    assert not any(part in shown for part in KEYS)


@pytest.mark.parametrize("keys", [("given-key",), ("given-key", ""), ("given-key", None), (*KEYS, "more")])
def test_keys_that_arent_any(keys: tuple[str | None, ...]) -> None:
    with pytest.raises(UsageError, match=r"keys of a bucket are \(access key id, secret") as told:
        S3Store("s3://landing", keys=keys)
    assert "given-key" not in str(told.value)
