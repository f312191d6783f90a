/* fetch_redirect.h - decides whether a redirect is followed, and to which URL.
 *
 *   struct fetch_hop next;
 *   switch (fetch_redirect(&hop, status, location, &next)) { case FETCH_GO: … }
 *
 * Thread rule: pure functions. */
#pragma once

#include "fetch/fetch.h"

enum fetch_method { FETCH_GET, FETCH_POST, FETCH_PUT, FETCH_DELETE };

struct fetch_hop {
  char *url; /* owned: fetch_hop_done */
  enum fetch_method method;
  unsigned hops_left;
  bool own_origin; /* all hops so far were of the URL's own origin, so credentials may be sent */
  bool http_allowed;
};

enum fetch_direction {
  FETCH_GO,      /* follow it: *ret_next is set */
  FETCH_STAY,    /* no redirect: a reply like others */
  FETCH_TOO_FAR, /* too many redirects */
  FETCH_BAD_PLACE, /* not allowed: malformed, user information, another scheme, http after https, a body for another origin */
  FETCH_NO_MEMORY,
};

void fetch_hop_done(struct fetch_hop *hop);
/* location: the reply's header, or NULL. *ret_next is written for FETCH_GO only; free it with fetch_hop_done. */
enum fetch_direction fetch_redirect(const struct fetch_hop *hop, int status, const char *location,
                                    struct fetch_hop *ret_next);
