/* db_postgres_notify.c - tells followers in other processes that something was committed, and hears it from them.
 *
 *   commit --NOTIFY_EACH_MS since the last--> sent behind the commit, in its pipeline
 *      `-- earlier --> due --db_postgres_upkeep--> sent
 *
 * Invariants
 *  (1) A notification is a statement of its own behind the commit, and is sent at most once in NOTIFY_EACH_MS: inside the
 *      transaction it would hold one lock of the whole cluster until the commit is on disk.
 *  (2) No correctness depends on a notification: a follower that gets none polls every POLL_MS. */
#include <stdio.h>

#include "base/clock.h"
#include "db/db_postgres.h"

enum { NOTIFY_EACH_MS = 10, POLL_MS = 250 };

bool db_postgres_may_notify(const struct db_postgres *db) {
  return clock_kernel_ms() - db->notified_ms >= NOTIFY_EACH_MS;
}

static void notify_send(struct db_postgres *db) {
  char text[128];
  (void)snprintf(text, sizeof(text), "notify %s", db->schema);
  struct pg_call call = {.text = text, .limit_ms = 1000};
  db->notification_due = false;
  db->notified_ms = clock_kernel_ms();
  if (db_postgres_exchange(db, &call) == OK) PQclear(call.result); /* else others poll */
}

void db_postgres_upkeep(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  if (db->notification_due && !db->in_transaction && db_postgres_may_notify(db)) notify_send(db);
  opened->upkeep_in_ms = db->notification_due ? NOTIFY_EACH_MS : 0;
}

void db_postgres_note_committed(struct db_postgres *db, bool notified) {
  db->notification_due = !notified;
  if (notified) db->notified_ms = clock_kernel_ms();
  if (!db->head.upkeep_later) db_postgres_upkeep(&db->head);
}

/* Changes when a notification came, when POLL_MS are over, and with each new connection. */
enum err db_postgres_data_version(struct db *opened, int64_t *ret_version) {
  struct db_postgres *db = db_postgres_of(opened);
  int64_t now = clock_kernel_ms();
  if (!db->conn || !db->is_listening) {
    char text[128];
    (void)snprintf(text, sizeof(text), "listen %s", db->schema);
    struct pg_call call = {.text = text};
    TRY(db_postgres_exchange(db, &call));
    PQclear(call.result);
    db->is_listening = true;
    db->version_ms = 0;
  }
  if (!PQconsumeInput(db->conn)) {
    db_postgres_disconnect(db);
    (void)snprintf(opened->problem, sizeof(opened->problem), "the connection to the database server is gone");
    return ERR_IO;
  }
  PGnotify *note;
  bool came = false;
  for (; (note = PQnotifies(db->conn)); came = true) PQfreemem(note);
  if (came || now - db->version_ms >= POLL_MS) {
    db->version++;
    db->version_ms = now;
  }
  *ret_version = db->version;
  return OK;
}
