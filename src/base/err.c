/* err.c - texts and meanings of the codes in err.def, and the one place that reads errno values. */
#include "base/err.h"

#include <errno.h>

static const struct {
  const char *text;
  bool retryable;
} codes[ERR_COUNT_] = {
#define X(name, text_, retryable_) [name] = {text_, retryable_},
#include "base/err.def"
#undef X
};

static bool err_known(enum err e) {
  return (unsigned)e < ERR_COUNT_;
}

const char *err_text(enum err e) {
  return err_known(e) ? codes[e].text : "unknown error";
}

bool err_retryable(enum err e) {
  return err_known(e) && codes[e].retryable;
}

enum err err_from_errno(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ERR_FULL;
    case ENOENT:
      return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
      return ERR_EXISTS;
    case EACCES:
    case EPERM:
      return ERR_DENIED;
    case EINVAL:
    case ELOOP: /* a link where none is followed */
    case ENOTDIR:
    case EISDIR:
      return ERR_INVALID;
    case ENAMETOOLONG:
    case EMSGSIZE:
      return ERR_TOO_BIG;
    case EAGAIN:
    case EBUSY:
    case EMFILE: /* descriptors become free again */
    case ENFILE:
      return ERR_BUSY;
    case ETIMEDOUT:
      return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
      return ERR_CLOSED;
    case ENOMEM:
    case ENOBUFS:
      return ERR_NOMEM;
    case ENOSYS:
    case EOPNOTSUPP:
      return ERR_UNSUPPORTED;
    default:
      return ERR_IO;
  }
}
