#!/usr/bin/env bash
# Writes the secrets of docker-compose.yml into `.env` beside it, which only its owner may read.
# Each is made up here, of 32 characters. What stands there already stays: PostgreSQL keeps the
# password it began with, and Kibana reads with its key what it wrote with it.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
touch .env
for name in DAGSTER_POSTGRES_PASSWORD KIBANA_ENCRYPTION_KEY \
    FRAUDLAKE_LAKEHOUSE_S3_ACCESS_KEY_ID FRAUDLAKE_LAKEHOUSE_S3_SECRET_ACCESS_KEY; do
    if ! grep -q "^$name=" .env; then
        printf '%s=%s\n' "$name" "$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')" >> .env
    fi
done
echo "the secrets stand in $PWD/.env"
