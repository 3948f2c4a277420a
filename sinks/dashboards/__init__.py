"""Kibana dashboards and alerting rules as code, over the index of alerts.

A dashboard (``queue``, ``card``, ``rules``, ``operations``) is made of small dataclasses: panels on
a grid, which are made of buckets and measures. ``catalog`` turns all of them into
the JSON that Kibana's HTTP APIs take, ``publish`` puts it there. ``panel_search`` asks what a panel
would ask of Elasticsearch, so that the numbers of every panel are known without a Kibana.

The shapes follow the Dashboards API as it became generally available with Kibana 9.5. Against which
published version of it they were read, and when: ``docs/dashboards.md``.
"""
