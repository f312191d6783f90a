/* Input: any bytes as audio, whole and in pieces whose size the first byte chooses. Property: the verdict does not depend on the
 * pieces, the duration does not exceed the input, and the peaks are well formed. */
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static struct audio_info hear(struct str bytes, size_t piece) {
  struct audio *a;
  struct audio_info info;
  require(audio_new(&a) == OK);
  enum audio_verdict last = AUDIO_UNDECIDED;
  while (bytes.n > 0) {
    struct str head = str_head(bytes, piece);
    require(audio_feed(a, head) == OK);
    require(last == AUDIO_UNDECIDED || audio_verdict(a) == last);
    last = audio_verdict(a);
    bytes = str_skip(bytes, head.n);
  }
  audio_finish(a, &info);
  require((info.kind != AUDIO_NONE) == (audio_verdict(a) == AUDIO_YES));
  audio_free(a);
  return info;
}

static void require_picture(const struct audio_info *info) {
  struct buf json CLEANUP(buf_done) = BUF_INIT(1024 * 1024);
  if (info->peaks_bytes) require(peaks_to_json(str_of(info->peaks, info->peaks_bytes), &json) == OK);
  if (info->kind != AUDIO_MP3 && info->kind != AUDIO_WAV) require(info->peaks_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n == 0) return 0;
  struct str text = str_of((const char *)bytes + 1, n - 1);
  struct audio_info whole = hear(text, n), pieces = hear(text, (size_t)bytes[0] + 1);
  require(whole.kind == pieces.kind && whole.duration_ms == pieces.duration_ms && whole.whole == pieces.whole);
  require(whole.channels == pieces.channels && whole.sample_rate == pieces.sample_rate);
  require_picture(&whole);
  require_picture(&pieces);
  if (whole.kind == AUDIO_WAV)
    require(whole.peaks_bytes == pieces.peaks_bytes && memcmp(whole.peaks, pieces.peaks, whole.peaks_bytes) == 0);
  require(whole.bytes == (int64_t)(n - 1) && whole.duration_ms >= -1);
  if (whole.kind != AUDIO_NONE) require(whole.bytes >= AUDIO_LEAST_BYTES);
  return 0;
}
