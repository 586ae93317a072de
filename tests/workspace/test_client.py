"""Who deploys, by the names that a bundle knows of a user."""

from __future__ import annotations

import pytest
from databricks.sdk.service.iam import User

from pinlake.workspace.client import bundle_user


@pytest.mark.parametrize(
    ("name", "display", "short"),
    [
        ("Jane.Doe@corp", "Jane Doe", "jane_doe"),
        ("jané+x@corp", None, "jané_x"),
        ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", "Nightly Runs", "nightly_runs"),
        ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", None, "1b4e28ba_2fa1_11d2_883f_0016d3cca427"),
    ],
)
def test_a_short_name_is_that_of_a_person_or_of_a_service_principal(name: str, display: str | None, short: str) -> None:
    found = bundle_user(User(user_name=name, display_name=display, id="1"))
    assert found["short_name"] == short
    assert found["userName"] == name
    assert found["domain_friendly_name"] == short.replace("_", "-")
