"""The client of Flink's REST API."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from pipelines.errors import JobError, TransientError
from pipelines.flink.facts import ENDED_STATES, Aggregate, Checkpoints, Cluster, Failure, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REQUEST_SECONDS = 5.0
_AWAY = frozenset({502, 503, 504})
"""What a JobManager that starts, or a proxy before one that is away, answers."""


def rest_address(rest_url: str) -> tuple[str, int]:
    """Host and port for Flink's own client, which submits a job.

    JobError for what that client cannot be told so: TLS needs a truststore, which no setting names.

    >>> rest_address("http://127.0.0.1:8082/"), rest_address("http://flink")
    (('127.0.0.1', 8082), ('flink', 8081))
    """
    parts = urllib.parse.urlsplit(rest_url)
    if parts.scheme != "http" or parts.hostname is None or parts.path.strip("/"):
        msg = (
            f"a job is submitted by plain HTTP to a host and a port, not to {rest_url}. Set "
            "FRAUDLAKE_FLINK_REST_URL=http://HOST:PORT, within a network that you trust or "
            "through a tunnel"
        )
        raise JobError(msg)
    return parts.hostname, 8081 if parts.port is None else parts.port


class FlinkRest:
    """A client of one cluster; each of its requests takes so many seconds at most."""

    def __init__(self, rest_url: str, *, request_seconds: float = REQUEST_SECONDS) -> None:
        self._url = rest_url.rstrip("/")
        self._seconds = request_seconds

    def cluster(self) -> Cluster:
        """The cluster's size; TransientError when it does not answer."""
        answer = self._get("/overview")
        return Cluster(
            version=answer["flink-version"],
            taskmanagers=answer["taskmanagers"],
            slots_total=answer["slots-total"],
            slots_free=answer["slots-available"],
        )

    def registered_taskmanagers(self) -> set[str]:
        """The TaskManagers that the JobManager knows and whose slots it may use."""
        managers = self._get("/taskmanagers")["taskmanagers"]
        return {str(item["id"]) for item in managers if item["slotsNumber"] > 0}

    def jobs(self, name: str) -> list[Job]:
        """All jobs of a name, the newest first."""
        jobs = [
            Job(
                job_id=item["jid"],
                name=item["name"],
                state=item["state"],
                started_ms=item["start-time"],
                duration_ms=item["duration"],
            )
            for item in self._get("/jobs/overview")["jobs"]
            if item["name"] == name
        ]
        return sorted(jobs, key=lambda job: job.started_ms, reverse=True)

    def active_job(self, name: str) -> Job | None:
        """The job of that name that runs or restarts; None if there is none."""
        return next((job for job in self.jobs(name) if job.is_active), None)

    def parameters(self, job_id: str) -> dict[str, str]:
        """What the submitter wrote into the job: its rule set."""
        config = self._get(f"/jobs/{job_id}/config").get("execution-config", {})
        return dict(config.get("user-config", {}))

    def checkpoints(self, job_id: str) -> Checkpoints:
        """How checkpointing goes."""
        answer = self._get(f"/jobs/{job_id}/checkpoints")
        latest = answer["latest"]["completed"]
        return Checkpoints(
            completed=answer["counts"]["completed"],
            failed=answer["counts"]["failed"],
            restored=answer["counts"]["restored"],
            latest_ms=None if latest is None else latest["latest_ack_timestamp"],
            latest_bytes=None if latest is None else latest["state_size"],
            latest_duration_ms=None if latest is None else latest["end_to_end_duration"],
        )

    def is_known(self, job_id: str) -> bool:
        """True while the cluster remembers the job, be it an ended one."""
        return any(item["jid"] == job_id for item in self._get("/jobs/overview")["jobs"])

    def newest_saved(self, job_id: str) -> str | None:
        """Where the newest whole checkpoint or savepoint of a known job lies; None: it has none."""
        latest = self._get(f"/jobs/{job_id}/checkpoints")["latest"]
        found = [item for item in (latest["completed"], latest["savepoint"]) if item is not None]
        newest = max(found, key=lambda item: int(item["id"]), default=None)
        return None if newest is None else str(newest["external_path"])

    def failures(self, job_id: str) -> list[Failure]:
        """The newest failures, the newest first; of older ones than the last 16 Flink forgets."""
        history = self._get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return [
            Failure(
                at_ms=item["timestamp"],
                sentence=item["stacktrace"].splitlines()[0],
                cause=_cause_of(item["stacktrace"]),
            )
            for item in history
        ]

    def root_cause(self, job_id: str) -> str | None:
        """The first line of the newest failure, if any."""
        return next((failure.sentence for failure in self.failures(job_id)), None)

    def are_tasks_running(self, job_id: str) -> bool:
        """True when every task of the job runs."""
        vertices = self._get(f"/jobs/{job_id}")["vertices"]
        return all(vertex["status"] == "RUNNING" for vertex in vertices)

    def read_restarts(self, job_id: str) -> int | None:
        """How often Flink has started the job's tasks anew; None until it is measured."""
        answer: Any = self._get(f"/jobs/{job_id}/metrics?get=numRestarts")
        return int(answer[0]["value"]) if answer else None

    def read_vertices(self, job_id: str) -> list[str]:
        """The ids of the job's vertices: operators that run chained in one task are one."""
        return [str(vertex["id"]) for vertex in self._get(f"/jobs/{job_id}")["vertices"]]

    def read_metric_names(self, job_id: str, vertex: str) -> list[str]:
        """What is measured at a vertex now; names come and go with the tasks."""
        answer: Any = self._get(f"/jobs/{job_id}/vertices/{vertex}/subtasks/metrics")
        return [str(item["id"]) for item in answer]

    def read_metrics(self, job_id: str, vertex: str, names: Iterable[str]) -> dict[str, Aggregate]:
        """The metrics of a vertex by name, as of the cluster's last look.

        Flink answers for all names or, where one is unknown to it, for none: then the result is
        empty. What has no value yet is NaN.
        """
        wanted = ",".join(urllib.parse.quote(name, safe="") for name in names)
        path = f"/jobs/{job_id}/vertices/{vertex}/subtasks/metrics?get={wanted}"
        answer: Any = self._get(path)
        return {
            str(item["id"]): Aggregate(sum=float(item["sum"]), max=float(item["max"]))
            for item in answer
        }

    def stop(self, job_id: str, *, folder: str | None = None, wait_seconds: float) -> str:
        """Stop with a savepoint in ``folder``, else in the cluster's own; its path.

        JobError: the savepoint failed, and the job goes on.
        TransientError: nothing is known of it in time, and the job may still stop.
        """
        body = {"drain": False} | ({} if folder is None else {"targetDirectory": folder})
        request = self._post(f"/jobs/{job_id}/stop", body)["request-id"]
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            answer = self._get(f"/jobs/{job_id}/savepoints/{request}")
            if answer["status"]["id"] == "COMPLETED":
                return _savepoint_of(answer["operation"], job_id)
            time.sleep(0.2)
        msg = f"job {job_id} made no savepoint within {wait_seconds:.0f} s; it may still stop"
        raise TransientError(msg)

    def cancel(self, job_id: str) -> None:
        """End a job without a savepoint; its newest checkpoint stays."""
        self._request("PATCH", f"/jobs/{job_id}?mode=cancel", None)

    def await_job(
        self, job_id: str, is_reached: Callable[[Job], bool], *, wait_seconds: float
    ) -> Job:
        """Poll until the job is as wanted; JobError names its state and cause otherwise."""
        deadline = time.monotonic() + wait_seconds
        while True:
            answer = self._get(f"/jobs/{job_id}")
            job = Job(
                job_id=job_id,
                name=answer["name"],
                state=answer["state"],
                started_ms=answer["start-time"],
                duration_ms=answer["duration"],
            )
            if is_reached(job):
                return job
            if time.monotonic() > deadline or not job.is_active:
                cause = self.root_cause(job_id) or "no failure is recorded"
                msg = f"job {job_id} is {job.state}: {cause}. Its page: {self._url}/#/job/{job_id}"
                raise JobError(msg)
            time.sleep(0.2)

    def await_end(self, job_id: str, *, wait_seconds: float) -> None:
        """Return when the job has given its slots back, or the time is up."""
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            if self._get(f"/jobs/{job_id}")["state"] in ENDED_STATES:
                return
            time.sleep(0.2)

    def _get(self, path: str) -> dict[str, Any]:
        return self._request("GET", path, None)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                content = answer.read()
                parsed: dict[str, Any] = json.loads(content) if content else {}
        except urllib.error.HTTPError as error:
            msg = f"Flink refused {method} {path}: {error.code} {_reason(error)}"
            raise (TransientError if error.code in _AWAY else JobError)(msg) from error
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            msg = (
                f"no Flink cluster answers at {self._url}: {str(error) or type(error).__name__}. "
                "Start the local one with `fraudlake up`, or set FRAUDLAKE_FLINK_REST_URL"
            )
            raise TransientError(msg) from error
        return parsed


def _cause_of(stacktrace: str) -> str:
    """What is named last.

    >>> _cause_of(
    ...     "java.io.IOException: Sending failed\\n\\tat x\\nCaused by: TooLarge: 9 bytes\\n\\tat y"
    ... )
    'TooLarge: 9 bytes'
    """
    first, *lines = stacktrace.splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return causes[-1] if causes else first


def _savepoint_of(operation: dict[str, Any], job_id: str) -> str:
    if "location" in operation:
        return str(operation["location"])
    cause = operation.get("failure-cause", {}).get("stack-trace", "no cause given").splitlines()[0]
    msg = f"job {job_id} could not make its savepoint and goes on: {cause}"
    raise JobError(msg)


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        errors = json.loads(error.read())["errors"]
    except (ValueError, KeyError, TypeError):
        return error.reason
    return "; ".join(str(item).splitlines()[0] for item in errors)
