/* Input: any text as the body of the simulator's POST /sim/calls. Property: a valid order, or an error that names the field; each
 * fault is due as often as it was ordered. */
#include <jansson.h>
#include <stdlib.h>

#include "order.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void check_faults(struct faults *f) {
  require(f->count <= FAULTS_MAX);
  for (size_t i = 0; i < f->count; i++) {
    require((unsigned)f->list[i].kind < FAULT_KIND_COUNT_ && f->list[i].number >= 0);
    require(f->list[i].number <= FAULT_NUMBER_MAX && f->list[i].left >= FAULT_ALWAYS &&
            f->list[i].left <= FAULT_NUMBER_MAX);
  }
  for (int i = 0; i < 2 * FAULTS_MAX; i++) {
    enum fault_kind kind;
    if (faults_take_answer(f, &kind)) require((unsigned)kind < FAULT_KIND_COUNT_);
  }
}

static void check_order(struct order *o) {
  require(o->seconds >= 0 && o->seconds <= TALK_SECONDS_MAX && (o->channels == 1 || o->channels == 2));
  require((o->legs == 1 || o->legs == 2) && o->complete_after_ms >= 0 && o->from && o->to && o->child_to && o->source);
  require(o->call_status && o->status && (!o->on_child || o->legs == 2));
  check_faults(&o->faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  json_t *root = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
  if (!root) return 0;
  struct order order;
  char room[256];
  const char *problem = NULL;
  struct faults faults;
  if (order_parse(root, 1795248000000, room, sizeof(room), &problem, &order) == OK)
    check_order(&order);
  else
    require(problem);
  if (order_parse_faults(json_object_get(root, "faults"), &faults) == OK) check_faults(&faults);
  json_decref(root);
  return 0;
}
