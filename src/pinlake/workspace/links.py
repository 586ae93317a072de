"""Addresses of what the bundle has in a workspace: jobs with their last runs, schemas, volumes, dashboards."""

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
    """One line. Without an address `state` says why: it isn't deployed, or the workspace didn't tell."""

    what: str
    name: str
    state: str
    address: str | None = None


def links(client: WorkspaceClient, bundle: Bundle) -> list[Link]:
    """Each job of the bundle and its last run, then schemas, volumes and dashboards.

    The bundle must have been loaded for the client's user.
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
    """What is found in the workspace under a name."""

    client: WorkspaceClient
    workspace_id: str | None

    def job(self, name: str) -> list[Link]:
        """The jobs of that name, each with its last run: a name may be there more than once."""
        found: list[Link] = []
        for job in self.client.jobs.list(name=name):
            if not job.settings or job.settings.name != name:
                continue  # the workspace's filter passes over case
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
        # A host that isn't one workspace's alone has to be told which.
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
    """The number in addresses; None where the workspace doesn't tell it."""
    try:
        return str(client.get_workspace_id())
    except Exception:  # an address is right without it nearly everywhere
        return None


def _state(run: BaseRun | None) -> str:
    """How a run stands, and since when, in UTC."""
    if run is None:
        return "never ran"
    state = run.state
    found = (state.result_state or state.life_cycle_state) if state else None
    at = datetime.fromtimestamp((run.start_time or 0) / 1000, UTC)
    return f"{found.value.lower() if found else 'unknown'}, started {at:%Y-%m-%dT%H:%M:%SZ}"
