from __future__ import annotations

from pipelines.topics import declare_topics


def test_topics_have_their_names_with_the_prefix_in_the_order_of_the_flow() -> None:
    names = [topic.name for topic in declare_topics(prefix="eu-").all()]
    assert names == [
        "eu-transactions",
        "eu-customers",
        "eu-labels",
        "eu-decisions",
        "eu-alerts",
        "eu-dead-letters",
    ]


def test_what_is_keyed_by_card_has_the_same_number_of_partitions() -> None:
    by_card = [topic for topic in declare_topics(partitions=7).all() if topic.key == "card_id"]
    assert {topic.partitions for topic in by_card} == {7}
    assert len(by_card) == 4


def test_outputs_outlive_the_input_and_hold_its_largest_record_in_base64() -> None:
    """Kafka takes a record of 1 MiB by default, and deletes whole segments."""
    topics = declare_topics()
    of_input = topics.transactions.config()
    longest_ms = int(of_input["retention.ms"]) + int(of_input["segment.ms"])
    for output in (topics.decisions, topics.alerts, topics.dead_letters):
        config = output.config()
        assert int(config["retention.ms"]) > longest_ms
        assert int(config["max.message.bytes"]) > 2 * 4 / 3 * 1024 * 1024


def test_profiles_are_compacted_and_labels_kept_for_ever() -> None:
    topics = declare_topics()
    assert topics.customers.config() == {"cleanup.policy": "compact", "retention.ms": "-1"}
    assert topics.labels.config() == {"cleanup.policy": "delete", "retention.ms": "-1"}
    assert topics.dead_letters.config()["retention.ms"] == str(30 * 24 * 60 * 60 * 1000)
