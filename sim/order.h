/* order.h - parses and checks the body of POST /sim/calls. Thread rule: pure. */
#pragma once

#include "sim.h"

struct order {
  int64_t seconds;
  unsigned channels;
  unsigned legs;
  bool inbound;
  bool on_child; /* the recording belongs to the child leg */
  bool no_recording;
  const char *from, *to, *child_to, *caller_name,
      *source;                      /* point into the document, or static; caller_name may be NULL */
  const char *call_status, *status; /* static */
  int error_code;
  int64_t start_ms;
  int64_t complete_after_ms; /* 0: at once */
  int64_t count;             /* how many such calls are made, a second apart */
  struct faults faults;
};

/* root stays the caller's and must outlive the order. ERR_INVALID: *ret_problem is a sentence that begins with the field's name;
 * it is written to room, which has room_size bytes. */
CHECKED enum err order_parse(const json_t *root, int64_t now_ms, char *room, size_t room_size, const char **ret_problem,
                             struct order *ret_order);
/* Parses a JSON list of faults. */
CHECKED enum err order_parse_faults(const json_t *list, struct faults *ret_faults);
