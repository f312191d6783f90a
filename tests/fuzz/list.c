/* Input: any text as a page of a provider's list; the first byte chooses the list. Property: accepted entries can be stored, and
 * the next page's URL is of the same account. */
#include <stdlib.h>

#include "provider/twilio_list.h"

#define AC "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BASE "https://api.twilio.com"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void check_part(const struct delivery_part *part) {
  for (size_t i = 0; i < part->count; i++) require(part->fields[i].value.n > 0 && str_is_utf8(part->fields[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1) return 0;
  const struct provider_account account = {.business_id = 1, .account_sid = STR(AC), .base_url = STR(BASE)};
  enum twilio_list list = bytes[0] % 2 ? TWILIO_LIST_CALLS : TWILIO_LIST_RECORDINGS;
  struct twilio_page *page;
  if (twilio_page_parse(&account, list, str_of((const char *)bytes + 1, n - 1), 0, &page) != OK) return 0;
  struct str next = twilio_page_next(page);
  require(next.n == 0 || str_starts_nocase(next, STR(BASE)));
  for (size_t i = 0; i < twilio_page_count(page); i++) {
    struct buf storage CLEANUP(buf_done) = BUF_INIT(8192);
    static struct delivery d;
    if (twilio_page_delivery(page, i, &storage, &d) != OK) continue;
    require(d.call_sid.n > 0 || d.recording_sid.n > 0);
    check_part(&d.call);
    check_part(&d.recording);
  }
  twilio_page_free(page);
  return 0;
}
