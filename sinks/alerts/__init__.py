"""Kafka ``alerts`` to Elasticsearch: one document for each alert, beside a case that people own.

``run.run`` is the sink; ``search`` is how commands and checks read the index. A document has two
subtrees with two owners: everything but ``case`` is rewritten by each revision of the alert,
``case`` is written once, fresh, and then belongs to the investigator.
"""
