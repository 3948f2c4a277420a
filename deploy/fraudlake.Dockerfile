# Everything of ours: the command line, both sinks, Dagster, and Flink's environment to submit the
# job from. Two environments, because apache-flink and pyiceberg cannot share one.
FROM python:3.11.14-slim-bookworm AS build

RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/fraudlake
COPY constraints constraints
COPY pyproject.toml README.md ./
COPY pipelines pipelines
COPY flink_jobs flink_jobs
COPY sinks sinks
COPY orchestration orchestration
COPY fraudlake fraudlake
COPY bench bench
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir -e '.[alerts,lakehouse,orchestration,stack]' -c constraints/main.txt
RUN python -m venv .venv-flink \
    && .venv-flink/bin/pip install --no-cache-dir -e '.[flink]' -c constraints/flink.txt

# The connector's jar, checked against its lock, and the kernel: nothing is fetched or compiled later.
ENV FRAUDLAKE_CACHE=/opt/fraudlake/cache
RUN .venv/bin/fraudlake jars fetch && .venv/bin/fraudlake jars kernel

FROM python:3.11.14-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home fraudlake \
    && install -d -o fraudlake /var/lib/fraudlake /var/lib/dagster

COPY --from=build /opt/fraudlake /opt/fraudlake
ENV PATH=/opt/fraudlake/.venv/bin:$PATH \
    FRAUDLAKE_CACHE=/opt/fraudlake/cache

USER fraudlake
WORKDIR /opt/fraudlake
CMD ["fraudlake", "--help"]
