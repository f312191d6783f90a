/* cmd_price.c - see cmd_price.h. */
#include "cmd/cmd_price.h"

#include "base/str.h"

enum { PLACES = 6, WHOLE_MAX = 1000000, MINUTE_MS = 60 * 1000 };

int64_t price_of_minute(const struct conf *conf) {
  struct str text = str_from(conf->speech_price ? conf->speech_price : ""), whole = text, part = STR("");
  uint64_t units, millionths = 0;
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] == '.') {
      whole = (struct str){text.p, i};
      part = (struct str){text.p + i + 1, text.n - i - 1};
      break;
    }
  if (str_to_u64(whole, WHOLE_MAX, &units) != OK || part.n > PLACES) return -1;
  if (whole.n < text.n && str_to_u64(part, WHOLE_MAX, &millionths) != OK) return -1;
  for (size_t n = part.n; n < PLACES; n++) millionths *= 10;
  return (int64_t)(units * WHOLE_MAX + millionths);
}

static double price_amount(int64_t price, int64_t ms) {
  return (double)price * (double)ms / MINUTE_MS / WHOLE_MAX;
}

enum err price_add_text(struct buf *b, const struct conf *conf, int64_t ms) {
  int64_t price = price_of_minute(conf);
  return price < 0 ? OK : buf_addf(b, ", %.2f by SPEECH_PRICE", price_amount(price, ms));
}

enum err price_add_json(struct buf *b, const struct conf *conf, int64_t ms) {
  int64_t price = price_of_minute(conf);
  return price < 0 ? buf_add(b, STR("null")) : buf_addf(b, "%.4f", price_amount(price, ms));
}
