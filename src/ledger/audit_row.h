/* audit_row.h - the columns of `audit`, and reading a row. For the files of this room only. Thread rule: the connection's. */
#pragma once

#include "ledger/audit.h"

/* The columns that audit_read_row reads. */
#define AUDIT_COLUMNS "number, at, actor, role, action, object, ip, details, digest"
enum { AUDIT_COLUMN_COUNT = 9 };

/* Stands for the digest before a chain's first entry. */
#define AUDIT_NO_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

void audit_read_row(const struct db_rows *q, int64_t business_id, struct audit_row *ret_row);
