"""Addresses of the objects of a bundle in a workspace: jobs with their last runs, schemas, volumes, dashboards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    things: list[tuple[str, Callable[[WorkspaceClient, str], Iterable[Link]], list[str]]] = [
        ("job", _jobs, bundle.names("jobs", "name")),
        ("tables", _schema, bundle.names("schemas", "catalog_name", "name")),
        ("volume", _volume, bundle.names("volumes", "catalog_name", "schema_name", "name")),
        ("dashboard", _dashboards, bundle.names("dashboards", "display_name")),
    ]
    rows = side_by_side(*(partial(_rows, client, what, find, name) for what, find, names in things for name in names))
    address = partial(_address, client, _workspace_id(client))
    return [link._replace(address=link.address and address(link.address)) for link in chain.from_iterable(rows)]


# These functions find the objects of a name. Their links have the page instead of the address.


def _jobs(client: WorkspaceClient, name: str) -> Iterator[Link]:
    """The jobs with this name, each with its last run. Names of jobs are not unique."""
    for job in client.jobs.list(name=name):
        if not job.settings or job.settings.name != name:
            continue  # the filter of the workspace ignores case
        page = f"jobs/{job.job_id}"
        yield Link("job", name, "deployed", page)
        last = next(iter(client.jobs.list_runs(job_id=job.job_id, limit=1)), None)
        yield Link("last run", name, _state(last), f"{page}/runs/{last.run_id}" if last else None)


def _schema(client: WorkspaceClient, name: str) -> Iterator[Link]:
    client.schemas.get(name)
    yield Link("tables", name, "deployed", f"explore/data/{name.replace('.', '/')}")


def _volume(client: WorkspaceClient, name: str) -> Iterator[Link]:
    client.volumes.read(name)
    yield Link("volume", name, "deployed", f"explore/data/volumes/{name.replace('.', '/')}")


def _dashboards(client: WorkspaceClient, name: str) -> Iterator[Link]:
    for dashboard in client.lakeview.list():
        if dashboard.display_name == name:
            yield Link("dashboard", name, "deployed", f"dashboardsv3/{dashboard.dashboard_id}/published")


def _rows(
    client: WorkspaceClient, what: str, find: Callable[[WorkspaceClient, str], Iterable[Link]], name: str
) -> list[Link]:
    try:
        rows = asked(client, lambda: list(find(client, name)), missing="", refused="get the right to view it")
    except NotThereError:
        rows = []
    except WorkspaceError as error:
        return [Link(what, name, str(error))]
    return rows or [Link(what, name, NOT_DEPLOYED)]


def _address(client: WorkspaceClient, workspace_id: str | None, page: str) -> str:
    host = urlsplit(str(client.config.host))
    place = host.netloc.rpartition("@")[2]
    # A host that serves several workspaces needs the workspace id.
    which = f"?o={workspace_id}" if workspace_id and workspace_id not in place else ""
    return f"{host.scheme}://{place}/{quote(page)}{which}"


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
    ended = (state.result_state or state.life_cycle_state) if state else None
    at = datetime.fromtimestamp((run.start_time or 0) / 1000, UTC)
    return f"{ended.value.lower() if ended else 'unknown'}, started {at:%Y-%m-%dT%H:%M:%SZ}"
