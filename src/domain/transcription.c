/* transcription.c - see transcription.h. */
#include "domain/transcription.h"

#include "ledger/businesses_speech.h"
#include "ledger/transcripts.h"

static bool is_enabled; /* written before threads start */

void transcription_enable(bool has_engine) {
  is_enabled = has_engine;
}

enum err transcription_on_ready(struct db *db, const struct recording *row, int64_t now) {
  struct business_speech speech;
  struct transcript t;
  if (!is_enabled) return OK;
  enum err e = businesses_speech_get(db, row->business_id, &speech);
  if (e != OK || speech.transcribe == TRANSCRIBE_NEVER) return e == ERR_NOT_FOUND ? OK : e;
  if (speech.transcribe == TRANSCRIBE_ASKED) {
    e = transcripts_find(db, row->business_id, str_from(row->recording_sid), &t);
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    if (str_eq(str_from(t.etag), str_from(row->etag))) return OK;
  }
  e = transcripts_request(db, row, RECORDING_RANK_REST, false, now, &t);
  return e == ERR_CONFLICT ? OK : e;
}

static bool is_endpoint(const char *address) {
  struct str s = str_from(address);
  return str_starts_nocase(s, STR("client:")) || str_starts_nocase(s, STR("sip:"));
}

void transcription_speakers(const struct call *top, struct transcription_speakers *ret_speakers) {
  static const struct transcription_speakers customer_first = {{"customer", "agent"}},
                                             agent_first = {{"agent", "customer"}}, unknown = {{"1", "2"}};
  struct str direction = top ? str_from(top->direction) : STR_NONE;
  *ret_speakers = unknown;
  if (str_eq(direction, STR("inbound"))) *ret_speakers = is_endpoint(top->from_number) ? agent_first : customer_first;
  if (!str_eq(direction, STR("outbound"))) return;
  /* Placed by an endpoint, or first to one: its leg is the parent, and the customer's the child. */
  bool by_agent = is_endpoint(top->from_number) || is_endpoint(top->to_number);
  *ret_speakers = by_agent ? agent_first : customer_first;
}
