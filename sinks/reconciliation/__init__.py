"""Every input offset ends in exactly one decision or one dead letter; checked, not hoped.

``counts`` judges and knows no system; ``evidence`` reads Kafka, Iceberg and Elasticsearch.
"""
