/* audio_hidden.c - searches a tag for audio that begins in it.
 *
 * Two searches see all bytes: one for a container's first bytes, one for adjacent frames of AAC. What is complete first counts.
 *
 * Invariants
 *  (1) What is found depends on the bytes, not on how they were split.
 *  (2) Only signatures of six bytes and more count: four are found in a picture of some megabytes by chance. */
#include "audio/audio_hidden.h"

#include <string.h>

enum { WINDOW_BYTES = AUDIO_TAG_HEADER_BYTES, OGG_IS_FIRST = 2, EBML_HEADER_BYTES = 4 };

void hidden_init(struct hidden *h) {
  *h = (struct hidden){.kind = AUDIO_NONE};
}

struct str hidden_head(const struct hidden *h) {
  if (h->kind == AUDIO_AAC) return str_of(h->header, sizeof(h->header));
  return str_of(h->head, h->head_bytes);
}

/* ---- containers ---- */

/* For speed: most bytes begin nothing. p has WINDOW_BYTES. */
static bool may_begin_container(const char *p) {
  switch (p[0]) {
    case 'R':
      return p[1] == 'I' || p[1] == 'F';
    case 'O':
      return p[1] == 'g';
    case '#':
      return p[1] == '!';
    case 'f':
      return p[1] == 'L';
    case '\x1a':
      return p[1] == '\x45';
    default:
      return p[0] == 0 && p[1] == 0 && p[4] == 'f';
  }
}

/* The head of a WebM: an element of the EBML header follows its length of one byte or of eight. */
static bool has_ebml_element(const unsigned char *p) {
  const unsigned char *element = p + EBML_HEADER_BYTES + (p[EBML_HEADER_BYTES] & 0x80 ? 1 : 8);
  bool is_length = (p[EBML_HEADER_BYTES] & 0x80) || p[EBML_HEADER_BYTES] == 1;
  /* the versions of EBML, the longest id and length, and the document's type with its versions */
  return is_length && element[0] == 0x42 && memchr("\x86\xf7\xf2\xf3\x82\x87\x85", element[1], 7);
}

/* (2) */
static enum audio_kind container_at(const char *p) {
  if (!may_begin_container(p)) return AUDIO_NONE;
  enum audio_kind kind = audio_sniff_container(str_of(p, WINDOW_BYTES));
  if (kind == AUDIO_OGG && !(p[5] & OGG_IS_FIRST)) return AUDIO_NONE;
  if (kind == AUDIO_WEBM && !has_ebml_element((const unsigned char *)p)) return AUDIO_NONE;
  return kind;
}

/* Looks at each window of s from its first byte on. Returns the offset behind the window that begins a container, else 0. */
static size_t search_windows(struct hidden *h, struct str s) {
  for (size_t at = 0; at + WINDOW_BYTES <= s.n; at++) {
    h->kind = container_at(s.p + at);
    if (h->kind == AUDIO_NONE) continue;
    h->head_bytes = WINDOW_BYTES;
    memcpy(h->head, s.p + at, WINDOW_BYTES);
    return at + WINDOW_BYTES;
  }
  return 0;
}

/* Sets h->kind and returns the number of bytes up to the end of the container's first WINDOW_BYTES; or takes all. */
static size_t search_container(struct hidden *h, struct str bytes) {
  char joined[2 * (WINDOW_BYTES - 1)];
  size_t kept = h->head_bytes;
  struct str start = str_head(bytes, WINDOW_BYTES - 1);
  memcpy(joined, h->head, kept);
  if (start.n > 0) memcpy(joined + kept, start.p, start.n);
  size_t end = search_windows(h, str_of(joined, kept + start.n));
  if (end > 0) return end - kept;
  end = search_windows(h, bytes);
  if (end > 0) return end;
  struct str last = bytes.n < WINDOW_BYTES - 1 ? str_of(joined, kept + start.n) : bytes;
  h->head_bytes = last.n < WINDOW_BYTES - 1 ? last.n : WINDOW_BYTES - 1;
  memcpy(h->head, str_skip(last, last.n - h->head_bytes).p, h->head_bytes);
  return bytes.n;
}

/* ---- frames of AAC ---- */

/* A header is complete. If it does not continue the run, it may begin another, or the search continues behind its first byte. */
static void judge_header(struct hidden *h) {
  const unsigned char *p = (const unsigned char *)h->header;
  size_t bytes = audio_sniff_adts_frame(p);
  bool is_next = h->frames > 0 && p[1] == h->common[0] && (p[2] & 0xfc) == h->common[1];
  if (!is_next) h->frames = h->blocks = 0;
  if (bytes == 0) {
    size_t from = 1;
    h->frames = h->blocks = 0;
    while (from < sizeof(h->header) && p[from] != 0xff) from++;
    h->header_bytes = sizeof(h->header) - from;
    memmove(h->header, h->header + from, h->header_bytes);
    return;
  }
  h->common[0] = p[1];
  h->common[1] = p[2] & 0xfc;
  if (++h->frames == HIDDEN_ADTS_FRAMES) return;
  h->blocks += (p[6] & 3) + 1u;
  h->left = bytes - sizeof(h->header);
  h->header_bytes = 0;
}

/* Returns the number of bytes up to the end of the last header of a run, or takes all. */
static size_t search_frames(struct hidden *h, struct str bytes) {
  size_t fed = 0;
  while (fed < bytes.n && h->frames < HIDDEN_ADTS_FRAMES) {
    struct str rest = str_skip(bytes, fed);
    if (h->left > 0) {
      size_t n = h->left < rest.n ? h->left : rest.n;
      h->left -= n;
      fed += n;
    } else if (h->header_bytes == 0 && (unsigned char)rest.p[0] != 0xff) {
      const char *sync = memchr(rest.p, 0xff, rest.n);
      h->frames = h->blocks = 0;
      fed = sync ? (size_t)(sync - bytes.p) : bytes.n;
    } else {
      h->header[h->header_bytes++] = rest.p[0];
      fed++;
      if (h->header_bytes == sizeof(h->header)) judge_header(h);
    }
  }
  return fed;
}

size_t hidden_search(struct hidden *h, struct str bytes) {
  size_t n = search_frames(h, bytes);
  size_t container = search_container(h, str_head(bytes, n));
  if (h->kind != AUDIO_NONE) return container;
  if (h->frames == HIDDEN_ADTS_FRAMES) h->kind = AUDIO_AAC;
  return n;
}
