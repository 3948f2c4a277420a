#!/usr/bin/env bash
# spark-sql on the lakehouse that the FRAUDLAKE_LAKEHOUSE_ variables name, as catalog `fraudlake`:
#
#   deploy/handover/spark_sql.sh -e "select band, count(*) from fraudlake.fraud.decisions group by 1"
#   deploy/handover/spark_sql.sh -f deploy/handover/spark_upkeep.sql
#
# For a catalog in PostgreSQL or a REST catalog; files in a folder or on S3. Needs Spark 4.1.
set -euo pipefail

PACKAGES=org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0
PACKAGES+=,org.apache.iceberg:iceberg-aws-bundle:1.12.0,org.postgresql:postgresql:42.7.14

setting() { local name=FRAUDLAKE_LAKEHOUSE_$1; printf '%s' "${!name:-}"; }
option() { if [ -n "$2" ]; then printf 'spark.sql.catalog.fraudlake.%s %s\n' "$1" "$2"; fi; }

properties() {
    echo "spark.sql.extensions org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    echo "spark.sql.session.timeZone UTC"
    echo "spark.sql.catalog.fraudlake org.apache.iceberg.spark.SparkCatalog"
    local uri address
    uri=$(setting CATALOG_URI)
    case $uri in
        http://* | https://*)
            option type rest
            option uri "$uri"
            option token "$(setting CATALOG_TOKEN)"
            option credential "$(setting CATALOG_CREDENTIAL)"
            option oauth2-server-uri "$(setting CATALOG_OAUTH2_URI)"
            option scope "$(setting CATALOG_SCOPE)"
            ;;
        postgresql*://*@*)
            address=${uri#*://}
            option catalog-impl org.apache.iceberg.jdbc.JdbcCatalog
            option uri "jdbc:postgresql://${address#*@}"
            option jdbc.user "${address%%@*}"
            option jdbc.password "$(setting CATALOG_PASSWORD)"
            option jdbc.schema-version V1
            ;;
        *)
            echo "FRAUDLAKE_LAKEHOUSE_CATALOG_URI must be https://... or postgresql://user@host/database" >&2
            return 1
            ;;
    esac
    option warehouse "$(setting WAREHOUSE)"
    case $(setting WAREHOUSE)$(setting S3_ENDPOINT) in
        s3://* | http*)
            option io-impl org.apache.iceberg.aws.s3.S3FileIO
            option s3.endpoint "$(setting S3_ENDPOINT)"
            option s3.path-style-access "${FRAUDLAKE_LAKEHOUSE_S3_ENDPOINT:+true}"
            option s3.access-key-id "$(setting S3_ACCESS_KEY_ID)"
            option s3.secret-access-key "$(setting S3_SECRET_ACCESS_KEY)"
            local region
            region=$(setting S3_REGION)
            option client.region "${region:-${FRAUDLAKE_LAKEHOUSE_S3_ENDPOINT:+us-east-1}}"
            ;;
    esac
}

# In a file that only its owner can read: a command line is shown to everybody.
umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
properties > "$file"
spark-sql --packages "$PACKAGES" --properties-file "$file" "$@"
