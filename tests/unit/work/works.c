#include "works.h"

#include "../ledger/ledger_template.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "domain/intake.h"
#include "ledger/businesses.h"

enum { WAIT_MS = 20 * 1000, LOOK_MS = 5 };

static const uint8_t secrets_key[SECRET_KEY_SIZE] = {7};

/* ---- sound ---- */

static void put_le(uint8_t *p, uint32_t value, int n) {
  for (int i = 0; i < n; i++) p[i] = (uint8_t)(value >> (8 * i));
}

struct str works_wav(int seed, int seconds) {
  enum { MOST = 44 + 16000 * 60 };
  static uint8_t all[4][MOST];
  uint8_t *p = all[seed];
  uint32_t data = 16000u * (uint32_t)seconds, random = (uint32_t)seed * 2654435761u + 1;
  memcpy(p, "RIFF....WAVEfmt ", 16);
  put_le(p + 4, data + 36, 4), put_le(p + 16, 16, 4), put_le(p + 20, 1, 2), put_le(p + 22, 1, 2);
  put_le(p + 24, 8000, 4), put_le(p + 28, 16000, 4), put_le(p + 32, 2, 2), put_le(p + 34, 16, 2);
  memcpy(p + 36, "data", 4);
  put_le(p + 40, data, 4);
  for (uint32_t i = 0; i < data; i++) p[44 + i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
  return str_of((char *)p, 44 + data);
}

/* ---- the origin ---- */

struct body {
  struct works *works;
  struct works_answer answer;
  int64_t at, end;
};

static void wake(void *arg, struct http_exchange *x) {
  (void)arg;
  http_wake(x);
}

static void look_again(struct http_exchange *x, void *arg) {
  wake(arg, x);
}

static void next_piece(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct body *b = arg;
  int64_t end = b->end;
  LOCKED(&b->works->lock);
  if (b->answer.cut_at && b->answer.cut_at < end) end = b->answer.cut_at;
  if (b->answer.hold_at && !b->works->released && b->answer.hold_at < end) end = b->answer.hold_at;
  if (b->at < end) {
    *ret_piece =
        (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = str_of(b->answer.body.p + b->at, (size_t)(end - b->at))};
    b->at = end;
  } else if (b->answer.hold_at && !b->works->released && end < b->end) {
    b->works->holding = true;
    lock_cond_broadcast(&b->works->changed);
    ret_piece->kind = HTTP_PIECE_WAIT;
    http_timer(x, LOOK_MS, look_again, NULL);
  } else {
    ret_piece->kind = end < b->end ? HTTP_PIECE_BROKEN : HTTP_PIECE_END;
  }
}

static void free_body(void *arg) {
  free(arg);
}

static const struct http_source source = {next_piece, free_body};

static void answer_audio(struct works *w, struct http_exchange *x, const struct works_answer *a, struct str range) {
  struct http_fields fields;
  struct body *b = calloc(1, sizeof(*b));
  int64_t first = 0, size = (int64_t)a->body.n;
  uint64_t from;
  assert_non_null(b);
  http_fields_init(&fields);
  if (a->etag) http_field(&fields, STR("ETag"), str_from(a->etag));
  bool part = range.p && !a->no_range && str_starts(range, STR("bytes=")) && str_ends(range, STR("-")) &&
              str_to_u64(str_of(range.p + 6, range.n - 7), INT64_MAX, &from) == OK;
  if (part) {
    first = (int64_t)from;
    http_fieldf(&fields, STR("Content-Range"), "bytes %lld-%lld/%lld", (long long)first, (long long)size - 1,
                (long long)size);
  }
  *b = (struct body){w, *a, first, size};
  struct http_body body = {
      .kind = HTTP_BODY_SOURCE, .length = a->no_length ? -1 : size - first, .source = &source, .source_arg = b};
  http_respond(x, part ? 206 : 200, &fields, &body);
}

static void on_request(void *arg, struct http_exchange *x) {
  struct works *w = arg;
  struct str range = http_header_get(http_request(x), STR("Range"));
  lock_take(&w->lock);
  int n = w->requests++, last = 0;
  w->with_range += !!range.p;
  while (last + 1 < WORKS_ANSWERS_MAX && w->answers[last + 1].status) last++;
  struct works_answer a = w->answers[n < last ? n : last];
  lock_release(&w->lock);
  if (a.status == 200) {
    answer_audio(w, x, &a, range);
  } else {
    struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = STR("<TwilioResponse/>")};
    http_respond(x, a.status, NULL, &body);
  }
}

