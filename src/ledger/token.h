/* token.h - random tokens, and views of their digests. For the files of this room only. Thread rule: any thread. */
#pragma once

#include "base/secret.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT_SIZE = 43 + 1 };

/* Makes a random token: 43 base64url characters and a NUL. */
CHECKED enum err token_make(char ret_text[TOKEN_TEXT_SIZE]);
struct str token_digest_view(const uint8_t digest[SHA256_SIZE]);
