/* setup.h - what is missing before a business's calls can be heard: pure rules, for `callreel check` and GET /api/setup.
 *
 *   setup_judge(&facts, add_finding, arg);
 *
 * Thread rule: pure. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum setup_level { SETUP_OK, SETUP_WARN, SETUP_FAIL };

/* The order in which setup_judge reports them. */
enum setup_code {
#define SETUP(name, code, level, text, todo) SETUP_##name,
#include "domain/setup.def"
#undef SETUP
  SETUP_CODE_COUNT_
};

struct setup_facts {
  bool has_account, has_token, has_api_secret;
  bool is_refused;                /* the provider refused the credentials: fills are stopped */
  bool is_accepted;               /* the provider has accepted them when it was last asked */
  const char *public_url_problem; /* of public_url_problem(); NULL: none */
  bool has_webhook;               /* one was received */
  bool webhook_refused;           /* the last one was */
  bool worker_alive, storage_full;
};

struct setup_finding {
  enum setup_code code;
  enum setup_level level;
  const char *name;        /* of the code */
  const char *text, *todo; /* sentences; todo may be "" */
};
typedef enum err setup_finding_fn(void *arg, const struct setup_finding *finding);
/* Calls fn with each finding; stops at its first error. */
CHECKED enum err setup_judge(const struct setup_facts *f, setup_finding_fn *fn, void *arg);

enum setup_credentials {
  SETUP_CREDENTIALS_OK,
  SETUP_CREDENTIALS_REFUSED,
  SETUP_CREDENTIALS_MISSING,
  SETUP_CREDENTIALS_UNKNOWN
};
enum setup_credentials setup_credentials_of(const struct setup_facts *f);
const char *setup_credentials_name(enum setup_credentials c); /* "ok", "refused", "missing", "unknown" */