/* ---- the whole ---- */

static void check(enum err e) {
  assert_string_equal(err_text(e), err_text(OK));
}

static void build_ledger(struct works *w) {
  int64_t id;
  char base[64];
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
  struct db_open how = {.url = w->url};
  struct str name = STR("Acme"), account = STR(WORKS_ACCOUNT), tokens[2] = {STR("12345"), STR("")};
  (void)snprintf(base, sizeof(base), "http://127.0.0.1:%d", http_server_port(w->server));
  struct str base_url = str_from(base);
  struct business_edit edit = {.name = &name, .account_sid = &account, .tokens = tokens, .base_url = &base_url};
  check(ledger_template_write(w->url));
  check(db_open(&how, &problem, &w->db));
  check(businesses_add(w->db, secrets_key, 0, &edit, &id));
  check(access_load(w->db, secrets_key, STR("https://api.example.com"), NULL, &w->access));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)st, (void)kind, (void)where;
  return remove(path);
}

struct works *works_new(const struct works_answer *answers) {
  struct works *w = calloc(1, sizeof(*w));
  assert_non_null(w);
  lock_init(&w->lock, "works", LOCK_RANK_BASE);
  lock_cond_init(&w->changed);
  for (int i = 0; i < WORKS_ANSWERS_MAX && answers[i].status; i++) w->answers[i] = answers[i];
  (void)snprintf(w->directory, sizeof(w->directory), "/tmp/callreel-works-XXXXXX");
  assert_non_null(mkdtemp(w->directory));
  (void)snprintf(w->url, sizeof(w->url), "sqlite://%s/callreel.db", w->directory);
  struct http_config config = {.listen = "127.0.0.1:0", .loops = 1, .connections = 100};
  struct http_app app = {.arg = w, .request = on_request};
  check(http_server_new(&config, &app, &w->server));
  check(http_server_start(w->server));
  build_ledger(w);
  struct db_writer_config writer = {.open = {.url = w->url}};
  char recordings[128];
  (void)snprintf(recordings, sizeof(recordings), "%s/recordings", w->directory);
  int fd;
  check(fs_open_root(recordings, true, &fd));
  (void)close(fd);
  check(db_writer_new(&writer, &w->writer));
  check(blob_open_disk(recordings, &w->store));
  w->conf = (struct conf){.downloads_per_business = 3, .downloads_total = 32, .max_recording_bytes = 1 << 24};
  w->conf.recording_formats = strdup("mp3,wav,any");
  return w;
}

void works_start_worker(struct works *w) {
  struct worker_parts parts = {.conf = &w->conf,
                               .writer = w->writer,
                               .store = w->store,
                               .provider = &provider_twilio,
                               .owner = "test",
                               .min_free_bytes = w->min_free_bytes};
  check(worker_new(&parts, w->access, &w->worker));
}

void works_stop_worker(struct works *w) {
  w->worker = worker_free(w->worker);
}

