/* db_clock.c - see db_clock.h. */
#include "db/db_clock.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

/* Connections that tell at the same time may leave the offset of one with the error of another: both were true. */
static struct {
  atomic_bool is_told;
  atomic_llong offset_ms; /* the server's clock minus clock_mono_ms */
  atomic_llong error_ms, told_ms;
} server;

int64_t db_clock_now_ms(void) {
  return atomic_load(&server.is_told) ? clock_mono_ms() + atomic_load(&server.offset_ms) : clock_now_ms();
}

void db_clock_report(int64_t server_ms, int64_t sent_mono_ms, int64_t got_mono_ms) {
  int64_t error_ms = (got_mono_ms - sent_mono_ms + 1) / 2;
  bool holds = atomic_load(&server.is_told) && got_mono_ms - atomic_load(&server.told_ms) < DB_CLOCK_HOLDS_MS;
  if (holds && error_ms > atomic_load(&server.error_ms)) return;
  atomic_store(&server.error_ms, error_ms);
  atomic_store(&server.told_ms, got_mono_ms);
  atomic_store(&server.offset_ms, server_ms - (sent_mono_ms + got_mono_ms) / 2);
  atomic_store(&server.is_told, true);
}

void db_clock_forget(void) {
  atomic_store(&server.is_told, false);
}
