/* internal.h - what the files of this room share: loop, connection, exchange. Nobody else includes it.
 *
 *   server.c  listening, draining        loop.c      one thread's events, posts, deadlines
 *   conn.c    a connection's life        exchange.c  a request and its answer, as the app sees them
 *   answer.c  sending                    response.c  an answer's head
 *   file.c    shared descriptors, and reading pages in off the loop */
#pragma once

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/lock.h"
#include "base/pool.h"
#include "http/http.h"
#include "http/parse.h"

enum {
  BUFFER_SIZE = 4096,         /* a connection's first read buffer */
  OUT_KEEP_MAX = 16 * 1024,   /* an answer buffer larger than this is not kept for the next */
  OUT_MAX = 64 * 1024 * 1024, /* head and copied body of one answer */
  FREE_MAX = 256,             /* pooled exchanges and buffers a loop */
  INLINE_MAX = 4096,          /* a file range up to this is read and sent with the head */
  CORK_MIN = 768 * 1024,      /* above: TCP_CORK; below it costs up to four times the CPU when the peer reads slowly */
  SEND_MAX = 1056 * 1024,     /* of one answer before another has its turn: 1 MiB with its head goes in one */
  HEAVY_MIN = 256 * 1024,     /* an answer with more of a file left than that waits behind all smaller ones */
  HEAVY_A_TURN = 1024 * 1024, /* bytes of such, before smaller ones have their turn */
  HEAVY_LOOK = 16 * 1024,     /* what each costs, even one that can't send */
  REQUESTS_A_TURN = 32,       /* pipelined, before another connection has its turn */
  DISCARD_MAX = 64 * 1024,    /* of a body nobody wants, to keep the connection */
  LINGER_BYTES = 256 * 1024,  /* read and dropped after the last answer, so that the peer sees it */
  LINGER_MS = 2000,
  FILE_WAIT_MS = 10 * 1000,  /* for bytes of a file that have to be read in */
  EXTRA_MAX = 64,            /* connections beyond the limit, shared out among the loops */
  EXTRA_LOOP_MIN = 4,        /* what each loop has of them at least */
  LARGE_COPY = 32 * 1024,    /* of a copied body above that the kernel takes no more than the peer is ready for, */
  UNSENT_MAX = 16 * 1024,    /* and so much */
  HELD_LOOKS = 64,           /* how many are looked at for one to be given up */
  GIVE_WAY_MS = 1000,        /* who is younger gives way only where nobody older can */
  WARM_MS = 5000,            /* pages sent this lately are taken to be in memory */
  READ_IN_FIRST = 16 * 1024, /* of a file out of memory, before its first byte goes */
  READ_IN_STEP = 128 * 1024, /* after that, between others' turns */
  RESERVED_DESCRIPTORS = 256,
  REFUSAL_MAX = 6 * 1024, /* an answer by the engine: its own lines, the app's fields, 1 KiB of body */
};

struct link {
  struct link *prev, *next;
};

void link_init(struct link *list);
void link_append(struct link *list, struct link *item);
void link_remove(struct link *item);
static inline bool link_empty(const struct link *list) {
  return list->next == list;
}
#define LINK_OWNER(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

/* Read bytes. The last request's views point into it, so it moves only between requests. */
struct bytes {
  struct bytes *next; /* in the loop's free list */
  size_t cap;
  char p[];
};

enum conn_state {
  CONN_IDLE,    /* no byte of a request */
  CONN_HEAD,    /* some of a head */
  CONN_BODY,    /* some of a body */
  CONN_HELD,    /* the app has the request */
  CONN_ANSWER,  /* an answer is being sent */
  CONN_DISCARD, /* answered before the body came: dropping it */
  CONN_LINGER,  /* our side is shut down; until the peer has seen it */
  CONN_CLOSED,
};

/* Which of a loop's lists a connection is in: each is in the order of its deadlines. */
enum deadline {
  DEADLINE_NONE,
  DEADLINE_IDLE,
  DEADLINE_HEAD,
  DEADLINE_BODY,
  DEADLINE_PACE, /* an answer is under way: when this is due the peer's pace is judged */
  DEADLINE_FILE, /* a helper reads the file's next bytes in */
  DEADLINE_LINGER,
  DEADLINES
};

