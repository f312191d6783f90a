/* Any text as the body of the simulator's POST /sim/calls: an order that it can carry out, or a problem with a name. */
#include <jansson.h>
#include <stdlib.h>

#include "order.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  json_t *root = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
  if (!root) return 0;
  struct order order;
  char room[256];
  const char *problem = NULL;
  if (order_parse(root, 1795248000000, room, sizeof(room), &problem, &order) != OK && !problem) abort();
  json_decref(root);
  return 0;
}
