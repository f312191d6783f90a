/* token.c - see token.h. */
#include "ledger/token.h"

enum err token_make(char ret_text[TOKEN_TEXT_SIZE]) {
  uint8_t bytes[TOKEN_BYTES];
  struct buf text CLEANUP(buf_done) = BUF_INIT(TOKEN_TEXT_SIZE);
  TRY(secret_random(bytes, sizeof(bytes)));
  enum err e = base64url_encode(&text, bytes, sizeof(bytes));
  if (e == OK) e = str_copy(ret_text, TOKEN_TEXT_SIZE, buf_str(&text));
  secret_wipe(bytes, sizeof(bytes));
  if (text.p) secret_wipe(text.p, text.n);
  return e;
}

struct str token_digest_view(const uint8_t digest[SHA256_SIZE]) {
  return str_of((const char *)digest, SHA256_SIZE);
}
