"""Whether a part of the stack really answers, asked the way its users will ask."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from fraudlake.stack import workers
from fraudlake.stack.flink import taskmanager_names
from fraudlake.stack.ports import port_answers
from fraudlake.stack.session_mark import is_marked
from pipelines.errors import FraudlakeError
from pipelines.flink import FlinkRest
from pipelines.kafka import connect_admin

if TYPE_CHECKING:
    from pipelines.settings import KafkaSettings, Settings

PROBE_SECONDS = 3.0


def answers(part: str, settings: Settings, *, dagster_url: str = "") -> bool:
    """Whether ``part`` does its work now; the keeper has nothing to be asked."""
    match part:
        case "kafka":
            return kafka_answers(settings.kafka)
        case "elasticsearch":
            return elasticsearch_answers(settings)
        case "jobmanager":
            return _jobmanager_answers(settings)
        case workers.DAGSTER:
            return get_json(f"{dagster_url}/server_info") is not None
        case workers.LAKEHOUSE_SINK | workers.ALERTS_SINK:
            return is_marked(settings.stack.home, part)
    return part not in taskmanager_names(settings) or part in registered_taskmanagers(settings)


def kafka_answers(kafka: KafkaSettings) -> bool:
    """Whether the broker lists its topics."""
    host, _, port = kafka.bootstrap_servers.split(",")[0].rpartition(":")
    local = host in ("127.0.0.1", "localhost")
    if local and not port_answers(int(port)):
        return False  # spares the client's own, longer wait
    try:
        connect_admin(kafka).list_topics(timeout=PROBE_SECONDS)
    except KafkaException:
        return False
    return True


def _jobmanager_answers(settings: Settings) -> bool:
    try:
        FlinkRest(settings.flink.rest_url).cluster()
    except FraudlakeError:
        return False
    return True


def elasticsearch_answers(settings: Settings) -> bool:
    """Whether the cluster is healthy enough to write; a locked door also counts as an answer.

    No password is sent; a certificate that is not trusted is no answer.
    """
    elasticsearch = settings.elasticsearch
    url = f"{elasticsearch.url}/_cluster/health?wait_for_status=yellow&timeout=1s"
    try:
        trust = _trust(elasticsearch.ca_certificate) if url.startswith("https:") else None
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS, context=trust) as response:
            return not json.load(response)["timed_out"]
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def _trust(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority or None)


def registered_taskmanagers(settings: Settings) -> set[str]:
    """The TaskManagers that the JobManager knows and whose slots it may use."""
    try:
        return FlinkRest(settings.flink.rest_url).registered_taskmanagers()
    except FraudlakeError:
        return set()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The newest job of the settings' name, as the JobManager sees it."""

    id: str
    state: str
    uptime_seconds: int
    all_tasks_run: bool

    @property
    def is_alive(self) -> bool:
        """Whether Flink itself still works on it, be it in a restart."""
        return self.state not in ("FAILED", "CANCELED", "FINISHED", "SUSPENDED")


def read_job(settings: Settings) -> JobState | None:
    """The job; None: none of that name is known, or Flink is away."""
    rest = FlinkRest(settings.flink.rest_url)
    try:
        jobs = rest.jobs(settings.flink.job_name)
        if not jobs:
            return None
        job = jobs[0]
        all_tasks_run = job.state == "RUNNING" and rest.are_tasks_running(job.job_id)
    except FraudlakeError:
        return None
    return JobState(
        id=job.job_id,
        state=job.state,
        uptime_seconds=job.duration_ms // 1000,
        all_tasks_run=all_tasks_run,
    )


def get_json(url: str) -> Any:
    """The JSON behind ``url``, or None if it does not answer so."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:
            return json.load(response)
    except (OSError, http.client.HTTPException, ValueError):
        return None
