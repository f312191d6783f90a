#include "provider/provider_try.h"

#include "provider/twilio_list.h"

enum { TEXT_MAX = 4096 };

static char *copy_if_any(struct str s) {
  return s.n ? str_dup(s) : NULL;
}

enum err provider_try_make(const struct provider_account *account, int64_t now_ms, struct fetch_check *ret_check) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  bool has_key = account->api_key.n && account->api_secret.n;
  struct str user = has_key ? account->api_key : account->account_sid;
  struct str password = has_key ? account->api_secret : account->tokens[0];
  if (!account->account_sid.n || !user.n || !password.n) return ERR_INVALID;
  TRY(twilio_list_url(account, TWILIO_LIST_RECORDINGS, now_ms, 1, &url));
  struct fetch_check check = {.about = account->business_id,
                              .url = str_dup(buf_str(&url)),
                              .user = copy_if_any(user),
                              .password = copy_if_any(password)};
  if (!check.url || !check.user || !check.password) {
    fetch_check_done(&check);
    return ERR_NOMEM;
  }
  *ret_check = check;
  return OK;
}

enum provider_verdict provider_try_verdict(const struct fetch_check *check) {
  if (check->status == 200) return PROVIDER_TRY_OK;
  return check->status == 401 || check->status == 403 ? PROVIDER_TRY_REFUSED : PROVIDER_TRY_UNKNOWN;
}
