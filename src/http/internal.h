/* internal.h - shared by the files of this room only: loop, connection, exchange.
 *
 *   server.c  listening, limits, draining   loop.c      one thread's events, posts, deadlines
 *   conn.c    a connection's states         exchange.c  a request and its answer, as the app sees them
 *   answer.c  sending                       response.c  building an answer
 *   file.c    shared descriptors, and reading missing pages on helper threads
 *
 * Thread rule: all runs on the connection's loop, except what is marked (any thread). docs/internals/http-server.md explains
 * how the files work together. */
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
  OUT_MAX = 64 * 1024 * 1024, /* most bytes of an answer's head and copied body */
  FREE_MAX = 256,             /* pooled exchanges, and pooled buffers, per loop */
  INLINE_MAX = 4096,          /* a file range up to this size is read and sent with the head */
  CORK_MIN = 768 * 1024,  /* TCP_CORK above this size; below, it costs up to 4 times the CPU if the peer reads slowly */
  SEND_MAX = 1056 * 1024, /* bytes of one answer per turn: 1 MiB with its head is sent in one turn */
  HEAVY_MIN = 256 * 1024, /* an answer with more of a file left than this waits behind all smaller ones */
  HEAVY_A_TURN = 1024 * 1024, /* bytes of heavy answers per turn */
  HEAVY_COST_MIN = 16 * 1024, /* bytes that each counts at least in a turn, even if it can't send */
  REQUESTS_A_TURN = 32,       /* pipelined requests of one connection per turn */
  DISCARD_MAX = 64 * 1024,    /* an unread body up to this size is dropped to keep the connection */
  LINGER_BYTES = 256 * 1024,  /* read and dropped after the last answer, so that the peer can receive it */
  LINGER_MS = 2000,
  FILE_WAIT_MS = 10 * 1000,  /* an answer waits this long for a helper to read its file */
  EXTRA_MAX = 64,            /* connections beyond the limit, over all loops */
  EXTRA_LOOP_MIN = 4,        /* the same, per loop at least */
  LARGE_COPY = 32 * 1024,    /* of a copied body larger than this ... */
  UNSENT_MAX = 16 * 1024,    /* ... the kernel holds at most this much that it has not sent */
  HELD_LOOKS = 64,           /* connections examined to find one that holds memory */
  GIVE_WAY_MS = 1000,        /* a connection that has waited less gives way only if no other can */
  WARM_MS = 5000,            /* pages seen in memory this recently count as being there */
  READ_IN_FIRST = 16 * 1024, /* bytes a helper reads before an answer's first byte is sent */
  READ_IN_STEP = 128 * 1024, /* bytes a helper reads at a time after that */
  RESERVED_DESCRIPTORS = 256,
  REFUSAL_MAX = 6 * 1024, /* an answer by the server itself: its lines, the app's fields, 1 KiB of body */
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

/* A read buffer. A request's views point into it, so it moves only between requests. */
struct bytes {
  struct bytes *next; /* in the loop's free list */
  size_t cap;
  char p[];
};

enum conn_state {
  CONN_IDLE,    /* no byte of a request was received */
  CONN_HEAD,    /* part of a head was received */
  CONN_BODY,    /* the head was received, the body was not */
  CONN_HELD,    /* the app has the request and has not answered yet */
  CONN_ANSWER,  /* an answer is being sent */
  CONN_DISCARD, /* answered before the body was received: the body is dropped */
  CONN_LINGER,  /* answered and our side is shut; waits until the peer closes */
  CONN_CLOSED,
};

/* The loop's list of deadlines that a connection is in. Each list is in the order of its deadlines. */
enum deadline {
  DEADLINE_NONE,
  DEADLINE_IDLE,
  DEADLINE_HEAD,
  DEADLINE_BODY,
  DEADLINE_PACE, /* an answer is being sent: when this is due, the peer's pace is checked */
  DEADLINE_FILE, /* a helper reads the file's next bytes */
  DEADLINE_LINGER,
  DEADLINES
};