void works_free(struct works *w) {
  works_release(w);
  works_stop_worker(w);
  w->writer = db_writer_free(w->writer);
  w->server = http_server_free(w->server);
  access_unref(w->access);
  w->store = blob_close(w->store);
  w->db = db_close(w->db);
  (void)nftw(w->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  lock_cond_done(&w->changed);
  lock_done(&w->lock);
  free(w->conf.recording_formats);
  free(w);
}

struct told {
  struct delivery delivery;
  int64_t now;
};

static enum err run_intake(struct db *db, void *arg) {
  struct told *t = arg;
  struct intake_result result;
  return intake_run(db, &t->delivery, t->now, &result);
}

const char *works_announce(struct works *w, int number) {
  static char sids[16][SID_SIZE], calls[16][SID_SIZE];
  struct told *t = calloc(1, sizeof(*t));
  char url[256];
  assert_non_null(t);
  (void)snprintf(sids[number], SID_SIZE, "RE%032x", (unsigned)number);
  (void)snprintf(calls[number], SID_SIZE, "CA%032x", (unsigned)number);
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/2010-04-01/Accounts/" WORKS_ACCOUNT "/Recordings/%s",
                 http_server_port(w->server), sids[number]);
  t->now = clock_now_ms();
  t->delivery = (struct delivery){.business_id = 1,
                                  .call_sid = str_from(calls[number]),
                                  .recording_sid = str_from(sids[number]),
                                  .received_ms = t->now};
  struct delivery_field fields[] = {{STR(RECORDING_FIELD_STATUS), STR("completed")},
                                    {STR(RECORDING_FIELD_URL), str_from(url)},
                                    {STR(RECORDING_FIELD_FORBIDDEN), STR("0")},
                                    {STR(RECORDING_FIELD_CALL), str_from(calls[number])}};
  memcpy(t->delivery.recording.fields, fields, sizeof(fields));
  t->delivery.recording.count = COUNT_OF(fields);
  t->delivery.recording.rank.terminal = true;
  check(db_writer_call(w->writer, (struct db_job){.run = run_intake, .arg = t}));
  free(t);
  if (w->worker) worker_wake(w->worker);
  return sids[number];
}

struct recording works_row(struct works *w, const char *sid) {
  struct recording row;
  check(recordings_get(w->db, 1, str_from(sid), &row));
  return row;
}

struct recording works_wait(struct works *w, const char *sid, enum recording_status status) {
  const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
  for (int waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
    struct recording row = works_row(w, sid);
    if (row.status == status) return row;
    (void)nanosleep(&pause, NULL);
  }
  assert_string_equal(recording_status_name(works_row(w, sid).status), recording_status_name(status));
  return works_row(w, sid);
}

void works_wait_for_full(struct works *w) {
  const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
  for (int waited = 0; waited < WAIT_MS && !worker_is_full(w->worker); waited += LOOK_MS) (void)nanosleep(&pause, NULL);
  assert_true(worker_is_full(w->worker));
}

static enum err run_sql(struct db *db, void *arg) {
  return db_script(db, arg);
}

void works_run(struct works *w, const char *sql) {
  char *copy = strdup(sql);
  check(db_writer_call(w->writer, (struct db_job){.run = run_sql, .arg = copy}));
  free(copy);
}

void works_wait_holding(struct works *w) {
  LOCKED(&w->lock);
  while (!w->holding) lock_cond_wait(&w->changed, &w->lock);
}

void works_release(struct works *w) {
  LOCKED(&w->lock);
  w->released = true;
}

static enum err count_part(void *arg, const char *owner, int64_t token, int64_t size) {
  (void)owner, (void)token, (void)size;
  ++*(int *)arg;
  return OK;
}

int works_count_parts(struct works *w) {
  int n = 0;
  check(blob_each_part(w->store, count_part, &n));
  return n;
}

static enum err find_part_of(void *arg, const char *owner, int64_t token, int64_t size) {
  (void)owner, (void)token;
  int64_t *bytes = arg;
  if (size == *bytes) *bytes = -1;
  return OK;
}

void works_wait_part_of(struct works *w, int64_t bytes) {
  const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
  for (int waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
    int64_t wanted = bytes;
    check(blob_each_part(w->store, find_part_of, &wanted));
    if (wanted < 0) return;
    (void)nanosleep(&pause, NULL);
  }
  fail_msg("no part holds %lld bytes", (long long)bytes);
}

void works_assert_file(struct works *w, const struct recording *row, struct str bytes) {
  char *found CLEANUP(free_char) = NULL;
  size_t size;
  check(fs_read_whole(blob_directory_fd(w->store), row->name, 1 << 24, &found, &size));
  assert_int_equal(size, bytes.n);
  assert_memory_equal(found, bytes.p, bytes.n);
  assert_int_equal(row->bytes, bytes.n);
  assert_int_equal(works_count_parts(w), 0);
}
