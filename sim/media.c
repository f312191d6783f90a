/* media.c - serves recordings' audio with ranges, and applies the faults.
 *
 *   known, else 404 -> count -> credentials, else 401 -> fault instead of the response
 *   -> completed, else 404 -> channels, else 400 -> body
 *
 * Invariants
 *  (1) A request is counted before everything but its path is checked.
 *  (2) A body is counted once, when its exchange ends. A body that a fault cut never counts as complete. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/range.h"
#include "talk.h"

enum {
  PIECE_BYTES = 32 * 1024,
  CUT_AFTER_MS = 60,    /* gives the peer time to read: a reset may discard unread bytes */
  SHORT_AFTER_MS = 500, /* gives the peer time to see the end */
  SLOW_EVERY_MS = 50,
  DOCUMENT_MAX = 1024,
  DESCRIPTORS_MAX = 65536,
};

/* The counts of one response with 200 or 206. */
struct tally {
  struct sim *sim;
  char sid[SID_ROOM];
  bool spoiled; /* a fault cut it: never complete */
  bool complete;
  int64_t bytes;
};

struct media_body {
  struct tally *tally;
  struct talk *talk;
  int64_t at, half, end;
  int64_t slow, slow_from_ms, slow_from;
  int64_t stall_ms;
  enum { END_WHOLE, END_CUT, END_SHORT } ending;
  bool is_cutting; /* the cut or short end has begun */
  uint8_t piece[PIECE_BYTES];
};

static void add_tally(void *arg) {
  struct tally *t = arg;
  struct recording *r = store_find_recording(&t->sim->store, str_from(t->sid));
  if (r) {
    r->complete += t->complete;
    r->bytes += t->bytes;
  }
  free(t);
}

static void add_download(void *arg) {
  struct tally *t = arg;
  struct recording *r = store_find_recording(&t->sim->store, str_from(t->sid));
  if (r) r->downloads++;
  free(t);
}

static struct tally *tally_new(struct sim *sim, const char *sid) {
  struct tally *t = calloc(1, sizeof(*t));
  if (!t) return NULL;
  t->sim = sim;
  memcpy(t->sid, sid, SID_ROOM);
  return t;
}

/* Runs fn on the main loop, which owns the counts; the caller may be on the bucket's loop. */
static void on_main_loop(struct tally *t, void (*fn)(void *arg)) {
  if (http_loop_post(t->sim->server, 0, fn, t) != OK) free(t);
}

static void count_download(struct sim *sim, const char *sid) {
  struct tally *t = tally_new(sim, sid);
  if (t) on_main_loop(t, add_download);
}

static void tally_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  (void)x;
  struct tally *t = arg;
  t->complete = complete && !t->spoiled;
  t->bytes = sent;
  on_main_loop(t, add_tally);
}

static void body_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  struct media_body *b = arg;
  tally_end(x, b->tally, complete, sent);
  talk_free(b->talk);
  free(b);
}

static void body_wake(struct http_exchange *x, void *arg) {
  (void)arg;
  http_wake(x);
}

static void body_wait_ms(struct http_exchange *x, int64_t ms, struct http_piece *ret_piece) {
  ret_piece->kind = HTTP_PIECE_WAIT;
  http_timer(x, ms, body_wake, NULL);
}

/* Shuts down our side of the connection. The http engine does not end a body before its length, so this finds the socket by its
 * peer's address. */
static void end_in_order(struct http_exchange *x) {
  const struct sockaddr_storage *peer = http_peer(x);
  size_t size = peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) {
    struct sockaddr_storage other = {0};
    socklen_t n = sizeof(other);
    if (getpeername(fd, (struct sockaddr *)&other, &n) != 0 || n < size || memcmp(&other, peer, size) != 0) continue;
    (void)shutdown(fd, SHUT_WR);
    return;
  }
}