struct conn {
  struct loop *loop;
  int fd;
  enum conn_state state;
  enum deadline deadline;
  bool readable;           /* the kernel may have bytes */
  bool peer_shut;          /* a FIN was received: after a short read there may be more to read */
  bool eof;                /* all bytes before the FIN were read */
  bool running;            /* conn_run is on the stack */
  bool unsent_bounded;     /* TCP_NOTSENT_LOWAT is set */
  bool ready;              /* in the loop's ready or heavy list */
  bool doomed;             /* conn_run closes it with a TCP RST before it returns */
  bool extra;              /* beyond the limit: counted apart, closes after one answer */
  uint32_t from, to;       /* unparsed bytes in `in` */
  struct bytes *in;        /* NULL while there are none */
  struct http_exchange *x; /* NULL while no byte of a request was received */
  int64_t deadline_ms;
  int64_t discard; /* DISCARD, LINGER: bytes left to drop */
  int64_t pushed;  /* bytes of answers given to the kernel */
  int64_t
      acknowledged; /* by the peer, of `pushed`, when the current pace_ms began; -1: the peer was not waited for yet */
  struct link in_deadline;
  struct link in_ready; /* in the loop's ready or heavy list; once closed, in its dead list */
  struct link in_extra; /* if extra: in the loop's list of extra ones, in the order of arrival */
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
  atomic_bool *busy; /* set while a node that is part of an exchange is in use; NULL: the node is to be freed */
};

enum body_state { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

struct http_exchange {
  struct loop *loop;
  struct conn *conn;     /* NULL once the exchange has ended */
  atomic_int peer_state; /* enum http_presence */
  struct http_exchange *next_free;
  unsigned refs; /* the server's and the app's */
  int status;    /* of the app's answer; 0 before it, and if the server refused */
  bool seen;     /* the app was called with it */
  bool answered;
  bool close_after;
  bool ends_with_peer;
  bool keep; /* the answer's head says that the connection stays open */
  bool ended;

  struct http_parse parse;
  struct http_request request;
  struct bytes *in; /* taken over from the connection if refs outlive the end */
  size_t body_max;
  int64_t body_left; /* BODY_LENGTH: bytes not received yet */
  struct http_chunked chunked;
  enum body_state body_state; /* BODY_NONE once the body was read */
  bool drops_body;            /* the app does not need the body: it is only counted */
  uint32_t raw_at;            /* BODY_CHUNKED: where undecoded bytes are read to in the connection's buffer */
  struct buf body;            /* used if the body does not fit into the read buffer */
  size_t body_held;           /* bytes of `body` counted in the loop's held_bytes */
  struct sockaddr_storage peer;

  /* The answer is `out`, then the rest of `piece`, then the source's next pieces. */
  struct buf out;
  size_t out_sent;
  size_t out_body_n; /* bytes of body at the end of out */
  struct http_piece piece;
  int64_t piece_left;
  struct http_file *file;
  const struct http_source *source;
  void *source_arg;
  int64_t source_left; /* -1: unknown */
  int64_t sent;
  bool sending_chunked, source_over, waiting, woken, corked, chunk_open;
  bool reading_in;          /* a helper reads the file's next bytes */
  int64_t read_to, read_ms; /* the offset up to which helpers have read, and when */

  void (*on_end)(struct http_exchange *x, void *arg, bool complete, int64_t sent);
  void *on_end_arg;
  void *app_pointer;
  uint64_t tags[HTTP_TAGS];

  int64_t timer_ms;
  size_t timer_at; /* index in the loop's heap + 1; 0: not set */
  void (*timer_fn)(struct http_exchange *x, void *arg);
  void *timer_arg;

  struct post own_post, own_wake; /* for the first of each in flight, which therefore needs no allocation */
  atomic_bool own_post_busy, own_wake_busy;

  struct http_header headers[HTTP_HEADERS_MAX];
};

enum server_phase { PHASE_OPEN, PHASE_DRAINING, PHASE_CUT };

struct loop {
  struct http_server *server;
  unsigned index;
  pthread_t thread;   /* the thread that may use the loop: its own once it runs */
  pthread_t joinable; /* the same, as loop_start got it */
  bool started;
  int epoll, event, spare; /* spare: closed for a moment when descriptors run out */
  int64_t now_ms;
  bool listening;
  enum server_phase phase; /* as this loop has carried it out */
  int64_t accept_again_ms; /* 0: not paused */
  atomic_uint conns;