struct conn {
  struct loop *loop;
  int fd;
  enum conn_state state;
  enum deadline deadline;
  bool readable;           /* the kernel may have bytes */
  bool peer_shut;          /* FIN came: a short read is not the end of what can be read */
  bool eof;                /* and all before it was read */
  bool running;            /* conn_run is on the stack */
  bool unsent_bounded;     /* TCP_NOTSENT_LOWAT is set */
  bool ready;              /* in the loop's ready or heavy list */
  bool doomed;             /* close with a reset as soon as conn_run is left */
  bool extra;              /* beyond the limit: counted apart, closes after one answer */
  uint32_t from, to;       /* unparsed bytes in `in` */
  struct bytes *in;        /* NULL while there are none */
  struct http_exchange *x; /* NULL while no byte of a request is here */
  int64_t deadline_ms;
  int64_t discard; /* DISCARD, LINGER: bytes yet to drop */
  int64_t pushed;  /* bytes of answers given to the kernel */
  int64_t taken;   /* of these the peer had, when it was first waited for in this DEADLINE_PACE; -1: it was not yet */
  struct link in_deadline;
  struct link in_ready; /* or in heavy; later: in the loop's list of the dead */
  struct link in_extra; /* the loop's, where extra; in the order they came */
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } peer;
};

struct post {
  struct post *next;
  struct http_exchange *x; /* NULL: loop_fn */
  union {
    void (*fn)(struct http_exchange *x, void *arg);
    void (*loop_fn)(void *arg);
  } u;
  void *arg;
  atomic_bool *busy; /* of a node that is part of an exchange; NULL: free() it */
};

enum body_state { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

struct http_exchange {
  struct loop *loop;
  struct conn *conn;     /* NULL once it ended */
  atomic_int peer_state; /* enum http_presence */
  struct http_exchange *next_free;
  unsigned refs; /* the engine's and the app's */
  int status;    /* as answered; 0 before, and where the engine refused */
  bool seen;     /* the app knows it */
  bool answered;
  bool close_after;
  bool ends_with_peer;
  bool keep; /* the answer promised to keep the connection */
  bool ended;

  struct http_parse parse;
  struct http_request request;
  struct bytes *in; /* taken over from the connection when refs outlive the end */
  size_t body_max;
  int64_t body_left; /* BODY_LENGTH: yet to come */
  struct http_chunked chunked;
  enum body_state body_state; /* what of it is still unread */
  bool drops_body;            /* nobody wants it: what comes is only counted */
  uint32_t raw_at;            /* BODY_CHUNKED: where undecoded bytes go in the connection's buffer */
  struct buf body;            /* when it did not fit into the read buffer */
  size_t body_held;           /* of it, as counted in the loop's held_bytes */
  struct sockaddr_storage peer;

  /* The answer: `out`, then what is left of `piece`, then what the source gives next. */
  struct buf out;
  size_t out_sent;
  size_t out_body_n; /* how much of out's end is body */
  struct http_piece piece;
  int64_t piece_left;
  struct http_file *file;
  const struct http_source *source;
  void *source_arg;
  int64_t source_left; /* -1 unknown */
  int64_t sent;
  bool sending_chunked, source_over, waiting, woken, corked, chunk_open;
  bool reading_in;          /* a helper reads the pages that come next */
  int64_t read_to, read_ms; /* up to where it has, and when */

  void (*on_end)(struct http_exchange *x, void *arg, bool complete, int64_t sent);
  void *on_end_arg;
  void *app_pointer;

  int64_t timer_ms;
  size_t timer_at; /* index in the loop's heap + 1; 0: not set */
  void (*timer_fn)(struct http_exchange *x, void *arg);
  void *timer_arg;

  struct post own_post, own_wake; /* so that the first of each needs no memory */
  atomic_bool own_post_busy, own_wake_busy;

  struct http_header headers[HTTP_HEADERS_MAX];
};

enum server_phase { PHASE_OPEN, PHASE_DRAINING, PHASE_CUT };

struct loop {
  struct http_server *server;
  unsigned index;
  pthread_t thread;   /* whose loop it is: the loop's own once it runs */
  pthread_t joinable; /* for who started it */
  bool started;
  int epoll, event, spare; /* spare: given up for a moment when descriptors run out */
  int64_t now_ms;
  bool listening;
  enum server_phase phase; /* as this loop has carried it out */
  int64_t accept_again_ms; /* 0: not paused */
  atomic_uint conns;

  struct link deadlines[DEADLINES];
  size_t held_bytes; /* of read buffers larger than BUFFER_SIZE, and of bodies */
  struct link extras;
  unsigned extra_count;
  struct link ready;
  struct link heavy;  /* ready too, but with much to send */
  bool in_heavy;      /* these have their turn */
  int64_t heavy_sent; /* in it */
  struct link dead;
  struct http_exchange **timers; /* a heap by timer_ms */
  size_t timer_count, timer_cap;
  size_t exchanges; /* alive: timers has room for all */

  struct conn *free_conns; /* linked by in_ready.next */
  struct http_exchange *free_exchanges;
  struct bytes *free_bytes;
  size_t free_exchange_count, free_bytes_count;

