#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Typed functions over libcurl's variadic ones: one request at a time, no redirects, http and https
// only, and a body that can never grow past the limit it was asked with. Certificates are checked
// against the file that CURL_CA_BUNDLE or SSL_CERT_FILE names, else against libcurl's own.

// One connection, reused from request to request. Not safe for two threads at once: the owner holds
// a lock from `ct_perform` until it has copied the response.
typedef struct ct_connection ct_connection;

typedef enum {
  ct_get = 0,
  ct_head = 1,
  ct_put = 2,
  ct_post = 3,
  ct_delete = 4,
} ct_method;

typedef struct {
  const char *url;
  ct_method method;
  // Lines "Name: value", or NULL when there are none; they are sent after our own.
  const char *const *headers;
  size_t headerCount;
  // What PUT and POST send: `uploadByteCount` bytes at `upload`, or, where `upload` is NULL, from
  // `uploadOffset` of the open file `uploadFile`. Both stay the caller's.
  const uint8_t *upload;
  int uploadFile;
  int64_t uploadOffset;
  size_t uploadByteCount;
  // "first-last" (both inclusive), or NULL for the whole object.
  const char *range;
  // Loopback servers are never asked through a proxy.
  bool bypassProxy;
  // Most body bytes that are kept for a 206 and for a 200 answer.
  size_t partialLimit;
  size_t wholeLimit;
  long connectTimeoutMilliseconds;
  // Give up below 1 byte a second for this long.
  long stallSeconds;
  long deadlineMilliseconds;
} ct_request;

typedef enum {
  ct_done = 0,
  // Worth another try: refused or reset connection, or a body that ended early.
  ct_broken = 1,
  ct_timeout = 2,
  // The body or the headers are larger than allowed; what came before is still reported.
  ct_overflow = 3,
  ct_header_overflow = 4,
  ct_failed = 5,
  // The certificate is not one that is trusted here.
  ct_untrusted = 6,
} ct_outcome;

// Pointers are valid until the next `ct_perform`, `ct_release_body` or `ct_destroy`. Texts come from
// the server and may hold any byte but NUL; several headers of a name are joined with ", ".
typedef struct {
  ct_outcome outcome;
  const char *message;
  long status;
  const char *statusLine;
  // -1 when the server did not say.
  int64_t contentLength;
  bool chunked;
  const char *contentRange;
  const char *contentEncoding;
  const char *location;
  const char *retryAfter;
  const char *etag;
  // `x-amz-meta-pol-sha256`.
  const char *digest;
  const uint8_t *body;
  size_t bodyByteCount;
  // Everything that arrived, kept or not.
  size_t receivedByteCount;
} ct_response;

// NULL when libcurl cannot start or memory is out.
ct_connection *ct_create(void);
void ct_destroy(ct_connection *connection);
ct_response ct_perform(ct_connection *connection, const ct_request *request);
// Gives the memory of the last body back.
void ct_release_body(ct_connection *connection);
