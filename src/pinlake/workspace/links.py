"""Addresses of the objects of a bundle in a workspace: jobs with their last runs, schemas, volumes, dashboards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import BaseRun

from pinlake.job.bundle import Bundle
from pinlake.lake.parallel import side_by_side
from pinlake.workspace.client import NotThereError, WorkspaceError, asked

NOT_DEPLOYED = "not deployed"


class Link(NamedTuple):
    """One line. If there is no address, `state` is the reason: the object is not deployed, or the request failed."""

    what: str
    name: str
    state: str
    address: str | None = None


def links(client: WorkspaceClient, bundle: Bundle) -> list[Link]:
    """Return the jobs of the bundle with their last runs, then schemas, volumes and dashboards.

    The bundle must be loaded for the user of the client. A failed request becomes a line, not an error.
    """
    pages = _Pages(client, _workspace_id(client))
    things: list[tuple[str, Callable[[str], list[Link]], list[str]]] = [
        ("job", pages.job, bundle.names("jobs", "name")),
        ("tables", pages.schema, bundle.names("schemas", "catalog_name", "name")),
        ("volume", pages.volume, bundle.names("volumes", "catalog_name", "schema_name", "name")),
        ("dashboard", pages.dashboard, bundle.names("dashboards", "display_name")),
    ]
    found = side_by_side(*(partial(_rows, client, what, page, name) for what, page, names in things for name in names))
    return list(chain.from_iterable(found))


@dataclass(frozen=True)
class _Pages:
    """Finds objects in the workspace by name."""

    client: WorkspaceClient
    workspace_id: str | None

    def job(self, name: str) -> list[Link]:
        """Return the jobs with this name, each with its last run. Names of jobs are not unique."""
        found: list[Link] = []
        for job in self.client.jobs.list(name=name):
            if not job.settings or job.settings.name != name:
                continue  # the filter of the workspace ignores case
            page = f"jobs/{job.job_id}"
            found.append(Link("job", name, "deployed", self._address(page)))
            last = next(iter(self.client.jobs.list_runs(job_id=job.job_id, limit=1)), None)
            run = f"{page}/runs/{last.run_id}" if last else None
            found.append(Link("last run", name, _state(last), self._address(run) if run else None))
        return found

    def schema(self, name: str) -> list[Link]:
        self.client.schemas.get(name)
        return [Link("tables", name, "deployed", self._address(f"explore/data/{name.replace('.', '/')}"))]

    def volume(self, name: str) -> list[Link]:
        self.client.volumes.read(name)
        return [Link("volume", name, "deployed", self._address(f"explore/data/volumes/{name.replace('.', '/')}"))]

    def dashboard(self, name: str) -> list[Link]:
        return [
            Link("dashboard", name, "deployed", self._address(f"dashboardsv3/{found.dashboard_id}/published"))
            for found in self.client.lakeview.list()
            if found.display_name == name
        ]

    def _address(self, page: str) -> str:
        host = urlsplit(str(self.client.config.host))
        place = host.netloc.rpartition("@")[2]
        # A host that serves several workspaces needs the workspace id.
        which = f"?o={self.workspace_id}" if self.workspace_id and self.workspace_id not in place else ""
        return f"{host.scheme}://{place}/{quote(page)}{which}"


def _rows(client: WorkspaceClient, what: str, page: Callable[[str], list[Link]], name: str) -> list[Link]:
    try:
        found = asked(client, lambda: page(name), missing="", refused="get the right to view it")
    except NotThereError:
        found = []
    except WorkspaceError as error:
        return [Link(what, name, str(error))]
    return found or [Link(what, name, NOT_DEPLOYED)]


def _workspace_id(client: WorkspaceClient) -> str | None:
    """Return the workspace id for addresses, or None if it can't be read."""
    try:
        return str(client.get_workspace_id())
    except Exception:  # most addresses work without it
        return None


def _state(run: BaseRun | None) -> str:
    """Return the state of a run, and its start in UTC."""
    if run is None:
        return "never ran"
    state = run.state
    found = (state.result_state or state.life_cycle_state) if state else None
    at = datetime.fromtimestamp((run.start_time or 0) / 1000, UTC)
    return f"{found.value.lower() if found else 'unknown'}, started {at:%Y-%m-%dT%H:%M:%SZ}"
