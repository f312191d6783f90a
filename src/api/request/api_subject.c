/* api_subject.c - the name of a subject in logs: key:ID, user:SUB, url:ID.
 *
 * Invariants
 *  (1) The log at level info contains nothing that could be a person's number, address or name. The host's name for a user is
 *      logged as it is only if it can only be an id: one word of ASCII letters, digits and ". _ | : -" that can't contain a
 *      telephone number. Any other name is replaced by "~" and 12 hexadecimal digits of a MAC: the same for the same user in
 *      every process of an installation. The MAC has a key, so a number can't be found by trying all numbers.
 *  (2) No id contains "~", so a replaced name is never taken for an id. */
#include "api/request/api_subject.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER_DIGITS_MIN = 7, NUMBER_DIGITS_MAX = 15, HEX_ID_MIN = 24, VEIL_BYTES = 6 };

static bool is_hex_letter(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_id_char(char c) {
  return str_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("._|:-", c));
}

/* The length of the hexadecimal id (a UUID, a digest) at the beginning of text; 0: text begins with none. */
static size_t hex_id_n(struct str text) {
  size_t n = 0, digits = 0, letters = 0;
  for (; n < text.n && (str_is_digit(text.p[n]) || is_hex_letter(text.p[n]) || text.p[n] == '-'); n++) {
    digits += text.p[n] != '-';
    letters += is_hex_letter(text.p[n]);
  }
  return digits >= HEX_ID_MIN && letters > 0 ? n : 0;
}

static size_t digits_n(struct str text) {
  size_t n = 0;
  while (n < text.n && str_is_digit(text.p[n])) n++;
  return n;
}

/* True if text contains as many digits, with '.' and '-' between them, as a telephone number has. A run of more than
 * NUMBER_DIGITS_MAX digits is not a telephone number. */
static bool could_hold_number(struct str text) {
  for (size_t digits = 0; text.n;) {
    size_t skip = hex_id_n(text), run = digits_n(text);
    if (skip || run > NUMBER_DIGITS_MAX) {
      text = str_skip(text, skip ? skip : run);
      digits = 0;
      continue;
    }
    digits += run;
    if (digits >= NUMBER_DIGITS_MIN) return true;
    text = str_skip(text, run);
    if (text.n && text.p[0] != '.' && text.p[0] != '-') digits = 0;
    text = str_skip(text, text.n ? 1 : 0);
  }
  return false;
}

bool subject_is_plain_id(struct str name) {
  for (size_t i = 0; i < name.n; i++)
    if (!is_id_char(name.p[i])) return false;
  return !could_hold_number(name);
}

/* Writes "user:~" and the MAC (1). The key is also that of signed URLs; "user:" begins no text that a signed URL signs. */
static void subject_write_veiled(const struct hmac_key *key, const char *name, char *ret_text, size_t size) {
  char text[sizeof("user:") + SUBJECT_NAME_MAX], digits[2 * VEIL_BYTES + 1];
  uint8_t mac[SHA256_SIZE];
  (void)snprintf(text, sizeof(text), "user:%s", name);
  hmac_sha256(key, str_from(text), mac);
  hex_encode(mac, VEIL_BYTES, digits);
  (void)snprintf(ret_text, size, "user:~%s", digits);
}

void subject_text(const struct subject *s, const struct hmac_key *key, char ret_text[SUBJECT_TEXT_SIZE]) {
  switch (s->kind) {
    case SUBJECT_NOBODY:
      (void)snprintf(ret_text, SUBJECT_TEXT_SIZE, "nobody");
      return;
    case SUBJECT_KEY:
      (void)snprintf(ret_text, SUBJECT_TEXT_SIZE, "key:%lld", (long long)s->key_id);
      return;
    case SUBJECT_USER:
      if (!s->name[0] && s->session[0])
        (void)snprintf(ret_text, SUBJECT_TEXT_SIZE, "user:%08llx", (unsigned long long)s->number >> 32);
      else if (subject_is_plain_id(str_from(s->name)))
        (void)snprintf(ret_text, SUBJECT_TEXT_SIZE, "user:%s", s->name);
      else
        subject_write_veiled(key, s->name, ret_text, SUBJECT_TEXT_SIZE);
      return;
    case SUBJECT_URL:
      (void)snprintf(ret_text, SUBJECT_TEXT_SIZE, "%s", s->name);
      return;
  }
}
