/* fetch_address.c - tells special addresses from public ones.
 *
 * Invariants
 *  (1) IPv4: an address is special if RFC 6890 and its updates list it as not globally reachable.
 *  (2) IPv6: only addresses in 2000::/3 can be public, with exceptions. An address that embeds an IPv4 address is judged by
 *      the latter, because a gateway would deliver to it.
 *  (3) Any other family is special. */
#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <string.h>

struct range4 {
  uint32_t base;
  unsigned bits;
};

static const struct range4 SPECIAL4[] = {
    {0x00000000, 8},  /* 0.0.0.0/8: this network */
    {0x0a000000, 8},  /* 10/8: private */
    {0x64400000, 10}, /* 100.64/10: carrier-grade NAT */
    {0x7f000000, 8},  /* 127/8: loopback */
    {0xa9fe0000, 16}, /* 169.254/16: link-local, cloud metadata */
    {0xac100000, 12}, /* 172.16/12: private */
    {0xc0000000, 24}, /* 192.0.0/24: protocol assignments */
    {0xc0000200, 24}, /* 192.0.2/24: TEST-NET-1 */
    {0xc0586300, 24}, /* 192.88.99/24: 6to4 relays, withdrawn */
    {0xc0a80000, 16}, /* 192.168/16: private */
    {0xc6120000, 15}, /* 198.18/15: benchmarks */
    {0xc6336400, 24}, /* 198.51.100/24: TEST-NET-2 */
    {0xcb007100, 24}, /* 203.0.113/24: TEST-NET-3 */
    {0xe0000000, 4},  /* 224/4: multicast */
    {0xf0000000, 4},  /* 240/4: reserved, broadcast */
};

static bool is_special4(uint32_t address) {
  for (size_t i = 0; i < COUNT_OF(SPECIAL4); i++) {
    uint32_t mask = ~0u << (32 - SPECIAL4[i].bits);
    if ((address & mask) == SPECIAL4[i].base) return true;
  }
  return false;
}

struct range6 {
  uint8_t base[16];
  unsigned bits;
};

/* The special parts of 2000::/3. */
static const struct range6 SPECIAL6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* 2001::/23: protocol assignments (Teredo is handled before) */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* 2001:db8::/32: documentation */
    {{0x3f, 0xff, 0x00}, 20},       /* 3fff::/20: documentation */
};
static const struct range6 GLOBAL6 = {{0x20}, 3};
static const struct range6 MAPPED6 = {{[10] = 0xff, [11] = 0xff}, 96};
static const struct range6 COMPATIBLE6 = {{0}, 96};
static const struct range6 NAT64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const struct range6 SIX_TO_FOUR = {{0x20, 0x02}, 16};
static const struct range6 TEREDO = {{0x20, 0x01, 0x00, 0x00}, 32};

static bool in_range6(const uint8_t address[16], const struct range6 *range) {
  size_t whole = range->bits / 8;
  if (memcmp(address, range->base, whole) != 0) return false;
  unsigned rest = range->bits % 8;
  return rest == 0 || ((address[whole] ^ range->base[whole]) >> (8 - rest)) == 0;
}

static uint32_t embedded4(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static bool is_special6(const uint8_t a[16]) {
  if (in_range6(a, &MAPPED6) || in_range6(a, &COMPATIBLE6) || in_range6(a, &NAT64))
    return is_special4(embedded4(a + 12));
  if (in_range6(a, &SIX_TO_FOUR)) return is_special4(embedded4(a + 2));
  /* The server's address, and the client's with every bit inverted (RFC 4380 4). */
  if (in_range6(a, &TEREDO)) return is_special4(embedded4(a + 4)) || is_special4(~embedded4(a + 12));
  if (!in_range6(a, &GLOBAL6)) return true; /* (2) */
  for (size_t i = 0; i < COUNT_OF(SPECIAL6); i++) {
    if (in_range6(a, &SPECIAL6[i])) return true;
  }
  return false;
}

bool fetch_address_is_special(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof(in));
    return is_special4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof(in6));
    return is_special6(in6.sin6_addr.s6_addr);
  }
  return true; /* (3) */
}
