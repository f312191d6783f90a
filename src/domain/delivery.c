/* delivery.c - which of two deliveries is believed. */
#include "domain/delivery.h"

static int compare(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

int delivery_rank_compare(const struct delivery_rank *a, const struct delivery_rank *b) {
  int order = compare(a->terminal, b->terminal);
  if (order == 0) order = compare(a->sequence, b->sequence);
  if (order == 0) order = compare(a->timestamp_ms, b->timestamp_ms);
  if (order == 0) order = compare(a->status_order, b->status_order);
  return order;
}
