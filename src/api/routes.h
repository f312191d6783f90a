/* routes.h - the table of routes. Thread rule: constant. */
#pragma once

#include "http/route.h"

extern const struct http_route api_routes[]; /* access: enum route_access */
extern const size_t api_route_count;
