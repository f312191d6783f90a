/* stage.h - a real server whose app does what the path says, and a client that sees every byte.
 *
 *   stage_open(&s, NULL);  int c = client_open(&s);  client_send(c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
 *   struct reply r = client_read(c);  …  stage_close(&s);
 *
 * Paths: /hello, /echo, /dropped (as /echo, but the body is dropped), /empty (204), /unchanged (304), /file (with Range),
 * /short-file (announces more than it has), /held (the test answers), /feed (a source that the test feeds), /feed/N (the same,
 * of N bytes), /big/N (N bytes), /abort, /over ("over" the limit or "within"), /timer, /forgotten, /bad-field, /early (answered
 * before the body). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>

#include "http/http.h"
#include "http/range.h"

enum { STAGE_ENDS = 4096, STAGE_PIECES = 64 };

struct ending {
  bool complete;
  int64_t sent;
};

struct stage {
  struct http_server *server;
  pthread_mutex_t lock; /* covers what follows */
  pthread_cond_t changed;
  struct ending ends[STAGE_ENDS]; /* of every exchange that the app has seen, in the order of their ends */
  size_t end_count, begun;
  struct http_exchange *held; /* with a ref; taken by stage_take_held */
  size_t actions;             /* http_post'ed by the test and run */

  /* /feed */
  struct http_exchange *fed;
  struct http_piece pieces[STAGE_PIECES];
  size_t piece_first, piece_end, closes, waits;
  int file;                    /* of /file */
  struct http_file *files[16]; /* a loop */
  int64_t file_size;
  bool drop_pages; /* /file is forgotten by the page cache before each answer */
};

void stage_open(struct stage *s, const struct http_config *config); /* NULL: one loop, defaults */
void stage_close(struct stage *s);
/* Waits until the app has seen that many ends in all; returns the last of them. */
struct ending stage_wait_ends(struct stage *s, size_t count);
void stage_wait_begun(struct stage *s, size_t count);
void stage_wait_waits(struct stage *s, size_t count); /* the source said WAIT that often */
struct http_exchange *stage_take_held(struct stage *s);
/* Runs fn on the loop of x and waits for it. */
void stage_do(struct stage *s, struct http_exchange *x, void (*fn)(struct http_exchange *x));
void stage_feed(struct stage *s, struct http_piece piece);
void stage_feed_bytes(struct stage *s, const char *text);
size_t stage_closes(struct stage *s);
char stage_byte(int64_t at); /* of /big and /file, at that offset */

struct reply {
  int status; /* 0: the connection ended instead */
  char head[4096];
  char *body; /* to be freed by reply_done */
  size_t body_n;
  bool whole; /* the body came as it was announced */
};

int client_open(struct stage *s);
void client_send(int c, const char *text);
void client_send_n(int c, const void *bytes, size_t n);
struct reply client_read(int c);
struct reply client_read_head(int c); /* of an answer to HEAD */
struct reply client_get(int c, const char *target);
void reply_done(struct reply *r);
/* The value of a field, or NULL; valid until the next call. */
const char *reply_field(const struct reply *r, const char *name);
void assert_reply(struct reply r, int status, const char *body); /* and frees it */
enum ended { ENDED_CLEAN, ENDED_RESET };
enum ended client_wait_end(int c); /* reads until the connection ends */
void client_close(int c);
void client_reset(int c);
