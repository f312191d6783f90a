/* status_text.c - the counts, failures, removals, the run of reconcile, fills and processes of one moment, as text or JSON. */
#include "cmd/status/status_text.h"

#include "cmd/cmd_price.h"
#include "cmd/cmd_print.h"
#include "domain/status.h"
#include "ledger/erasures.h"
#include "ledger/nodes.h"
#include "ledger/recordings_count.h"
#include "ledger/speech_days.h"
#include "ledger/tasks.h"
#include "work/reconcile.h"

enum { WORKER_LIVES_MS = 30 * 1000, REMOVALS_MOST = 10000, TRANSCRIPTS_MOST = 10000 };

/* The output while it is written. */
struct status_text {
  struct buf *out;
  struct db *db;
  int n;
  bool json;
  int64_t now;
  struct nodes_workers workers;
};

static enum err status_add_failure(void *arg, struct str code, int64_t count, int64_t permanent) {
  struct status_text *v = arg;
  if (v->json) return buf_addf(v->out, "%s\"%.*s\":%lld", v->n++ ? "," : "", STR_ARG(code), (long long)count);
  return buf_addf(v->out, "%s  %-22.*s %6lld   %lld permanent\n", v->n++ ? "" : "Failed:\n", STR_ARG(code),
                  (long long)count, (long long)permanent);
}

static enum err status_add_fill_line(struct status_text *v, const struct recording *r) {
  TRY(buf_addf(v->out, "%s  %s  business %lld  %-11s  %lld bytes", v->n++ ? "" : "Fills:\n", r->recording_sid,
               (long long)r->business_id, recording_status_name(r->status), (long long)r->received_bytes));
  if (r->announced_bytes > 0)
    TRY(buf_addf(v->out, "  %d %%", (int)((double)r->received_bytes / (double)r->announced_bytes * 100.0)));
  return buf_add_char(v->out, '\n');
}

static enum err status_add_fill(void *arg, const struct recording *r) {
  struct status_text *v = arg;
  if (!v->json) return status_add_fill_line(v, r);
  if (v->n++) TRY(buf_add_char(v->out, ','));
  TRY(buf_addf(v->out, "{\"business_id\":%lld,\"recording\":", (long long)r->business_id));
  const struct status_view view = {STR(""), v->now,
                                   nodes_workers_are_full(&v->workers) ? RECORDING_STORAGE_FULL : RECORDING_NONE};
  TRY(status_write(v->out, r, &view));
  return buf_add_char(v->out, '}');
}

static enum err status_add_counts_json(struct status_text *v, const struct recordings_counts *c) {
  struct buf *b = v->out;
  TRY(buf_add(b, STR("{\"recordings\":{")));
  for (int s = 0; s < RECORDING_STATUS_COUNT_; s++)
    TRY(buf_addf(b, "%s\"%s\":%lld", s ? "," : "", recording_status_name((enum recording_status)s),
                 (long long)c->by_status[s]));
  TRY(buf_addf(b, "},\"queue_depth\":%lld,", (long long)c->by_status[RECORDING_QUEUED]));
  TRY(print_json_time(b, "oldest_queued_at", c->oldest_queued_at));
  TRY(buf_addf(b, ",\"bytes\":%lld,\"workers\":%lld,\"workers_full\":%lld,", (long long)c->bytes,
               (long long)v->workers.live, (long long)v->workers.full));
  TRY(print_json_time(b, "storage_full_since", nodes_workers_are_full(&v->workers) ? v->workers.full_at : 0));
  return buf_add(b, STR(",\"failures\":{"));
}

static enum err status_add_counts(struct status_text *v, const struct recordings_counts *c) {
  struct buf *b = v->out;
  if (v->json) return status_add_counts_json(v, c);
  TRY(buf_add(b, STR("Recordings:")));
  for (int s = 0; s < RECORDING_STATUS_COUNT_; s++)
    TRY(buf_addf(b, "  %lld %s", (long long)c->by_status[s], recording_status_name((enum recording_status)s)));
  TRY(buf_addf(b, "\nStored: %.1f MB.  Workers: %lld.", (double)c->bytes / 1e6, (long long)v->workers.live));
  if (c->oldest_queued_at)
    TRY(buf_addf(b, "  Oldest queued: %lld s.", (long long)((v->now - c->oldest_queued_at) / 1000)));
  if (nodes_workers_are_full(&v->workers))
    TRY(buf_addf(b, "\nThe storage is full since %lld s: queued recordings wait (storage_full).",
                 (long long)((v->now - v->workers.full_at) / 1000)));
  return buf_add_char(b, '\n');
}

/* ---- the processes ---- */

static bool node_is_live(const struct status_text *v, const struct node *n) {
  int64_t age_ms = v->now - n->seen_at;
  return age_ms <= WORKER_LIVES_MS && age_ms >= -WORKER_LIVES_MS;
}

