/* encode.c - hexadecimal and base64 (RFC 4648), of secret.h.
 *
 * Invariants
 *  (1) Decoders are strict: alphabet, padding, length and the unused bits of the last character. One value has one
 *      text, so that nothing signed has a second spelling. */
#include "base/secret.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(const uint8_t *bytes, size_t n, char *ret_text) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    ret_text[2 * i] = digits[bytes[i] >> 4];
    ret_text[2 * i + 1] = digits[bytes[i] & 15];
  }
  ret_text[2 * n] = '\0';
}

static enum err encode(struct buf *b, const uint8_t *bytes, size_t n, const char *alphabet, bool padded) {
  if (n / 3 > (SIZE_MAX - 4) / 4) return ERR_TOO_BIG;
  size_t tail = n % 3, size = n / 3 * 4 + (tail == 0 ? 0 : padded ? 4 : tail + 1);
  TRY(buf_reserve(b, size));
  char *text = b->p + b->n;
  for (size_t i = 0, at = 0; i < n; i += 3) {
    uint32_t bits = (uint32_t)bytes[i] << 16;
    if (i + 1 < n) bits |= (uint32_t)bytes[i + 1] << 8;
    if (i + 2 < n) bits |= bytes[i + 2];
    for (unsigned k = 0; k < 4 && at < size; k++) {
      text[at++] = i + k > n ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
    }
  }
  b->n += size;
  return OK;
}

static int sextet(char c, const char *alphabet) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/* Text without its padding. */
static enum err decode(struct buf *b, struct str text, const char *alphabet) {
  size_t tail = text.n % 4, size = text.n / 4 * 3 + (tail ? tail - 1 : 0);
  if (tail == 1) return ERR_INVALID;
  TRY(buf_reserve(b, size));
  uint8_t *bytes = (uint8_t *)b->p + b->n;
  uint32_t bits = 0;
  unsigned held = 0;
  for (size_t i = 0; i < text.n; i++) {
    int value = sextet(text.p[i], alphabet);
    if (value < 0) return ERR_INVALID;
    bits = bits << 6 | (uint32_t)value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    *bytes++ = (uint8_t)(bits >> held);
    bits &= (1u << held) - 1;
  }
  if (bits != 0) return ERR_INVALID;
  b->n += size;
  return OK;
}

enum err base64_encode(struct buf *b, const uint8_t *bytes, size_t n) {
  return encode(b, bytes, n, standard, true);
}

enum err base64url_encode(struct buf *b, const uint8_t *bytes, size_t n) {
  return encode(b, bytes, n, urlsafe, false);
}

enum err base64_decode(struct buf *b, struct str text) {
  if (text.n % 4 != 0) return ERR_INVALID;
  for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++) text.n--;
  return decode(b, text, standard);
}

enum err base64url_decode(struct buf *b, struct str text) {
  return decode(b, text, urlsafe);
}
