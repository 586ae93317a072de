"""Where settings come from, which place counts, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pinlake.errors import SettingsError
from pinlake.settings import Settings, resolve


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text('lake = "from file"\ntopic_id = "from file"\nmax_bad_share = 0.5\n')
    return path


def test_what_nobody_sets_has_its_default() -> None:
    resolved = resolve({}, {})
    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}
    assert resolved.origins.keys() == Settings.model_fields.keys()


def test_a_flag_counts_before_a_variable_before_the_file_before_the_default(file: Path) -> None:
    resolved = resolve({"lake": Path("from flag")}, {"PINLAKE_LAKE": "x", "PINLAKE_TOPIC_ID": "from variable"}, file)
    found = resolved.settings
    assert (found.lake, found.topic_id) == (Path("from flag"), "from variable")
    assert (found.max_bad_share, found.first_post_year) == (0.5, 2018)
    assert [resolved.origins[name] for name in ("lake", "topic_id", "max_bad_share", "first_post_year")] == [
        "flag --lake",
        "variable PINLAKE_TOPIC_ID",
        f"file {file}",
        "default",
    ]


def test_a_flag_of_zero_counts(file: Path) -> None:
    assert resolve({"max_bad_share": 0.0}, {}, file).settings.max_bad_share == 0.0


def test_a_flag_is_named_as_it_is_typed() -> None:
    assert resolve({"max_bad_share": 0.1}, {}).origins["max_bad_share"] == "flag --max-bad-share"


def test_the_file_of_the_current_folder_is_read() -> None:
    Path("pinlake.toml").write_text('lake = "here"')
    resolved = resolve({}, {})
    assert (resolved.settings.lake, resolved.origins["lake"]) == (Path("here"), "file pinlake.toml")


def test_a_file_named_by_flag_counts_before_one_named_by_variable_before_the_current_folders(file: Path) -> None:
    Path("pinlake.toml").write_text('lake = "here"')
    Path("other.toml").write_text('lake = "other"')
    assert resolve({}, {"PINLAKE_SETTINGS": "other.toml"}).settings.lake == Path("other")
    assert resolve({}, {"PINLAKE_SETTINGS": "other.toml"}, file).settings.lake == Path("from file")


def test_variables_without_the_prefix_and_those_that_are_no_settings_are_left_alone() -> None:
    environment = {"LAKE": "x", "PINLAKE_REAL_SAMPLE": "x", "PINLAKE_SETTINGS": "", "HOME": "/"}
    assert resolve({}, environment).settings == Settings()


def test_an_empty_variable_counts_as_not_set(file: Path) -> None:
    resolved = resolve({}, {"PINLAKE_TOPIC_ID": "", "PINLAKE_MAX_BAD_SHARE": "", "PINLAKE_CATALOG": ""}, file)
    found = resolved.settings
    assert (found.topic_id, found.max_bad_share, found.catalog) == ("from file", 0.5, None)
    assert (resolved.origins["topic_id"], resolved.origins["catalog"]) == (f"file {file}", "default")


def test_settings_cant_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().lake = Path("elsewhere")  # type: ignore[misc]


def test_an_unknown_setting_is_told_with_its_place_and_those_there_are() -> None:
    Path("bad.toml").write_text('lak = "x"')
    with pytest.raises(SettingsError, match=r"unknown setting 'lak' in file bad.toml; .* settings are source, lake, "):
        resolve({}, {}, Path("bad.toml"))
    with pytest.raises(SettingsError, match="unknown setting 'lak' in variable PINLAKE_LAK; "):
        resolve({}, {"PINLAKE_LAK": "x"})


def test_a_section_of_the_file_is_an_unknown_setting() -> None:
    Path("bad.toml").write_text('[pinlake]\nlake = "x"')
    with pytest.raises(SettingsError, match=r"unknown setting 'pinlake' in file bad.toml"):
        resolve({}, {}, Path("bad.toml"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_bad_share", "much"),
        ("max_bad_share", "1.1"),
        ("max_bad_share", "-0.1"),
        ("first_post_year", "2018.5"),
        ("lake_wait", "-1"),
        ("log_format", "xml"),
        ("log_level", "loud"),
        ("driver_memory", "lots"),
        ("database", "a`; DROP"),
    ],
)
def test_a_wrong_value_is_told_with_its_setting_place_and_meaning(name: str, value: str) -> None:
    variable = f"PINLAKE_{name.upper()}"
    with pytest.raises(SettingsError, match=rf"setting '{name}' from variable {variable} can't be '{value}': ") as told:
        resolve({}, {variable: value})
    assert str(told.value).endswith(f"; it is {Settings.model_fields[name].description}")


@pytest.mark.parametrize("line", ["lake = 5", "max_bad_share = [0.5]", 'first_post_year = "old"'])
def test_a_wrong_type_in_the_file_is_told_with_the_file(line: str) -> None:
    Path("bad.toml").write_text(line)
    with pytest.raises(SettingsError, match=rf"setting '{line.split()[0]}' from file bad.toml can't be "):
        resolve({}, {}, Path("bad.toml"))


@pytest.mark.parametrize("which", ["post", "join"])
def test_years_out_of_order_are_refused(which: str) -> None:
    environment = {f"PINLAKE_FIRST_{which.upper()}_YEAR": "2021", f"PINLAKE_LAST_{which.upper()}_YEAR": "2019"}
    with pytest.raises(SettingsError, match=f"first_{which}_year must not be after last_{which}_year; change one"):
        resolve({}, environment)


@pytest.mark.parametrize("content", [b"lake = ", b"lake: x", b'lake = "\xff"'])
def test_a_file_that_is_no_toml_is_told(content: bytes) -> None:
    Path("bad.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings file bad.toml can't be read: .*; it must be TOML"):
        resolve({}, {}, Path("bad.toml"))


@pytest.mark.parametrize(
    ("file", "environment"), [(Path("gone.toml"), {}), (None, {"PINLAKE_SETTINGS": "gone.toml"}), (Path(), {})]
)
def test_a_file_that_is_named_must_be_there(file: Path | None, environment: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"settings file \S+ does not exist; give the path of a TOML file"):
        resolve({}, environment, file)


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_two_parts_of_a_key_belong_together() -> None:
    with pytest.raises(SettingsError, match="s3_access_key and s3_secret_key belong together"):
        resolve({"s3_access_key": "made-up-word"}, {})
    keys = resolve({"s3_access_key": "made-up-word", "s3_secret_key": "hunter2"}, {}).settings
    assert keys.s3_keys == ("made-up-word", "hunter2")
    assert "hunter2" not in str(keys.model_dump(mode="json"))


@pytest.mark.parametrize("address", ["s3://b/p", "s3a://b/p"])
def test_a_lake_may_be_in_a_bucket(address: str) -> None:
    found = resolve({"lake": address}, {}).settings
    assert (found.lake, found.needs_s3a) == ("s3://b/p", True)
    assert not resolve({"lake": address, "catalog": "main"}, {}).settings.needs_s3a
    assert resolve({"lake": "b/p"}, {}).settings.lake == Path("b/p")


def test_a_secret_of_the_wrong_type_is_not_repeated() -> None:
    Path("secrets.toml").write_text("sql_password = 84713")
    with pytest.raises(
        SettingsError, match=r"setting 'sql_password' from file secrets\.toml can't be what is given: "
    ) as told:
        resolve({}, {"PINLAKE_SECRETS": "secrets.toml"})
    assert "84713" not in f"{told.value} {told.value.__cause__}"


@pytest.mark.parametrize(
    "url",
    ["mysql://ada:hunter2@db/posts", "postgresql+pg8000://ada:hunter2@db:5432/posts", "mysql://db/x?passwd=hunter2"],
)
def test_a_url_with_a_password_is_no_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="it holds a password, which belongs in PINLAKE_SQL_PASSWORD") as told:
        resolve({"sql_url": url}, {})
    assert "hunter2" not in f"{told.value} {told.value.__cause__}"


@pytest.mark.parametrize("url", ["mysql://ada@db:3306/posts", "sqlite:///C:/posts@home", "postgresql://ada@db/posts"])
def test_a_url_without_one_is(url: str) -> None:
    assert resolve({"sql_url": url}, {}).settings.sql_url == url
