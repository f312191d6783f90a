#include "ledger/standbys.h"

enum err standbys_read(struct db *db, struct standbys *ret_standbys) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  /* A role without the right sees that there is a standby, but not its state. */
  TRY(db_query(db, &q,
               DB_FOR_POSTGRES "select count(*), case when count(*) = count(sync_state)"
                               " then count(*) filter (where sync_state in ('sync', 'quorum')) else -1 end,"
                               " current_setting('synchronous_standby_names') <> ''"
                               " from pg_catalog.pg_stat_replication where state is distinct from 'backup'"));
  TRY(db_next(&q));
  *ret_standbys = (struct standbys){db_int(&q, 0), db_int(&q, 1), db_int(&q, 2) != 0};
  return OK;
}