static enum err status_add_node_json(struct status_text *v, const struct node *n, int64_t fills) {
  struct buf *b = v->out;
  TRY(buf_add(b, v->n++ ? STR(",{") : STR("{")));
  TRY(print_json_text(b, "node_id", n->node_id));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "role", n->role));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "version", n->version));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "address", n->address));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "host", n->host));
  TRY(buf_addf(b, ",\"pid\":%lld,\"live\":%s,\"takes_fills\":%s,\"fills\":%lld,", (long long)n->pid,
               node_is_live(v, n) ? "true" : "false", n->works && !n->is_full ? "true" : "false", (long long)fills));
  TRY(print_json_time(b, "storage_full_since", n->full_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "started_at", n->started_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "last_seen_at", n->seen_at));
  return buf_add_char(b, '}');
}

/* The work of a process, written after its role: "downloads 2", "no downloads: …", or nothing for a web process. */
static enum err status_add_node_work(struct status_text *v, const struct node *n, int64_t fills) {
  struct buf *b = v->out;
  if (str_eq(str_from(n->role), STR("web"))) return OK;
  if (n->is_full) return buf_add(b, STR("  no new downloads: its storage is full"));
  if (!n->works) return buf_add(b, STR("  no downloads: it can't use its recordings' volume"));
  return buf_addf(b, "  downloads %lld", (long long)fills);
}

static enum err status_add_node(void *arg, const struct node *n) {
  struct status_text *v = arg;
  int64_t fills;
  char since[PRINT_TIME_SIZE];
  TRY(recordings_count_fills(v->db, str_from(n->node_id), v->now, &fills));
  if (v->json) return status_add_node_json(v, n, fills);
  TRY(buf_addf(v->out, "%s  %-6s  %s  %s  %s pid %lld", v->n++ ? "" : "Processes:\n", n->role,
               n->address[0] ? n->address : "-", n->version[0] ? n->version : "-", n->host, (long long)n->pid));
  TRY(status_add_node_work(v, n, fills));
  TRY(buf_addf(v->out, "  since %s", print_time(n->started_at, since)));
  return buf_addf(v->out, node_is_live(v, n) ? "  seen %lld s ago\n" : "  NOT SEEN for %lld s\n",
                  (long long)((v->now - n->seen_at) / 1000));
}

/* ---- what is to be removed ---- */

/* Each count stops at REMOVALS_MOST. */
static enum err status_add_removals(struct status_text *v, const struct conf *conf, int64_t business_id) {
  struct buf *b = v->out;
  int64_t due, files, copies, erasures, oldest = 0;
  TRY(recordings_count_due(v->db, business_id, conf->retention_days, v->now, REMOVALS_MOST, &due));
  TRY(tasks_count(v->db, TASK_REMOVE, business_id, REMOVALS_MOST, &files));
  TRY(tasks_count(v->db, TASK_REMOVE_AT_PROVIDER, business_id, REMOVALS_MOST, &copies));
  TRY(erasures_count(v->db, business_id, REMOVALS_MOST, &erasures));
  if (!business_id) TRY(tasks_oldest(v->db, &oldest));
  if (v->json) {
    TRY(buf_addf(b, "},\"removal\":{\"due\":%lld,\"files\":%lld,\"at_provider\":%lld,\"erasures\":%lld,",
                 (long long)due, (long long)files, (long long)copies, (long long)erasures));
    return print_json_time(b, "oldest_at", oldest);
  }
  if (!due && !files && !copies && !erasures) return OK;
  TRY(buf_addf(b, "To be removed: %lld recordings are due; files of %lld, copies at the provider of %lld.",
               (long long)due, (long long)files, (long long)copies));
  if (erasures) TRY(buf_addf(b, "  Erasures that go on: %lld.", (long long)erasures));
  if (oldest) TRY(buf_addf(b, "  Oldest: %lld s.", (long long)((v->now - oldest) / 1000)));
  return buf_add_char(b, '\n');
}

/* ---- transcripts ---- */

/* How many times as fast as speech the engines were; 0: unknown. */
static double speech_speed(const struct speech_use *use) {
  return use->took_ms > 0 ? (double)use->sent_ms / (double)use->took_ms : 0;
}

static enum err status_add_transcripts_json(struct status_text *v, const struct conf *conf, int64_t queued,
                                            const struct speech_use *today, double speed) {
  struct buf *b = v->out;
  TRY(buf_addf(b, "},\"transcripts\":{\"queue_depth\":%lld,\"today\":{\"transcripts\":%lld,", (long long)queued,
               (long long)today->transcripts));
  TRY(buf_addf(b, "\"recorded_minutes\":%.2f,\"sent_minutes\":%.2f,\"price\":", (double)today->recorded_ms / 60000,
               (double)today->sent_ms / 60000));
  TRY(price_add_json(b, conf, today->sent_ms));
  return speed > 0 ? buf_addf(b, "},\"speed\":%.2f", speed) : buf_add(b, STR("},\"speed\":null"));
}

/* The transcripts of the business that wait; the work of the engines today, for all businesses. The count stops at
 * TRANSCRIPTS_MOST. */
