/* token.h - tokens that are random and the digests they are kept by; for the files of this room only. */
#pragma once

#include "base/secret.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT_SIZE = 43 + 1 };

/* 43 base64url characters and a NUL. */
CHECKED enum err token_make(char ret_text[TOKEN_TEXT_SIZE]);
struct str token_digest_view(const uint8_t digest[SHA256_SIZE]);
