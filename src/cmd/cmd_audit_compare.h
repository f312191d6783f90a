/* cmd_audit_compare.h - compares a copy of the audit, which GET /api/audit.csv made, with a database that was restored.
 *
 *   code = audit_compare(args, db, business_id, "audit.csv");      an exit code
 *
 * Thread rule: the connection's; reads only. */
#pragma once

#include "cmd/app.h"

int audit_compare(const struct cmd_args *args, struct app *app, int64_t business_id, const char *path);
