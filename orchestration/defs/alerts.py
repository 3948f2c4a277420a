"""Group ``alerts``: where investigators find them."""

import dagster as dg

from orchestration.defs.sinks import alerts_sink
from orchestration.defs.stream import alerts
from orchestration.failures import PATIENCE, translate_failures
from orchestration.owners import INVESTIGATION
from orchestration.resources import AlertIndex


@dg.asset(
    key=dg.AssetKey(["elasticsearch", "fraud_alerts"]),
    deps=[alerts, alerts_sink],
    group_name="alerts",
    kinds={"elasticsearch"},
    owners=[INVESTIGATION],
    description=(
        "One document for each alert, with a case that the investigator owns.\n\n"
        "Written by the alert sink, which runs by itself (`fraudlake sink alerts`); a redelivery "
        "changes nothing and an edit of the case survives.\n\n"
        "Materialize it to put the index template and the search alias in place, and to count. "
        "The monthly indices are made by the sink, each with its first alert."
    ),
    metadata={"written by": "fraudlake sink alerts", "command": "fraudlake alerts list"},
    retry_policy=PATIENCE,
)
def fraud_alerts(alert_index: dg.ResourceParam[AlertIndex]) -> dg.MaterializeResult[None]:
    with translate_failures():
        change = alert_index.apply_template()
        count = alert_index.count()
        name = alert_index.name()
    return dg.MaterializeResult(
        metadata={"index": name, "template": change, "dagster/row_count": count}
    )