/* Ends a body at its half, as the fault cut or short demands. */
static void body_cut_short(struct media_body *b, struct http_exchange *x, struct http_piece *ret_piece) {
  if (b->is_cutting) {
    ret_piece->kind = HTTP_PIECE_BROKEN;
    return;
  }
  b->is_cutting = true;
  if (b->ending == END_SHORT) end_in_order(x);
  body_wait_ms(x, b->ending == END_SHORT ? SHORT_AFTER_MS : CUT_AFTER_MS, ret_piece);
}

/* How many bytes the fault `slow` allows to be sent now; 0: none yet. */
static int64_t slow_allowance(const struct media_body *b) {
  int64_t elapsed_ms = clock_mono_ms() - b->slow_from_ms;
  return b->slow_from + b->slow * elapsed_ms / 1000 - b->at;
}

static void body_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct media_body *b = arg;
  if (b->at >= b->half && b->ending != END_WHOLE) {
    body_cut_short(b, x, ret_piece);
    return;
  }
  if (b->at >= b->half && b->stall_ms > 0) {
    b->slow_from_ms += b->stall_ms;
    body_wait_ms(x, b->stall_ms, ret_piece);
    b->stall_ms = 0;
    return;
  }
  int64_t room = (b->at < b->half ? b->half : b->end) - b->at;
  if (room > PIECE_BYTES) room = PIECE_BYTES;
  if (b->slow > 0 && room > slow_allowance(b)) room = slow_allowance(b);
  if (b->at < b->end && room <= 0) {
    body_wait_ms(x, SLOW_EVERY_MS, ret_piece);
    return;
  }
  size_t n = 0;
  ret_piece->kind = HTTP_PIECE_BROKEN;
  if (b->at < b->end && (talk_read(b->talk, b->at, (size_t)room, b->piece, &n) != OK || n == 0)) return;
  b->at += (int64_t)n;
  ret_piece->kind = n > 0 ? HTTP_PIECE_BYTES : HTTP_PIECE_END;
  ret_piece->bytes = str_of((const char *)b->piece, n);
}

static const struct http_source BODY_SOURCE = {.next = body_next};

static struct media_body *body_new(struct sim *sim, const struct media_plan *plan, int64_t first, int64_t end) {
  struct media_body *b = calloc(1, sizeof(*b));
  if (!b) return NULL;
  b->tally = tally_new(sim, plan->sid);
  enum talk_format format = plan->mp3 ? TALK_MP3 : TALK_WAV;
  if (!b->tally || talk_new(sim->voice, str_from(plan->sid), format, plan->seconds, plan->channels, &b->talk) != OK) {
    free(b->tally);
    free(b);
    return NULL;
  }
  b->at = first;
  b->end = end;
  b->half = first + (end - first) / 2;
  b->slow = plan->slow;
  b->slow_from = first;
  b->slow_from_ms = clock_mono_ms();
  b->stall_ms = plan->stall_ms;
  b->ending = plan->end == MEDIA_CUT ? END_CUT : plan->end == MEDIA_SHORT ? END_SHORT : END_WHOLE;
  b->tally->spoiled = plan->end != MEDIA_WHOLE;
  return b;
}

static void add_fields(struct http_fields *f, const struct media_plan *plan, struct str etag) {
  http_fields_init(f);
  http_field(f, STR("Content-Type"), plan->mp3 ? STR("audio/mpeg") : STR("audio/x-wav"));
  http_field(f, STR("ETag"), etag);
  if (!plan->no_range) http_field(f, STR("Accept-Ranges"), STR("bytes"));
}

