-- What keeps the tables fast when many small commits come in for ever. Run it daily, beside the
-- writer: deploy/handover/spark_sql.sh -f deploy/handover/spark_upkeep.sql
--
-- Each commit here carries no position, and the sink looks past it for its own. The snapshot with
-- the newest position has a tag, so that it is never expired.

-- Small files into large ones, each sorted as the table says: a card's decisions side by side.
CALL fraudlake.system.rewrite_data_files(
    table => 'fraud.decisions',
    strategy => 'sort',
    options => map(
        'min-input-files', '5',
        'target-file-size-bytes', '268435456',
        'partial-progress.enabled', 'true'
    )
);
CALL fraudlake.system.rewrite_data_files(table => 'fraud.labels', strategy => 'sort');
CALL fraudlake.system.rewrite_data_files(table => 'fraud.dead_letters', strategy => 'sort');
CALL fraudlake.system.rewrite_data_files(table => 'fraud.rulesets', strategy => 'sort');

CALL fraudlake.system.rewrite_manifests('fraud.decisions');

-- Snapshots older than five days, of which the newest 20 stay.
CALL fraudlake.system.expire_snapshots(table => 'fraud.decisions', retain_last => 20);
CALL fraudlake.system.expire_snapshots(table => 'fraud.labels', retain_last => 20);
CALL fraudlake.system.expire_snapshots(table => 'fraud.dead_letters', retain_last => 20);
CALL fraudlake.system.expire_snapshots(table => 'fraud.rulesets', retain_last => 20);

-- Files that nothing refers to and that are older than three days: what a killed writer left.
CALL fraudlake.system.remove_orphan_files(table => 'fraud.decisions', prefix_listing => true);
CALL fraudlake.system.remove_orphan_files(table => 'fraud.labels', prefix_listing => true);
CALL fraudlake.system.remove_orphan_files(table => 'fraud.dead_letters', prefix_listing => true);
CALL fraudlake.system.remove_orphan_files(table => 'fraud.rulesets', prefix_listing => true);
