/* fetch_redirect.h - where a redirect leads, and whether one may go there. Pure.
 *
 *   struct fetch_hop next;
 *   switch (fetch_redirect(&hop, status, location, &next)) … */
#pragma once

#include "fetch/fetch.h"

enum fetch_method { FETCH_GET, FETCH_POST, FETCH_PUT, FETCH_DELETE };

struct fetch_hop {
  char *url; /* owned: fetch_hop_done */
  enum fetch_method method;
  unsigned hops_left;
  bool own_origin; /* still where the caller's secrets belong: once lost, never given back */
  bool http_allowed;
};

enum fetch_direction {
  FETCH_GO,        /* to the next hop */
  FETCH_STAY,      /* an answer like others */
  FETCH_TOO_FAR,   /* no hop is left */
  FETCH_BAD_PLACE, /* no URL, user-info in it, another scheme, http after https, a body to another origin */
  FETCH_NO_MEMORY,
};

void fetch_hop_done(struct fetch_hop *hop);
/* location: of the reply, NULL if it had none. ret_next is written on FETCH_GO only. */
enum fetch_direction fetch_redirect(const struct fetch_hop *hop, int status, const char *location,
                                    struct fetch_hop *ret_next);