  struct link deadlines[DEADLINES];
  size_t held_bytes; /* bytes of read buffers larger than BUFFER_SIZE, and of bodies */
  struct link extras;
  unsigned extra_count;
  struct link ready;
  struct link heavy;  /* connections that are ready and have much of a file to send */
  bool in_heavy;      /* run_heavy is on the stack */
  int64_t heavy_sent; /* bytes sent by it in this turn */
  struct link dead;
  struct http_exchange **timers; /* a heap by timer_ms */
  size_t timer_count, timer_cap;
  size_t exchanges; /* living ones: timers has room for all */

  struct conn *free_conns; /* linked by in_ready.next */
  struct http_exchange *free_exchanges;
  struct bytes *free_bytes;
  size_t free_exchange_count, free_bytes_count;

  char date[64]; /* "Date: …\r\n" */
  size_t date_n;
  bool date_fresh; /* the clock was read in this turn */
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
  struct pool *readers; /* helpers that read pages into memory */
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
/* How long c has been in its list of deadlines. */
int64_t loop_waited_ms(const struct conn *c);
void loop_make_ready(struct conn *c);
void loop_make_heavy(struct conn *c);
void loop_set_timer(struct http_exchange *x, int64_t at_ms);
void loop_clear_timer(struct http_exchange *x);
struct str loop_date(struct loop *l);
struct bytes *loop_take_bytes(struct loop *l);
void loop_give_bytes(struct loop *l, struct bytes *b);
/* A buffer for cap bytes, more than BUFFER_SIZE; give it back with loop_give_bytes. NULL: no memory. */
struct bytes *loop_take_large_bytes(struct loop *l, size_t cap);
/* Makes room for `more` bytes of incomplete requests within held_max: closes other connections that hold memory, the longest
 * waiting first. False if that is not possible. */
bool server_hold(struct loop *l, size_t more);

void loop_wake(struct loop *l);

/* server.c */
void server_accept(struct loop *l);
void server_listen(struct loop *l); /* at the start and after a pause */
void server_stop_listening(struct loop *l);
void server_conn_gone(struct conn *c);
/* The head of an extra connection was received: it becomes an ordinary one if there is room now or another gives way. */
void server_admit_extra(struct conn *c);

/* conn.c */
/* Takes over fd and the place that was counted for it. False if memory or epoll watches ran out: fd is closed and the place
 * given back. */
bool conn_new(struct loop *l, int fd, const struct sockaddr_storage *peer, bool extra);
void conn_event(struct conn *c, uint32_t events);
void conn_run(struct conn *c);
void conn_timeout(struct conn *c);
/* Closes the connection, with RST if reset, else with FIN, and ends its exchange. The memory is reused after the turn. */
void conn_close(struct conn *c, bool reset);
void conn_refuse(struct conn *c, int status, const char *reason);

/* exchange.c */
struct http_exchange *exchange_new(struct conn *c);
void exchange_end(struct http_exchange *x, bool complete);
void exchange_free_pooled(struct loop *l);

/* response.c */
/* Builds the answer in x->out, x->piece and x->source, which answer_drop closes. False: no memory. */
CHECKED bool response_build(struct http_exchange *x, int status, const struct http_fields *fields,
                            const struct http_body *body);
/* Writes a whole answer by the server itself and returns its size; 0 if it does not fit. x may be NULL. */
size_t response_refusal(struct loop *l, const struct http_exchange *x, int status, const char *reason, char *ret_bytes,
                        size_t size);

/* answer.c */
enum answer_step { ANSWER_DONE, ANSWER_BLOCKED, ANSWER_WAITS, ANSWER_YIELDS, ANSWER_BROKEN };
enum answer_step answer_send(struct http_exchange *x);
bool answer_is_heavy(const struct http_exchange *x); /* more than HEAVY_MIN of a file is left: others go first */
void answer_drop(struct http_exchange *x);           /* closes source and file */
/* Withdraws an answer of which nothing was sent. False if something was. */
CHECKED bool answer_withdraw(struct http_exchange *x);

/* file.c */
/* How many of these bytes of x's file can be sent without waiting for the disk. 0: a helper reads the first of them,
 * x->reading_in is set, and the connection is made ready when they were read. -1: no helper is available. */
int64_t file_ready(struct http_exchange *x, int64_t offset, int64_t length);
/* Reads length bytes if all are in memory. False: send them as a file. */
bool file_read_now(struct loop *l, struct http_file *f, int64_t offset, size_t length, char *ret_bytes);
