/* volume.h - threads that call into the recordings' volume, for threads that must not wait for it.
 *
 * A file system can stop answering, for instance a network volume whose server is gone, or one that is frozen for a
 * snapshot. A call into it then returns late or never. So such calls run on the threads of a struct volume, and the
 * caller gets its answer, or ERR_TIMEOUT, within timeout_ms.
 *
 *   struct opening { struct volume_job job; … };
 *   opening->job = (struct volume_job){.run = open_it, .done = opened, .destroy = free_it, .timeout_ms = 8000};
 *   e = volume_run(volume, &opening->job);    not OK: neither done nor destroy is called, the caller owns the job again
 *   … done is called once; when the caller no longer uses the job: volume_release(&opening->job);
 *
 * run may still be running when done gets ERR_TIMEOUT: then the caller must not read what run writes. destroy is called
 * when run has returned and the caller has released the job; it frees what run opened and the caller did not take.
 *
 * A thread of its own also probes the volume once a second: free space, the store's id, whether it can write a byte, whether
 * the volume's path still leads to it, and whether the marks of the other processes are there. If the path leads elsewhere,
 * it opens the path again once the right volume is there. Nothing is written to a volume that is not the expected one.
 * volume_seen returns the last result and never waits for the volume.
 * Thread rule: any thread; new, stop and free: the owner only. */
#pragma once

#include <stdint.h>

#include "base/lock.h"
#include "blob/blob.h"
#include "domain/node_marks.h"
#include "domain/store.h"

struct volume;

enum {
  VOLUME_HANGS_MS = 3000,  /* a probe that takes longer means that the volume does not answer */
  VOLUME_MARK_MS = 5000,   /* how often a process renews its mark */
  VOLUME_MISSES_MS = 6000, /* how long a mark is looked for before it counts as missing */
};

/* See the diagram in volume.c. */
enum volume_job_state { VOLUME_JOB_WAITING, VOLUME_JOB_RUNNING, VOLUME_JOB_GIVEN_UP, VOLUME_JOB_OVER };

struct volume_job {
  /* Runs on a thread of the volume; may wait for the file system. */
  enum err (*run)(struct volume_job *job);
  /* Called once, with what run returned, ERR_TIMEOUT or ERR_CLOSED. On any thread, without a lock. Must only post. */
  void (*done)(struct volume_job *job, enum err result);
  /* Called last: frees the job and what run opened and the caller did not take. On any thread. */
  void (*destroy)(struct volume_job *job);
  int64_t timeout_ms;
  /* Private to volume.c. */
  struct volume *volume;
  struct volume_job *next, **link; /* in the list of waiting or of running jobs */
  int64_t until_ms;                /* clock_kernel_ms */
  enum volume_job_state state;
  unsigned holders; /* the caller, and run until it has returned */
};

/* Facts from the database, with which the probes compare the volume. */
struct volume_expected {
  char store_id[STORE_ID_SIZE]; /* of the right volume; "": unknown */
  char node_id[NODE_ID_SIZE];   /* this process; the probes renew its mark */
  struct node_marks others;     /* as they are in the database now */
};

/* The result of the last probe. */
struct volume_seen {
  bool answers;        /* false: the running probe has taken longer than VOLUME_HANGS_MS */
  int64_t waits_ms;    /* how long the running probe has taken; 0: none is running */
  int64_t age_ms;      /* since the last finished probe began; INT64_MAX: none has finished */
  enum err room_error; /* of free_bytes and total_bytes */
  uint64_t free_bytes, total_bytes;
  enum err id_error; /* of id */
  char id[STORE_ID_SIZE];
  bool is_elsewhere;               /* the volume's path leads to another place, or to none */
  int64_t mark;                    /* the number in this process's mark; 0: none is written yet */
  char missing_node[NODE_ID_SIZE]; /* a process whose mark was missing for VOLUME_MISSES_MS; "": none */
};

/* threads: how many run jobs; queue_max: how many jobs may wait. */
CHECKED enum err volume_new(struct blob_store *store, unsigned threads, size_t queue_max, struct volume **ret_volume);
/* Queues the job. The caller fills run, done, destroy and timeout_ms. ERR_BUSY: queue_max jobs wait already.
 * ERR_CLOSED. */
CHECKED enum err volume_run(struct volume *v, struct volume_job *job);
/* The caller no longer uses the job. Call it once for each volume_run that returned OK. */
void volume_release(struct volume_job *job);
/* Calls done with ERR_TIMEOUT for jobs whose time is up. Call it some times a second, on a thread that never waits for
 * the volume. */
void volume_tick(struct volume *v);
/* Returns the result of the last probe. Never waits for the volume. */
void volume_seen(struct volume *v, struct volume_seen *ret_seen);
/* From now on the probes compare with this. Before the first call nothing is written to the volume. */
void volume_expect(struct volume *v, const struct volume_expected *expected);
/* Stops the threads and gives up waiting jobs. False: after wait_ms some threads are still inside the volume. They
 * still use the volume and its store, so the caller must free neither. */
CHECKED bool volume_stop(struct volume *v, int64_t wait_ms);
/* Only after volume_stop returned true. NULL is fine. Always NULL. */
struct volume *volume_free(struct volume *v);
