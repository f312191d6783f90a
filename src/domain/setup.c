#include "domain/setup.h"

#include "base/str.h"

static const struct setup_finding rows[] = {
#define SETUP(name_, code_, level_, text_, todo_) \
  [SETUP_##name_] = {.code = SETUP_##name_, .level = level_, .name = code_, .text = text_, .todo = todo_},
#include "domain/setup.def"
#undef SETUP
};

static bool lacks_all(const struct setup_facts *f) {
  return !f->has_account || (!f->has_token && !f->has_api_secret);
}

static bool setup_applies(const struct setup_facts *f, enum setup_code code) {
  switch (code) {
    case SETUP_NO_CREDENTIALS:
      return lacks_all(f);
    case SETUP_NO_TOKEN:
      return !lacks_all(f) && !f->has_token;
    case SETUP_REFUSED:
      return !lacks_all(f) && f->is_refused;
    case SETUP_ACCEPTED:
      return !lacks_all(f) && !f->is_refused && f->is_accepted;
    case SETUP_PUBLIC_URL:
      return f->public_url_problem;
    case SETUP_NO_WEBHOOK:
      return !f->has_webhook;
    case SETUP_WEBHOOK_REFUSED:
      return f->has_webhook && f->webhook_refused;
    case SETUP_WEBHOOK_TAKEN:
      return f->has_webhook && !f->webhook_refused;
    case SETUP_NO_WORKER:
      return !f->worker_alive;
    case SETUP_STORAGE_FULL:
      return f->worker_alive && f->storage_full;
    case SETUP_CODE_COUNT_:
      break;
  }
  return false;
}

enum err setup_judge(const struct setup_facts *f, setup_finding_fn *fn, void *arg) {
  for (enum setup_code code = 0; code < SETUP_CODE_COUNT_; code++) {
    if (!setup_applies(f, code)) continue;
    struct setup_finding finding = rows[code];
    if (code == SETUP_PUBLIC_URL) finding.text = f->public_url_problem;
    TRY(fn(arg, &finding));
  }
  return OK;
}

enum setup_credentials setup_credentials_of(const struct setup_facts *f) {
  if (lacks_all(f)) return SETUP_CREDENTIALS_MISSING;
  if (f->is_refused) return SETUP_CREDENTIALS_REFUSED;
  return f->is_accepted ? SETUP_CREDENTIALS_OK : SETUP_CREDENTIALS_UNKNOWN;
}

const char *setup_credentials_name(enum setup_credentials c) {
  static const char *const names[] = {"ok", "refused", "missing", "unknown"};
  return names[c];
}