static enum err status_add_transcripts(struct status_text *v, const struct conf *conf, int64_t business_id) {
  struct buf *b = v->out;
  struct speech_use today, lately;
  int64_t queued;
  TRY(tasks_count(v->db, TASK_TRANSCRIBE, business_id, TRANSCRIPTS_MOST, &queued));
  TRY(speech_days_read(v->db, v->now, 1, &today));
  TRY(speech_days_read(v->db, v->now, 2, &lately));
  double speed = speech_speed(&lately);
  if (v->json) return status_add_transcripts_json(v, conf, queued, &today, speed);
  if (!conf->speech_engine && !queued) return OK;
  TRY(buf_addf(b, "Transcripts: %lld%s wait or are made.  Today: %lld, of %.1f minutes; %.1f minutes of speech sent",
               (long long)queued, queued == TRANSCRIPTS_MOST ? " or more" : "", (long long)today.transcripts,
               (double)today.recorded_ms / 60000, (double)today.sent_ms / 60000));
  TRY(price_add_text(b, conf, today.sent_ms));
  if (speed > 0) TRY(buf_addf(b, ".  The engine works at %.1f times the speed of speech", speed));
  if (conf->speech_engine) return buf_add(b, STR(".\n"));
  return buf_add(
      b, STR(".  SPEECH_ENGINE is none for this command; if it is for the server too, they wait for an engine.\n"));
}

/* ---- the run of reconcile ---- */

static enum err status_add_reconcile_json(struct status_text *v, const struct reconcile_progress *p, bool is_live) {
  struct buf *b = v->out;
  const struct reconcile_counts *c = &p->counts;
  const char *kind = !p->began_ms ? "null" : p->is_backfill ? "\"backfill\"" : "\"reconcile\"";
  TRY(buf_addf(b, "},\"reconcile\":{\"kind\":%s,\"running\":%s,\"accounts\":%lld,\"accounts_read\":%lld,", kind,
               is_live ? "true" : "false", (long long)p->accounts, (long long)c->accounts));
  TRY(buf_addf(b, "\"accounts_failed\":%lld,\"entries\":%lld,\"calls\":%lld,\"recordings\":%lld,\"queued\":%lld,",
               (long long)c->failed, (long long)c->entries, (long long)c->calls, (long long)c->recordings,
               (long long)c->queued));
  TRY(print_json_time(b, "began_at", p->began_ms));
  TRY(buf_add_char(b, ','));
  return print_json_time(b, "ended_at", p->ended_ms);
}

/* The run of all businesses: one process at a time is at it. */
static enum err status_add_reconcile(struct status_text *v) {
  struct reconcile_progress p = {.began_ms = 0};
  const struct reconcile_counts *c = &p.counts;
  struct buf *b = v->out;
  char began[PRINT_TIME_SIZE], ended[PRINT_TIME_SIZE];
  bool is_live = false;
  enum err e = reconcile_progress_read(v->db, &p, &is_live);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (v->json) return status_add_reconcile_json(v, &p, is_live);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(buf_addf(b, "%s, begun %s, ", p.is_backfill ? "Backfill" : "Reconcile", print_time(p.began_ms, began)));
  if (p.ended_ms)
    TRY(buf_addf(b, "ended %s", print_time(p.ended_ms, ended)));
  else
    TRY(buf_add(b, is_live ? STR("under way") : STR("interrupted: the next one goes on there")));
  TRY(buf_addf(b, ": %lld of %lld accounts read, %lld entries; %lld calls and %lld recordings had news.",
               (long long)c->accounts, (long long)p.accounts, (long long)c->entries, (long long)c->calls,
               (long long)c->recordings));
  if (c->failed) TRY(buf_addf(b, "  %lld accounts could not be read.", (long long)c->failed));
  return buf_add_char(b, '\n');
}

static enum err status_add_all(struct status_text *v, struct db *db, const struct conf *conf, int64_t business_id) {
  struct recordings_counts counts;
  v->now = db_now_ms(db);
  TRY(recordings_count(db, business_id, &counts));
  TRY(nodes_workers(db, v->now, WORKER_LIVES_MS, &v->workers));
  TRY(status_add_counts(v, &counts));
  TRY(recordings_count_failures(db, business_id, status_add_failure, v));
  TRY(status_add_removals(v, conf, business_id));
  TRY(status_add_transcripts(v, conf, business_id));
  TRY(status_add_reconcile(v));
  v->n = 0;
  if (v->json) TRY(buf_add(v->out, STR("},\"fills\":[")));
  TRY(recordings_fills(db, business_id, v->now, status_add_fill, v));
  v->n = 0;
  if (v->json) TRY(buf_add(v->out, STR("],\"nodes\":[")));
  TRY(nodes_each(db, status_add_node, v));
  return v->json ? buf_add(v->out, STR("]}\n")) : OK;
}

/* In one transaction, so that counts, failures and fills agree. */
enum err status_write_all(struct db *db, const struct conf *conf, int64_t business_id, bool json, struct buf *b) {
  struct status_text v = {.out = b, .db = db, .json = json};
  TRY(db_begin(db));
  enum err e = status_add_all(&v, db, conf, business_id);
  db_rollback(db);
  return e;
}