void media_send(struct sim *sim, struct http_exchange *x, const struct media_plan *plan) {
  const struct http_request *r = http_request(x);
  char etag[64];
  struct http_fields fields;
  int64_t size = talk_size(plan->mp3 ? TALK_MP3 : TALK_WAV, plan->seconds, plan->channels), first = 0, last = size - 1;
  int n = snprintf(etag, sizeof(etag), "\"%s-%u%s\"", plan->sid, plan->channels, plan->mp3 ? "m" : "w");
  const struct http_representation have = {.etag = str_of(etag, (size_t)n), .modified_s = -1, .length = size};
  enum http_selection selection = plan->no_range ? HTTP_SELECT_WHOLE : http_select(r, &have, &first, &last);
  add_fields(&fields, plan, have.etag);
  if (selection == HTTP_SELECT_UNSATISFIABLE) http_fieldf(&fields, STR("Content-Range"), "bytes */%" PRId64, size);
  if (selection == HTTP_SELECT_PART)
    http_fieldf(&fields, STR("Content-Range"), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last, size);
  if (selection != HTTP_SELECT_WHOLE && selection != HTTP_SELECT_PART) {
    int status = selection == HTTP_SELECT_UNCHANGED ? 304 : selection == HTTP_SELECT_FAILED ? 412 : 416;
    http_respond(x, status, &fields, NULL);
    return;
  }
  if (selection == HTTP_SELECT_WHOLE) {
    first = 0;
    last = size - 1;
  }
  struct media_body *b = body_new(sim, plan, first, last + 1);
  if (!b) {
    answer_api_error(x, API_BROKEN, false);
    return;
  }
  if (r->method == HTTP_GET) count_download(sim, plan->sid);
  if (r->method == HTTP_HEAD) b->tally->spoiled = true; /* a response to HEAD has no body */
  http_on_end(x, body_end, b);
  const struct http_body body = {.kind = HTTP_BODY_SOURCE,
                                 .length = plan->no_length ? -1 : last + 1 - first,
                                 .source = &BODY_SOURCE,
                                 .source_arg = b};
  http_respond(x, selection == HTTP_SELECT_PART ? 206 : 200, &fields, &body);
}

/* Answers 200 with a body that is not audio. */
static void send_wrong(struct sim *sim, struct http_exchange *x, const struct recording *r, struct str type,
                       struct str bytes) {
  struct tally *t = tally_new(sim, r->sid);
  struct http_fields fields;
  const struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = bytes};
  if (t) {
    count_download(sim, r->sid);
    http_on_end(x, tally_end, t);
  }
  http_fields_init(&fields);
  http_field(&fields, STR("Content-Type"), type);
  http_respond(x, 200, &fields, &body);
}

static void send_header_only(struct sim *sim, struct http_exchange *x, const struct recording *r) {
  uint8_t header[TALK_WAV_HEADER];
  struct talk *talk;
  size_t n;
  enum err e = talk_new(sim->voice, str_from(r->sid), TALK_WAV, r->seconds, r->channels, &talk);
  if (e == OK) {
    e = talk_read(talk, 0, sizeof(header), header, &n);
    talk_free(talk);
  }
  if (e == OK)
    send_wrong(sim, x, r, STR("audio/x-wav"), str_of((const char *)header, sizeof(header)));
  else
    answer_api_error(x, API_BROKEN, false);
}

static void send_redirect(struct sim *sim, struct http_exchange *x, const struct media_plan *plan) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 512);
  struct http_fields fields;
  if (bucket_url(sim, plan, &url) != OK) {
    answer_api_error(x, API_BROKEN, false);
    return;
  }
  http_fields_init(&fields);
  http_field(&fields, STR("Location"), buf_str(&url));
  http_respond(x, 302, &fields, NULL);
}

static void hang_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  (void)arg;
  (void)complete;
  (void)sent;
  http_unref(x);
}

/* Faults of the recording come before the global ones. */
static bool media_take_fault(struct sim *sim, struct recording *r, enum fault_kind kind, int64_t *ret_number) {
  return faults_take(&r->faults, kind, ret_number) || faults_take(&sim->faults, kind, ret_number);
}

