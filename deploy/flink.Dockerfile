# A Flink cluster from the very wheel the job is planned and tested with, Python workers included.
FROM python:3.11.14-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*

COPY constraints/flink.txt /tmp/constraints.txt
RUN pip install --no-cache-dir apache-flink==2.3.0 -c /tmp/constraints.txt

# The scripts and the configuration lie inside the package.
RUN ln -s "$(python -c 'import pyflink, pathlib; print(pathlib.Path(pyflink.__file__).parent)')" /opt/flink \
    && chmod +x /opt/flink/bin/*.sh \
    && useradd --uid 1000 --create-home fraudlake \
    && mkdir -p /var/lib/fraudlake /opt/flink/log \
    && chown -R fraudlake: /var/lib/fraudlake /opt/flink/log
ENV PATH=/opt/flink/bin:$PATH \
    FLINK_HOME=/opt/flink \
    FLINK_CONF_DIR=/opt/flink/conf

USER fraudlake
WORKDIR /home/fraudlake
EXPOSE 8081
