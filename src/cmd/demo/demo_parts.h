/* demo_parts.h - the parts of `callreel demo`: the table of its calls, and the simulator process.
 *
 * Thread rule: the main thread. */
#pragma once

#include <sys/types.h>

#include "cmd/app.h"

/* One call, and how the simulator treats its recording. */
struct demo_call {
  const char *customer, *number;
  int minutes_ago; /* when it started; 0: it ends now */
  int seconds;
  int again; /* length of its second recording in seconds; 0: it has one recording */
  bool is_outbound;
  bool is_dual;            /* two channels: one for each speaker */
  bool has_child;          /* a second leg */
  bool lasts;              /* its recording never settles: it stays queued or downloading */
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

/* Appends the body of POST /sim/calls for the call. Pure. */
CHECKED enum err demo_write_call(struct buf *b, const struct demo_business *business, const struct demo_call *call,
                                 int64_t now_ms);

/* Appends the body of POST /sim/calls/{CA}/recordings for the call's second recording. Pure. */
CHECKED enum err demo_write_again(struct buf *b, const struct demo_call *call, int64_t now_ms);

/* A simulator that runs as a child process. The kernel ends it when this process ends. */
struct demo_simulator {
  pid_t pid; /* 0: none was started */
  char url[512], account[40], token[128];
};
/* Starts the callreel-sim that lies beside this executable, on a port that the kernel chooses. Waits at most 15 s for its first
 * line. CMD_FAILED is reported on standard error. */
CHECKED int demo_simulator_start(const struct cmd_args *args, struct demo_simulator *ret_simulator);
void demo_simulator_stop(struct demo_simulator *s);
/* Parses "callreel-sim listening on URL account AC… token T". ERR_INVALID: another line. Pure. */
CHECKED enum err demo_hello_parse(struct str line, struct demo_simulator *ret_simulator);