  char date[64]; /* "Date: …\r\n" */
  size_t date_n;
  bool date_fresh; /* this turn looked at the clock */
  int64_t date_s;

  struct lock lock; /* rank ENGINE: covers the posts */
  struct post *posts, **posts_end;
  bool closing; /* no more posts */
  atomic_bool stop;
};

struct http_server {
  struct http_app app;
  struct http_config config;
  int listener;
  int port;
  unsigned loop_count;
  struct loop *loops;
  struct pool *readers; /* read pages in */
  atomic_bool distrusts_files;
  atomic_uint conns;
  bool started;
  atomic_int phase; /* enum server_phase: the loops follow */
  struct lock lock; /* rank ENGINE: for waiting until it is quiet */
  struct lock_cond quiet;
  atomic_uint listening; /* loops that may still use the listener */
};

/* loop.c */
CHECKED enum err loop_open(struct loop *l, struct http_server *s, unsigned index);
CHECKED enum err loop_start(struct loop *l);
void loop_stop(struct loop *l);
void loop_close(struct loop *l);
CHECKED enum err loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
CHECKED bool loop_post_node(struct loop *l, struct post *p);
void loop_run_posts(struct loop *l);
bool loop_is_here(const struct loop *l);
void loop_set_deadline(struct conn *c, enum deadline d);
/* How long c is in its list of deadlines already. */
int64_t loop_waited_ms(const struct conn *c);
void loop_make_ready(struct conn *c);
void loop_make_heavy(struct conn *c);
void loop_set_timer(struct http_exchange *x, int64_t at_ms);
void loop_clear_timer(struct http_exchange *x);
struct str loop_date(struct loop *l);
struct bytes *loop_take_bytes(struct loop *l);
void loop_give_bytes(struct loop *l, struct bytes *b);
/* One with room for cap bytes, more than BUFFER_SIZE has; to be given back like others. */
struct bytes *loop_take_large_bytes(struct loop *l, size_t cap);
/* Room for so much more of requests that are not complete: others that hold much and have waited longer are closed for it.
 * False: there is none. */
bool server_hold(struct loop *l, size_t more);

void loop_wake(struct loop *l);

/* server.c */
void server_accept(struct loop *l);
void server_listen(struct loop *l); /* also again, after a pause */
void server_stop_listening(struct loop *l);
void server_conn_gone(struct conn *c);
/* An extra connection's head is here: it becomes an ordinary one if there is room by now or somebody gives way. */
void server_admit_extra(struct conn *c);

/* conn.c */
/* Takes fd, and the place that was counted for it. False (fd closed, place given back) when out of memory or of
 * descriptors to watch. */
bool conn_new(struct loop *l, int fd, const struct sockaddr_storage *peer, bool extra);
void conn_event(struct conn *c, uint32_t events);
void conn_run(struct conn *c);
void conn_timeout(struct conn *c);
/* reset: RST instead of FIN. Ends the exchange; the memory is freed when the loop has no event for it any more. */
void conn_close(struct conn *c, bool reset);
void conn_refuse(struct conn *c, int status, const char *reason);

/* exchange.c */
struct http_exchange *exchange_new(struct conn *c);
void exchange_end(struct http_exchange *x, bool complete);
void exchange_free_pooled(struct loop *l);

/* response.c */
/* Lays the answer out in x->out, x->piece, x->source, which answer_drop closes. False when it can't be: no memory. */
CHECKED bool response_build(struct http_exchange *x, int status, const struct http_fields *fields,
                            const struct http_body *body);
/* A whole answer by the engine itself; 0 when it does not fit into size. x may be NULL. */
size_t response_refusal(struct loop *l, const struct http_exchange *x, int status, const char *reason, char *ret_bytes,
                        size_t size);

/* answer.c */
enum answer_step { ANSWER_DONE, ANSWER_BLOCKED, ANSWER_WAITS, ANSWER_YIELDS, ANSWER_BROKEN };
enum answer_step answer_send(struct http_exchange *x);
bool answer_is_heavy(const struct http_exchange *x); /* so much of a file is left that others go first */
void answer_drop(struct http_exchange *x);           /* closes source and file */
/* Takes an answer back of which nothing was sent yet. False: something was. */
CHECKED bool answer_withdraw(struct http_exchange *x);

/* file.c */
/* How many of these bytes of x's file can be sent without waiting for a disk. 0: a helper reads the first of them in,
 * x->reading_in is set, and the connection is made ready when they are there. -1: no helper is to be had. */
int64_t file_ready(struct http_exchange *x, int64_t offset, int64_t length);
/* Reads length bytes if that needs no waiting; false: send them as a file. */
bool file_read_now(struct loop *l, struct http_file *f, int64_t offset, size_t length, char *ret_bytes);
