/* audit_queue.h - entries of the audit that no transaction of their own writes: plays, downloads, exports. They wait here for the
 * writer, which takes them in groups.
 *
 *   audit_queue_new(writer, &q);
 *   audit_queue_add(q, business_id, &entry);       any thread; takes a lock for a moment, never waits
 *   audit_queue_tick(q);                           some times a second: hands what waits to the writer, together what came
 *                                                  within AUDIT_QUEUE_GATHER_MS: a process that is killed loses no more
 *   audit_queue_flush(q);                          once, before the writer is freed
 *
 * An entry that can't be kept is counted (callreel_audit_lost_total): the queue or its business's share of it is full, or the
 * database could not be written for AUDIT_QUEUE_WAIT_MS.
 * Thread rule: audit_queue_add: any thread; tick and flush: one thread. Free the queue after the writer. */
#pragma once

#include "db/db_writer.h"
#include "ledger/audit.h"

enum {
  AUDIT_QUEUE_MAX = 50000,
  AUDIT_QUEUE_BUSINESS_MAX = 10000,
  AUDIT_QUEUE_GATHER_MS = 1000,
  AUDIT_QUEUE_WAIT_MS = 60 * 1000
};

struct audit_queue;

CHECKED enum err audit_queue_new(struct db_writer *writer, struct audit_queue **ret_queue);
struct audit_queue *audit_queue_free(
    struct audit_queue *q); /* counts what is left as lost; NULL is fine; always NULL */
/* Copies the entry. */
void audit_queue_add(struct audit_queue *q, int64_t business_id, const struct audit_entry *entry);
void audit_queue_tick(struct audit_queue *q);
/* Writes all that waits. Gives up at the first failure. */
void audit_queue_flush(struct audit_queue *q);
