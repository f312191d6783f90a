/* cmd_price.h - what transcripts cost, by SPEECH_PRICE: a price of a minute of audio, in any currency.
 * Thread rule: pure. */
#pragma once

#include "base/conf.h"

/* Of a minute, in millionths; -1: SPEECH_PRICE is not set, or no decimal with at most 6 places. */
int64_t price_of_minute(const struct conf *conf);
/* Appends ", 1.23 by SPEECH_PRICE" for so many milliseconds of audio; nothing where there is no price. */
CHECKED enum err price_add_text(struct buf *b, const struct conf *conf, int64_t ms);
/* Appends the amount as a JSON number, or null. */
CHECKED enum err price_add_json(struct buf *b, const struct conf *conf, int64_t ms);