/* Answers with the fault. False: the fault only changes how the body ends; *plan says how. */
static bool answer_fault(struct sim *sim, struct http_exchange *x, struct recording *r, enum fault_kind kind,
                         struct media_plan *plan) {
  char document[DOCUMENT_MAX];
  int64_t number;
  switch (kind) {
    case FAULT_NOT_YET:
      answer_api_error(x, API_NOT_FOUND, false);
      return true;
    case FAULT_429:
      if (!media_take_fault(sim, r, FAULT_RETRY_AFTER, &number)) number = 0;
      answer_busy(x, number, false);
      return true;
    case FAULT_500:
      answer_api_error(x, API_BROKEN, false);
      return true;
    case FAULT_401:
      answer_api_error(x, API_UNAUTHORIZED, false);
      return true;
    case FAULT_XML:
      send_wrong(sim, x, r, STR("application/xml"), answer_xml_document(API_NOT_FOUND, document, sizeof(document)));
      return true;
    case FAULT_HEADER_ONLY:
      send_header_only(sim, x, r);
      return true;
    case FAULT_REDIRECT:
      send_redirect(sim, x, plan);
      return true;
    case FAULT_HANG:
      http_on_end(http_ref(x), hang_end, NULL);
      return true;
    case FAULT_CUT:
      plan->end = MEDIA_CUT;
      return false;
    case FAULT_SHORT:
      plan->end = MEDIA_SHORT;
      return false;
    default:
      return false;
  }
}

static bool media_take_answer_fault(struct sim *sim, struct recording *r, enum fault_kind *ret_kind) {
  return faults_take_answer(&r->faults, ret_kind) || faults_take_answer(&sim->faults, ret_kind);
}

/* The requested number of channels; 0: an invalid value. */
static unsigned wanted_channels(struct str query, unsigned recorded) {
  struct buf room CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX);
  struct str value;
  if (http_query_get(query, STR("RequestedChannels"), &room, &value) != OK) return recorded;
  return str_eq(value, STR("1")) ? 1 : str_eq(value, STR("2")) ? 2 : 0;
}

static void media_serve(struct sim *sim, struct http_exchange *x, struct str account, struct recording *r, bool mp3) {
  int64_t number = 0;
  enum fault_kind fault;
  struct media_plan plan = {.seconds = r->seconds, .channels = r->channels, .mp3 = mp3};
  memcpy(plan.sid, r->sid, SID_ROOM);
  unsigned channels = wanted_channels(http_request(x)->query, r->channels);
  if (!answer_authorized(sim, x, account, false)) return;
  if (channels == 1) plan.channels = 1;
  if (media_take_fault(sim, r, FAULT_SLOW, &number)) plan.slow = number;
  if (media_take_fault(sim, r, FAULT_STALL, &number)) plan.stall_ms = number * 1000;
  plan.no_length = media_take_fault(sim, r, FAULT_NO_LENGTH, &number);
  plan.no_range = media_take_fault(sim, r, FAULT_NO_RANGE, &number);
  if (media_take_answer_fault(sim, r, &fault) && answer_fault(sim, x, r, fault, &plan)) return;
  if (strcmp(r->status, "completed") != 0)
    answer_api_error(x, API_NOT_FOUND, false);
  else if (channels == 0 || channels > r->channels)
    answer_api_error(x, channels == 0 ? API_BAD_REQUEST : API_NOT_MONO, false);
  else
    media_send(sim, x, &plan);
}

struct recording *media_find_recording(struct sim *sim, struct str name, struct str *ret_extension) {
  struct str sid = str_head(name, SID_ROOM - 1);
  *ret_extension = str_skip(name, SID_ROOM - 1);
  return store_find_recording(&sim->store, sid);
}

static void media_answer_get(struct sim *sim, struct http_exchange *x, struct str account, struct str call,
                             struct str name) {
  struct str extension;
  struct recording *r = media_find_recording(sim, name, &extension);
  bool json = str_eq(extension, STR(".json")), mp3 = str_eq(extension, STR(".mp3"));
  bool wav = extension.n == 0 || str_eq(extension, STR(".wav"));
  if (r && call.n > 0 && !str_eq(call, str_from(r->call_sid))) r = NULL;
  if (r && (mp3 || wav)) {
    r->requests++; /* (1) */
    media_serve(sim, x, account, r, mp3);
    return;
  }
  if (!answer_authorized(sim, x, account, json)) return;
  if (r && json)
    lists_recording(sim, x, r);
  else
    answer_api_error(x, API_NOT_FOUND, json);
}

void media_get(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  media_answer_get(sim, x, match->params[0], STR_NONE, match->params[1]);
}

void media_call_get(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  media_answer_get(sim, x, match->params[0], match->params[1], match->params[2]);
}
