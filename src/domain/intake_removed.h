/* intake_removed.h - what becomes of a delivery about a call that was removed, or about one that turns out to belong to it.
 *
 *   TRY(intake_removed_find(db, d, now, &fate));
 *   INTAKE_DROP:      TRY(intake_removed_drop(db, d, now));      nothing else is stored
 *   INTAKE_…_APART:   TRY(intake_removed_part(d, &apart));       stored instead of d
 *   after storing it: TRY(intake_removed_follow(db, d, fate, now));
 *
 * The rule: what belongs to a deleted call (domain/erasure.h) goes as soon as that is known, in whatever order deliveries come;
 * what a legal hold covers stays. For domain/intake.c only. Thread rule: inside db_writer's transaction. */
#pragma once

#include "db/db.h"
#include "domain/delivery.h"

enum intake_fate {
  INTAKE_STORE,
  INTAKE_DROP,         /* it is of a removed call or recording */
  INTAKE_REMOVE,       /* it says that a call that is there belongs to a deleted one */
  INTAKE_REMOVE_APART, /* ... or to one that is being deleted, ... */
  INTAKE_STORE_APART,  /* ... or to one that goes because its time is over */
};

CHECKED enum err intake_removed_find(struct db *db, const struct delivery *d, int64_t now, enum intake_fate *ret_fate);
CHECKED enum err intake_removed_drop(struct db *db, const struct delivery *d, int64_t now);
/* The delivery without the leg's parent. The caller frees it. */
CHECKED enum err intake_removed_part(const struct delivery *d, struct delivery **ret_apart);
CHECKED enum err intake_removed_follow(struct db *db, const struct delivery *d, enum intake_fate fate, int64_t now);
