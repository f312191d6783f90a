/* origin.h - a server on loopback whose every byte the test writes itself.
 *
 *   struct origin *o = origin_new(answer, arg);   … origin_url(o, "/a", url) …   origin_free(o);
 *
 * There is one thread per connection; answer is called on it for each request. */
#pragma once

#include <stddef.h>

#include "base/str.h"

enum { ORIGIN_URL_SIZE = 128, ORIGIN_HEAD_SIZE = 8192 };

struct origin;
struct origin_request {
  int connection; /* from 0 */
  int number;     /* from 0, over all connections */
  char head[ORIGIN_HEAD_SIZE];
  char body[256];    /* its first bytes */
  size_t body_bytes; /* all of them */
  uint64_t body_sum; /* of each byte times its number, from 1 */
};
/* Writes the reply to fd; false closes the connection. */
typedef bool origin_answer(void *arg, int fd, const struct origin_request *request);

struct origin *origin_new(origin_answer *answer, void *arg);
/* Sends text to each new connection before its request. To be called before the first connection. */
void origin_greet(struct origin *o, const char *text);
void origin_free(struct origin *o); /* closes what is open, joins */
void origin_url(const struct origin *o, const char *scheme, const char *path, char ret_url[ORIGIN_URL_SIZE]);
int origin_port(const struct origin *o);
int origin_connections(struct origin *o);
int origin_requests(struct origin *o);
int origin_most_at_once(struct origin *o); /* connections that were open together */
/* True if the head of that request contains text. */
bool origin_saw(struct origin *o, int number, const char *text);
void origin_wait_requests(struct origin *o, int n);
void origin_wait_bytes(struct origin *o); /* any byte on any connection: a TLS hello is no request */

void origin_say(int fd, const char *text);
/* Sends a redirect with a body of four bytes. */
void origin_say_redirect(int fd, int status, const char *location);
/* A handler that sends arg, the whole reply, and closes. */
bool origin_say_and_close(void *arg, int fd, const struct origin_request *request);
void origin_say_bytes(int fd, const void *bytes, size_t n);
void origin_reset(int fd);          /* so that the peer sees a reset, not an end */
void origin_wait_for_close(int fd); /* until the peer gave up */
