/* standbys.h - what the server's standbys would lose if one of them took over (docs/ops/postgres.md). PostgreSQL only.
 * Thread rule: the connection's. Source of facts: pg_stat_replication and synchronous_standby_names. */
#pragma once

#include "db/db.h"

struct standbys {
  int64_t connected;
  int64_t synchronous; /* of them; -1: this role may not see it (it needs pg_monitor) */
  bool is_any_named;   /* synchronous_standby_names is not empty: commits wait for a standby */
};

CHECKED enum err standbys_read(struct db *db, struct standbys *ret_standbys);
