"""Every input offset ends in exactly one decision or one dead letter; checked, not hoped.

``counts`` and ``judgement`` know no system; ``evidence`` reads Kafka, Iceberg and Elasticsearch.
"""
