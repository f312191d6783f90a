/* TLS is verified: a server without a trusted certificate gets no request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

struct tls_origin {
  SSL_CTX *tls;
  int listener, port;
  pthread_t thread;
  bool shook_hands; /* read after the join */
};

static void sign_itself(SSL_CTX *tls) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  assert_non_null(key);
  assert_non_null(certificate);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME *name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
  assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static void *shake_hands(void *arg) {
  struct tls_origin *o = arg;
  int fd = accept(o->listener, NULL, NULL);
  SSL *ssl = SSL_new(o->tls);
  SSL_set_fd(ssl, fd);
  o->shook_hands = SSL_accept(ssl) == 1;
  SSL_free(ssl);
  close(fd);
  return NULL;
}

static void tls_origin_open(struct tls_origin *o) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  *o = (struct tls_origin){.tls = SSL_CTX_new(TLS_server_method())};
  assert_non_null(o->tls);
  sign_itself(o->tls);
  o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(o->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(o->listener, 1), 0);
  assert_int_equal(getsockname(o->listener, (struct sockaddr *)&address, &size), 0);
  o->port = ntohs(address.sin_port);
  assert_int_equal(pthread_create(&o->thread, NULL, shake_hands, o), 0);
}

static void a_server_without_a_trusted_certificate_is_refused(void **state) {
  (void)state;
  struct tls_origin o;
  tls_origin_open(&o);
  struct fetch *f = probe_fetch_new(0);
  struct probe p;
  char url[64];
  snprintf(url, sizeof(url), "https://localhost:%d/a", o.port);
  probe_init(&p, f, url);
  p.request.user = "AC1";
  p.request.password = "token";
  probe_run(&p);
  pthread_join(o.thread, NULL);
  assert_int_equal(p.result.end, FETCH_REFUSED);
  assert_non_null(strstr(p.result.detail, "certificate"));
  assert_int_equal(p.replies, 0);
  assert_false(o.shook_hands);
  probe_done(&p);
  fetch_free(f);
  close(o.listener);
  SSL_CTX_free(o.tls);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_without_a_trusted_certificate_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
