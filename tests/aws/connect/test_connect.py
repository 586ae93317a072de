"""`pinlake aws connect` against moto and a workspace: what it creates, that it can be repeated, and what it says."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import Result

from tests.aws.connect.conftest import CATALOG_ROLE, ME, ROLE_NAME, Clouds, pinlake
from tests.infra.conftest import create_stack

CREDENTIAL = "storage-credentials/pinlake"
LOCATION = "external-locations/pinlake_landing"


def connect(clouds: Clouds, *words: str) -> Result:
    return pinlake("aws", "connect", "--bundle", clouds.folder, *words)


def stack(clouds: Clouds) -> dict[str, Any]:
    (found,) = clouds.s3.client("cloudformation").describe_stacks(StackName="pinlake-storage")["Stacks"]
    return {
        "parameters": {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]},
        **{each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]},
    }


def test_unity_catalog_can_use_the_bucket_afterwards(clouds: Clouds) -> None:
    said = connect(clouds)
    assert said.exit_code == 0, said.output
    url, arn = stack(clouds)["LandingLocation"], clouds.role()["Arn"]
    assert said.stdout.splitlines() == [
        f"storage credential pinlake: created, {arn}",
        "stack pinlake-storage: updated",
        f"role {ROLE_NAME}: trusts, {CATALOG_ROLE} with sts:ExternalId = 0000-external-id",
        f"role {ROLE_NAME}: trusts, {arn.replace(f'role/{ROLE_NAME}', 'root')} with aws:PrincipalArn = {arn}",
        f"validation: passed, READ, LIST on {url}",
        f"external location pinlake_landing: created, {url}",
    ]
    assert "next: pinlake aws outputs --format bundle" in said.stderr
    credential, location = clouds.workspace.unity[CREDENTIAL], clouds.workspace.unity[LOCATION]
    assert credential["aws_iam_role"]["role_arn"] == arn
    assert credential["skip_validation"]
    assert (location["url"], location["credential_name"]) == (url, "pinlake")
    # As the bundle's own location: a volume can be created on it.
    assert not location.get("read_only")
    assert stack(clouds)["parameters"]["FileEvents"] == "true"


def test_a_second_call_changes_nothing(clouds: Clouds) -> None:
    assert connect(clouds).exit_code == 0
    before, there = stack(clouds), dict(clouds.workspace.unity)
    clouds.s3.requests.clear()
    said = connect(clouds)
    assert said.exit_code == 0, said.output
    assert [line.partition(":")[2].split(",")[0] for line in said.stdout.splitlines()] == [
        " unchanged",
        " unchanged",
        " trusts",
        " trusts",
        " passed",
        " unchanged",
    ]
    assert (stack(clouds), clouds.workspace.unity) == (before, there)


def test_an_interrupted_call_is_continued(clouds: Clouds) -> None:
    clouds.workspace.denied["POST external-locations"] = "User does not have CREATE EXTERNAL LOCATION on Metastore."
    assert connect(clouds).exit_code == 1
    del clouds.workspace.denied["POST external-locations"]
    said = connect(clouds)
    assert said.exit_code == 0, said.output
    assert "storage credential pinlake: unchanged" in said.stdout
    assert "external location pinlake_landing: created" in said.stdout


def test_a_new_trust_is_waited_for(clouds: Clouds) -> None:
    clouds.refusals = 3
    said = connect(clouds)
    assert said.exit_code == 0, said.output
    assert "waiting for AWS to know the new trust (READ: The IAM role can't be assumed" in said.stderr
    assert "validation: passed" in said.stdout


def test_the_wait_for_a_new_trust_ends(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.aws.connect.PROPAGATION_SECONDS", 0.5)
    clouds.refusals = 1000
    said = connect(clouds)
    assert said.exit_code == 1
    assert "READ: The IAM role can't be assumed, LIST: The IAM role can't be assumed; compare the trust" in said.stderr
    assert LOCATION not in clouds.workspace.unity


def test_a_check_that_fails_is_named(clouds: Clouds) -> None:
    assert connect(clouds).exit_code == 0
    clouds.rights = ("LIST",)
    said = connect(clouds)
    assert said.exit_code == 1
    assert f"can't be used for {stack(clouds)['LandingLocation']}: READ: Access Denied; compare" in said.stderr


def test_a_refusal_because_of_the_role_is_waited_for(clouds: Clouds) -> None:
    """Unity Catalog may answer with an error instead of results."""
    answers = [(403, {"error_code": "PERMISSION_DENIED", "message": "The IAM role is not self-assuming"})]
    validate = clouds.validate
    clouds.workspace.validate = lambda told, credential: answers.pop() if answers else validate(told, credential)
    assert connect(clouds).exit_code == 0


def test_a_folder_without_objects_is_no_failure(clouds: Clouds) -> None:
    clouds.rights = ("READ", "LIST")
    assert connect(clouds).exit_code == 0


def test_writing_is_validated_where_the_role_may_write(clouds: Clouds) -> None:
    clouds.s3.client("cloudformation").delete_stack(StackName="pinlake-storage")
    create_stack(clouds.s3, "storage", WritableFolder="dump")
    said = connect(clouds)
    assert "validation: passed, READ, LIST, WRITE, DELETE" in said.stdout, said.output


def test_the_location_can_be_left_to_the_bundle(clouds: Clouds) -> None:
    said = connect(clouds, "--no-location")
    assert said.exit_code == 0, said.output
    assert LOCATION not in clouds.workspace.unity


def test_a_location_that_contains_the_folder_is_used(clouds: Clouds) -> None:
    bucket = stack(clouds)["LandingLocation"].removesuffix("/dump")
    clouds.workspace.unity["external-locations/all"] = {"name": "all", "url": f"{bucket}/", "credential_name": "x"}
    clouds.workspace.unity["external-locations/no"] = {"name": "no", "url": f"{bucket}x/dum", "credential_name": "x"}
    said = connect(clouds)
    assert f"external location all: unchanged, {bucket}/" in said.stdout, said.output
    assert LOCATION not in clouds.workspace.unity


def test_a_location_in_the_way_is_named(clouds: Clouds) -> None:
    url = stack(clouds)["LandingLocation"]
    clouds.workspace.unity["external-locations/deep"] = {"name": "deep", "url": f"{url}/topics"}
    said = connect(clouds)
    assert said.exit_code == 1
    assert (
        f"external location deep is at {url}/topics, and pinlake_landing is to be at {url}; give another" in said.stderr
    )


def test_a_location_that_the_user_cant_see_is_in_the_way(clouds: Clouds) -> None:
    clouds.workspace.refused["POST external-locations"] = "Input path url overlaps with other external locations"
    said = connect(clouds)
    assert said.exit_code == 1
    assert "overlaps with other external locations; have an admin of the metastore find that location" in said.stderr


def test_the_location_of_the_bundle_is_validated(clouds: Clouds) -> None:
    url = stack(clouds)["LandingLocation"]
    clouds.workspace.unity["external-locations/landing"] = {"name": "landing", "url": url, "credential_name": "pinlake"}
    said = connect(clouds, "--no-location")
    assert said.exit_code == 0, said.output
    assert f"external location landing: unchanged, {url}" in said.stdout


def test_another_template_is_left_to_up(clouds: Clouds) -> None:
    path = clouds.folder / "infra" / "aws" / "storage.yml"
    newer = path.read_text(encoding="utf-8").replace("AWS::IAM::Role", "AWS::Made::Up")
    path.write_text(newer, encoding="utf-8")
    assert connect(clouds).exit_code == 0
    body = clouds.s3.client("cloudformation").get_template(StackName="pinlake-storage")["TemplateBody"]
    assert "AWS::Made::Up" not in str(body)


def test_a_credential_with_another_role_is_kept(clouds: Clouds) -> None:
    other = {"name": "pinlake", "owner": "keepers", "aws_iam_role": {"role_arn": CATALOG_ROLE}}
    clouds.workspace.unity[CREDENTIAL] = dict(other)
    said = connect(clouds)
    assert said.exit_code == 2
    assert f"storage credential pinlake is there, with {CATALOG_ROLE} and not {clouds.role()['Arn']}" in said.stderr
    assert "give another name with --credential, or have its owner keepers delete it" in said.stderr
    assert clouds.workspace.unity == {CREDENTIAL: other}
    assert stack(clouds)["parameters"]["ExternalId"] == ""
    assert connect(clouds, "--credential", "other").exit_code == 0


def test_a_credential_whose_external_id_is_hidden(clouds: Clouds) -> None:
    role = {"role_arn": clouds.role()["Arn"]}
    clouds.workspace.unity[CREDENTIAL] = {"name": "pinlake", "owner": "keepers", "aws_iam_role": role}
    said = connect(clouds)
    assert said.exit_code == 1
    assert "does not show its external id to you; have its owner keepers run this command" in said.stderr


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        (
            "POST storage-credentials",
            "have an admin of the metastore run GRANT CREATE STORAGE CREDENTIAL ON METASTORE TO "
            f"`{ME}`, or this command",
        ),
        (
            "GET storage-credentials/pinlake",
            "give another name with --credential, or have the owner of pinlake run GRANT",
        ),
        (
            "POST validate-storage-credentials",
            "own the storage credential, or have its owner run GRANT CREATE EXTERNAL LOCATION ON STORAGE CREDENTIAL "
            f"`pinlake` TO `{ME}`",
        ),
        ("GET external-locations", "have an admin of the metastore run this command"),
        (
            "POST external-locations",
            f"have an admin of the metastore run GRANT CREATE EXTERNAL LOCATION ON METASTORE TO `{ME}`, and the owner "
            f"of the storage credential GRANT CREATE EXTERNAL LOCATION ON STORAGE CREDENTIAL `pinlake` TO `{ME}`, or "
            "leave it to the bundle with --no-location",
        ),
    ],
)
def test_a_missing_right_says_who_grants_what(clouds: Clouds, what: str, remedy: str) -> None:
    clouds.workspace.denied[what] = "User does not have the privilege."
    said = connect(clouds)
    assert said.exit_code == 1
    assert f"not allowed (403): User does not have the privilege; {remedy}" in said.stderr


def test_a_stack_that_is_not_there(clouds: Clouds) -> None:
    said = connect(clouds, "--name", "shop")
    assert said.exit_code == 1
    assert (
        "no stack is called shop-storage in us-east-1; create it with `pinlake aws up storage --name shop`"
        in said.stderr
    )
    assert clouds.workspace.unity == {}


def test_nobody_is_logged_in_to_the_workspace(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_HOST")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    said = connect(clouds)
    assert said.exit_code == 1
    assert "no workspace is configured; log in with `databricks auth login`" in said.stderr


def test_nobody_is_logged_in_to_aws(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = connect(clouds)
    assert said.exit_code == 1
    assert "no credentials for AWS were found; sign in" in said.stderr
    assert clouds.workspace.unity == {}
