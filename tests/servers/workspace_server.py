"""A workspace on the loopback that keeps what it is told: enough for the Databricks CLI to deploy the bundle to it.

It answers as the real services do where the CLI's plan depends on it: Unity Catalog fills in what it made for the file
events of a location.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.http_server import Reply, Request, serving

UNITY = "/api/2.1/unity-catalog/"
# What parts the full name of each kind.
NAMES = {
    "schemas": ("catalog_name", "name"),
    "volumes": ("catalog_name", "schema_name", "name"),
    "external-locations": ("name",),
    "storage-credentials": ("name",),
}
GONE = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not there"})
Answer = tuple[int, Any]


@dataclass
class Workspace:
    """What `user` has deployed."""

    user: str
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {"/"})
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    unity: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    permissions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    scopes: dict[str, dict[str, str]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """What Unity Catalog says no to, such as `POST schemas`, and how."""
    denied: dict[str, str] = field(default_factory=dict)
    """What the user has no right to, in the same form."""
    external_id: str = "0000-external-id"
    catalog_role: str = ""
    """The ARN with which Unity Catalog takes the roles of storage credentials."""
    validate: Callable[[dict[str, Any], dict[str, Any]], Answer] = lambda told, credential: (200, {"results": []})
    """The answer to the validation of a storage credential, given what was asked and the credential."""
    unknown: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Answer | bytes:
        with self.lock:
            if path.startswith("/api/2.0/workspace-files/"):
                return self._file(method, path, body)
            if says := self.refused.get(f"{method} {path.removeprefix(UNITY)}"):
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": says}
            if says := self.denied.get(f"{method} {path.removeprefix(UNITY)}"):
                return 403, {"error_code": "PERMISSION_DENIED", "message": says}
            told = json.loads(body) if body else {}
            for start, known in (
                ("/api/2.0/workspace/", self._folder),
                ("/api/2.2/jobs/", self._job),
                (f"{UNITY}permissions/", self._grants),
                (UNITY, self._unity),
                ("/api/2.0/permissions/", self._permissions),
                ("/api/2.0/secrets/", self._secrets),
                ("/api/2.0/lakeview/dashboards", self._dashboard),
                ("/api/2.0/alerts", self._alert),
            ):
                if path.startswith(start):
                    return known(method, path.removeprefix(start), query, told)
            if path == "/api/2.0/preview/scim/v2/Me":
                return 200, {"id": "1", "userName": self.user, "displayName": self.user}
            if path == "/telemetry-ext":
                return 200, {}
            if path == "/.well-known/databricks-config":
                return 200, {"oidc_endpoint": "http://127.0.0.1/oidc"}
            self.unknown.append(f"{method} {path}")
            return GONE

    def _file(self, method: str, path: str, body: bytes) -> Answer | bytes:
        place = "/" + path.removeprefix("/api/2.0/workspace-files/").removeprefix("import-file/").lstrip("/")
        if method == "POST":
            self.files[place] = body
            return 200, {}
        return self.files.get(place, GONE)

    def _folder(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer | bytes:
        place = str(told.get("path") or query.get("path"))
        match what:
            case "mkdirs":
                self.folders |= {place, *map(str, PurePosixPath(place).parents)}
            case "delete":
                self.folders = {path for path in self.folders if not path.startswith(place)}
                self.files = {path: content for path, content in self.files.items() if not path.startswith(place)}
            case "export":
                return self.files.get(place, GONE)
            case "get-status" if place in self.files or place in self.folders:
                kind = "FILE" if place in self.files else "DIRECTORY"
                return 200, {"path": place, "object_type": kind, "object_id": 7}
            case _:
                return GONE
        return 200, {}

    def _job(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        number = int(query.get("job_id") or told.get("job_id") or 100 + len(self.jobs))
        match what:
            case "create":
                self.jobs[number] = told
            case "reset":
                self.jobs[number] = told["new_settings"]
            case "delete":
                del self.jobs[number]
        if what == "get" and number not in self.jobs:
            return GONE
        return 200, {"job_id": number, "settings": self.jobs.get(number), "creator_user_name": self.user}

    def _unity(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        if what == "validate-storage-credentials":
            found = self.unity.get(f"storage-credentials/{told['storage_credential_name']}")
            return self.validate(told, found) if found else GONE
        kind, _, name = what.partition("/")
        if method == "GET" and not name:
            listed = [each for key, each in self.unity.items() if key.startswith(f"{kind}/")]
            return 200, {kind.replace("-", "_"): listed}
        name = name or ".".join(told.get(part, "") for part in NAMES.get(kind, ()))
        key = f"{kind}/{name}"
        if method == "POST":
            self.unity[key] = {**told, "full_name": name, "owner": self.user}
            if kind == "external-locations":
                queue = {"managed_sqs": {"managed_resource_id": "csms-1"}}
                filled = {"effective_enable_file_events": True, "effective_file_event_queue": queue}
                self.unity[key] |= filled | ({"file_event_queue": queue} if "file_event_queue" in told else {})
            if kind == "storage-credentials":
                trusted = {"unity_catalog_iam_arn": self.catalog_role, "external_id": self.external_id}
                self.unity[key]["aws_iam_role"] = {**told["aws_iam_role"], **trusted}
        if key not in self.unity:
            return GONE
        if method == "PATCH":
            self.unity[key] |= told
        return 200, self.unity.pop(key) if method == "DELETE" else self.unity[key]

    def _grants(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        held = self.grants.setdefault(what, {})
        for change in told.get("changes", []):
            kept = set(held.get(change["principal"], [])) - set(change.get("remove", []))
            held[change["principal"]] = sorted(kept | set(change.get("add", [])))
        listed = [{"principal": who, "privileges": privileges} for who, privileges in held.items() if privileges]
        return 200, {"privilege_assignments": listed}

    def _permissions(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        if method != "GET":
            self.permissions[what] = told["access_control_list"]
        listed = [
            {
                **{key: value for key, value in entry.items() if key != "permission_level"},
                "all_permissions": [{"permission_level": entry["permission_level"], "inherited": False}],
            }
            for entry in self.permissions.get(what, [])
        ]
        return 200, {"object_id": f"/{what}", "access_control_list": listed}

    def _dashboard(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        """Each change has a new etag, by which the CLI sees changes that it didn't make."""
        _, number, published = (*what.split("/"), "", "")[:3]
        if method == "POST" and not number:
            number = f"d{len(self.dashboards) + 1}"
            self.dashboards[number] = {"dashboard_id": number, "lifecycle_state": "ACTIVE", "etag": "0"}
        if number not in self.dashboards:
            return GONE
        if method == "DELETE":
            return 200, self.dashboards.pop(number) and {}
        found = self.dashboards[number]
        if published:
            found["published"] = told or found.get("published")
            return 200, {"display_name": found["display_name"], **found["published"]}
        if told:
            found |= told | {"etag": str(int(found["etag"]) + 1)}
            # The service leaves out the start of the path.
            found["parent_path"] = found["parent_path"].removeprefix("/Workspace")
        return 200, {key: value for key, value in found.items() if key != "published"}

    def _alert(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        number = what.strip("/") or f"a{len(self.alerts) + 1}"
        if told:
            self.alerts[number] = {**told, "id": number, "lifecycle_state": "ACTIVE"}
        if number not in self.alerts:
            return GONE
        return 200, self.alerts.pop(number) and {} if method == "DELETE" else self.alerts[number]

    def _secrets(self, method: str, what: str, query: dict[str, str], told: dict[str, Any]) -> Answer:
        scope = str(told.get("scope") or query.get("scope"))
        match what:
            case "scopes/create":
                self.scopes[scope] = {}
            case "scopes/delete":
                del self.scopes[scope]
            case "scopes/list":
                return 200, {"scopes": [{"name": name, "backend_type": "DATABRICKS"} for name in self.scopes]}
            case "acls/put":
                self.scopes[scope][told["principal"]] = told["permission"]
            case "acls/delete":
                self.scopes[scope].pop(told["principal"], None)
            case "acls/list":
                acls = self.scopes.get(scope, {}).items()
                return 200, {"items": [{"principal": who, "permission": level} for who, level in acls]}
        return 200, {}


def served(workspace: Workspace) -> AbstractContextManager[str]:
    """The address under which the workspace answers."""

    def answer(asked: Request) -> Reply:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = workspace.answer(asked.method, unquote(parts.path), query, asked.content)
        if isinstance(found, bytes):
            return Reply(text=found, headers={"Content-Type": "application/json"})
        return Reply(*found)

    return serving(answer)
