#include "api/request/api_security.h"

#include "base/clock.h"
#include "base/log.h"

enum { QUIET_MS = 60 * 1000 };

void security_note(enum metric_label_SECURITY what) {
  metric_add(METRIC_SECURITY_EVENTS, what, 1);
}

void security_refused(struct api *a, enum metric_label_CREDENTIAL why) {
  struct refusals *r = &a->refusals[why];
  int64_t now = clock_mono_ms(), last = atomic_load_explicit(&r->logged_ms, memory_order_relaxed);
  metric_add(METRIC_AUTH_REFUSED, why, 1);
  atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
  if (last && now - last < QUIET_MS) return;
  if (!atomic_compare_exchange_strong(&r->logged_ms, &last, now ? now : 1)) return; /* another loop logs it */
  uint64_t count = atomic_exchange(&r->count, 0);
  log_warn("Credentials refused", LOG_TEXT("reason", metric_label_text(METRIC_AUTH_REFUSED, 0, why)),
           LOG_INT("count", count));
}
