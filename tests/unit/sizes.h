/* sizes.h - how much a test does. A sanitizer makes a program many times slower, and finds in a part what it finds in the
 * whole; the programs that use this are in the suite `sized`, which `script/test` also runs in a plain build. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SIZE(plain, sanitized) (sanitized)
#else
#define TEST_SIZE(plain, sanitized) (plain)
#endif
