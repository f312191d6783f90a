/* api_proxies.c - the trusted networks. All addresses are kept as IPv6; IPv4 addresses are kept in IPv4-mapped form
 * (RFC 4291 section 2.5.5.2). */
#include "api/request/api_proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { NETWORKS_MAX = 256, ADDRESS_TEXT_SIZE = 64, MAPPED_BITS = 96, ADDRESS_BITS = 128 };

struct network {
  uint8_t address[16];
  unsigned bits; /* length of the prefix, 0 to 128 */
};

struct proxies {
  size_t count;
  struct network networks[NETWORKS_MAX];
};

static void address_map_v4(const void *v4, uint8_t ret_address[16]) {
  memset(ret_address, 0, 10);
  memset(ret_address + 10, 0xff, 2);
  memcpy(ret_address + 12, v4, 4);
}

static enum err network_parse(struct str text, struct network *ret_network) {
  struct str left, right;
  struct network n;
  char address[ADDRESS_TEXT_SIZE];
  struct in_addr v4;
  uint64_t bits;
  bool has_bits = str_cut(text, '/', &left, &right);
  TRY(str_copy(address, sizeof(address), left));
  bool is_v4 = inet_pton(AF_INET, address, &v4) == 1;
  if (is_v4)
    address_map_v4(&v4, n.address);
  else if (inet_pton(AF_INET6, address, n.address) != 1)
    return ERR_INVALID;
  bits = is_v4 ? ADDRESS_BITS - MAPPED_BITS : ADDRESS_BITS;
  if (has_bits) TRY(str_to_u64(right, bits, &bits));
  n.bits = (unsigned)bits + (is_v4 ? MAPPED_BITS : 0);
  *ret_network = n;
  return OK;
}

static enum err proxies_parse_list(struct str list, struct proxies *p) {
  size_t at = 0;
  while (at < list.n) {
    size_t end = at;
    while (end < list.n && list.p[end] != ',' && list.p[end] != ' ' && list.p[end] != '\t') end++;
    if (end > at) {
      if (p->count == NETWORKS_MAX) return ERR_TOO_BIG;
      TRY(network_parse(str_of(list.p + at, end - at), &p->networks[p->count]));
      p->count++;
    }
    at = end + 1;
  }
  return OK;
}

enum err proxies_new(struct str list, struct proxies **ret_proxies) {
  struct proxies *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  enum err e = proxies_parse_list(list, p);
  if (e == OK)
    *ret_proxies = p;
  else
    free(p);
  return e;
}

struct proxies *proxies_free(struct proxies *p) {
  free(p);
  return NULL;
}

static bool network_contains(const struct network *n, const uint8_t address[16]) {
  size_t whole = n->bits / 8;
  unsigned rest = n->bits % 8;
  if (memcmp(n->address, address, whole) != 0) return false;
  return rest == 0 || (n->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool proxies_contain(const struct proxies *p, const uint8_t address[16]) {
  for (size_t i = 0; i < p->count; i++)
    if (network_contains(&p->networks[i], address)) return true;
  return false;
}

static bool is_port(struct str text) {
  uint64_t port;
  return text.n > 0 && str_to_u64(text, UINT16_MAX, &port) == OK;
}

/* The address of "192.0.2.1:5678", "[2001:db8::1]:443" or "[2001:db8::1]"; any other text as it is. */
static struct str without_port(struct str text) {
  struct str address, port;
  if (str_starts(text, STR("["))) {
    if (!str_cut(str_skip(text, 1), ']', &address, &port)) return text;
    bool is_alone = port.n == 0;
    return is_alone || (port.p[0] == ':' && is_port(str_skip(port, 1))) ? address : text;
  }
  bool has_port = str_cut(text, ':', &address, &port) && is_port(port); /* an IPv6 address has several colons */
  return has_port ? address : text;
}

bool proxies_trust_text(const struct proxies *p, struct str address) {
  struct network parsed;
  address = without_port(address);
  return str_index(address, '/', 0) == address.n && network_parse(address, &parsed) == OK &&
         proxies_contain(p, parsed.address);
}

bool proxies_trust(const struct proxies *p, const struct sockaddr_storage *peer) {
  uint8_t address[16];
  if (p->count == 0) return false;
  if (peer->ss_family == AF_INET)
    address_map_v4(&((const struct sockaddr_in *)(const void *)peer)->sin_addr, address);
  else if (peer->ss_family == AF_INET6)
    memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
  else
    return false;
  return proxies_contain(p, address);
}
