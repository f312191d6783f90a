/* demo_parts.h - the parts of `demo`: what is made, the simulator, and telling it to make it. */
#pragma once

#include <sys/types.h>

#include "cmd/app.h"

/* One call, and what becomes of its recording. */
struct demo_call {
  const char *customer, *number;
  int minutes_ago; /* 0: it ended just now */
  int seconds;
  int again; /* seconds of a second recording of it; 0: there is none */
  bool is_outbound;
  bool is_dual;            /* a channel for each speaker */
  bool has_child;          /* a second leg */
  bool lasts;              /* its recording stays queued or downloading */
  const char *call_status; /* NULL: completed, with a recording */
  const char *status;      /* of the recording; NULL: completed */
  const char *faults;      /* of its media, as JSON strings; NULL: none */
};

struct demo_business {
  const char *name, *number;
  const struct demo_call *calls;
  size_t count;
};
enum { DEMO_BUSINESSES = 2 };
extern const struct demo_business demo_businesses[DEMO_BUSINESSES];

/* The body of POST /sim/calls. Pure. */
CHECKED enum err demo_write_call(struct buf *b, const struct demo_business *business, const struct demo_call *call,
                                 int64_t now_ms);

/* Of its second recording: that of POST /sim/calls/{CA}/recordings. Pure. */
CHECKED enum err demo_write_again(struct buf *b, const struct demo_call *call, int64_t now_ms);

/* A simulator of our own: a child process that ends with us, at the latest. */
struct demo_simulator {
  pid_t pid; /* 0: none was started */
  char url[512], account[40], token[128];
};
/* callreel-sim beside our own executable. CMD_DONE, or CMD_FAILED with its sentence. */
CHECKED int demo_simulator_start(const struct cmd_args *args, struct demo_simulator *ret_simulator);
void demo_simulator_stop(struct demo_simulator *s);
/* "callreel-sim listening on URL account AC… token T"; ERR_INVALID for another line. Pure. */
CHECKED enum err demo_hello_parse(struct str line, struct demo_simulator *ret_simulator);
