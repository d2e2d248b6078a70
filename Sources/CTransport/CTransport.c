#define _GNU_SOURCE
#include "CTransport.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

// An honest server sends less than 2 KiB of headers.
#define HEADER_LIMIT ((size_t)65536)
// An error page is read this far and dropped, so that the connection can be used again.
#define ERROR_PAGE_LIMIT ((size_t)65536)
#define TEXT_SIZE 256

struct ct_connection {
  CURL *easy;
  struct curl_slist *headers;
  const ct_request *request;
  size_t uploadedByteCount;
  char error[CURL_ERROR_SIZE];
  char statusLine[TEXT_SIZE];
  char contentRange[TEXT_SIZE];
  char contentEncoding[TEXT_SIZE];
  char location[TEXT_SIZE];
  char retryAfter[TEXT_SIZE];
  char etag[TEXT_SIZE];
  char digest[TEXT_SIZE];
  bool chunked;
  size_t headerByteCount;
  bool headerOverflow;
  uint8_t *body;
  size_t bodyByteCount;
  size_t bodyCapacity;
  size_t receivedByteCount;
  size_t partialLimit;
  size_t wholeLimit;
  bool overflow;
  bool outOfMemory;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode globalResult = CURLE_FAILED_INIT;

static void initialize(void) { globalResult = curl_global_init(CURL_GLOBAL_DEFAULT); }

static size_t limitFor(const ct_connection *self, long status) {
  if (status == 206) return self->partialLimit;
  if (status == 200) return self->wholeLimit;
  return ERROR_PAGE_LIMIT;
}

static size_t onBody(char *bytes, size_t size, size_t count, void *context) {
  ct_connection *self = context;
  size_t length = size * count;
  self->receivedByteCount += length;

  long status = 0;
  curl_off_t announced = -1;
  curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(self->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  size_t limit = limitFor(self, status);
  if ((announced > 0 && (uint64_t)announced > limit) || length > limit - self->bodyByteCount) {
    self->overflow = true;
    return length == 0 ? 1 : 0;
  }
  if (length > self->bodyCapacity - self->bodyByteCount) {
    // Grows with what has arrived, never with what was announced.
    size_t capacity = self->bodyCapacity < 65536 ? 65536 : self->bodyCapacity * 2;
    if (capacity < self->bodyByteCount + length) capacity = self->bodyByteCount + length;
    uint8_t *grown = realloc(self->body, capacity);
    if (grown == NULL) {
      self->outOfMemory = true;
      return 0;
    }
    self->body = grown;
    self->bodyCapacity = capacity;
  }
  if (length > 0) memcpy(self->body + self->bodyByteCount, bytes, length);
  self->bodyByteCount += length;
  return length;
}

// Adds a header's value to `text`, cut at its end; a cut value never reads as a valid one, because
// every valid one is far shorter.
static void keep(char text[TEXT_SIZE], const char *value, size_t length) {
  while (length > 0 && (value[0] == ' ' || value[0] == '\t')) {
    value++;
    length--;
  }
  while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL) length--;
  size_t used = strlen(text);
  const char *separator = used > 0 ? ", " : "";
  for (; *separator != 0 && used < TEXT_SIZE - 1; separator++) text[used++] = *separator;
  for (size_t i = 0; i < length && used < TEXT_SIZE - 1; i++) {
    text[used++] = value[i] == 0 ? '?' : value[i];
  }
  text[used] = 0;
}

static bool keepIf(const char *name, char text[TEXT_SIZE], const char *line, size_t length) {
  size_t nameLength = strlen(name);
  if (length <= nameLength || line[nameLength] != ':') return false;
  if (strncasecmp(line, name, nameLength) != 0) return false;
  keep(text, line + nameLength + 1, length - nameLength - 1);
  return true;
}

static void forgetHeaders(ct_connection *self) {
  self->statusLine[0] = 0;
  self->contentRange[0] = 0;
  self->contentEncoding[0] = 0;
  self->location[0] = 0;
  self->retryAfter[0] = 0;
  self->etag[0] = 0;
  self->digest[0] = 0;
  self->chunked = false;
}

static size_t onHeader(char *line, size_t size, size_t count, void *context) {
  ct_connection *self = context;
  size_t length = size * count;
  self->headerByteCount += length;
  if (self->headerByteCount > HEADER_LIMIT) {
    self->headerOverflow = true;
    return 0;
  }
  if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) {
    // A second status line follows an interim (1xx) answer, whose headers say nothing.
    forgetHeaders(self);
    keep(self->statusLine, line, length);
    return length;
  }
  char coding[TEXT_SIZE] = {0};
  if (keepIf("Transfer-Encoding", coding, line, length)) {
    self->chunked = strcasecmp(coding, "chunked") == 0;
  } else if (!keepIf("Content-Range", self->contentRange, line, length) &&
             !keepIf("Content-Encoding", self->contentEncoding, line, length) &&
             !keepIf("Location", self->location, line, length) &&
             !keepIf("ETag", self->etag, line, length) &&
             !keepIf("x-amz-meta-pol-sha256", self->digest, line, length)) {
    keepIf("Retry-After", self->retryAfter, line, length);
  }
  return length;
}

static size_t onUpload(char *out, size_t size, size_t count, void *context) {
  ct_connection *self = context;
  const ct_request *request = self->request;
  size_t wanted = size * count;
  size_t left = request->uploadByteCount - self->uploadedByteCount;
  if (wanted > left) wanted = left;
  if (wanted == 0) return 0;
  if (request->upload != NULL) {
    memcpy(out, request->upload + self->uploadedByteCount, wanted);
  } else {
    off_t offset = (off_t)request->uploadOffset + (off_t)self->uploadedByteCount;
    ssize_t got;
    do got = pread(request->uploadFile, out, wanted, offset);
    while (got < 0 && errno == EINTR);
    // A file that shrank is no shorter upload.
    if (got <= 0) return CURL_READFUNC_ABORT;
    wanted = (size_t)got;
  }
  self->uploadedByteCount += wanted;
  return wanted;
}

// libcurl goes back to the start when a kept connection turns out to be dead.
static int onUploadSeek(void *context, curl_off_t offset, int origin) {
  ct_connection *self = context;
  if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > self->request->uploadByteCount) {
    return CURL_SEEKFUNC_FAIL;
  }
  self->uploadedByteCount = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

ct_connection *ct_create(void) {
  pthread_once(&once, initialize);
  if (globalResult != CURLE_OK) return NULL;
  ct_connection *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  self->easy = curl_easy_init();
  if (self->easy == NULL) {
    ct_destroy(self);
    return NULL;
  }
  return self;
}

void ct_destroy(ct_connection *self) {
  if (self == NULL) return;
  if (self->easy != NULL) curl_easy_cleanup(self->easy);
  curl_slist_free_all(self->headers);
  free(self->body);
  free(self);
}

void ct_release_body(ct_connection *self) {
  free(self->body);
  self->body = NULL;
  self->bodyByteCount = 0;
  self->bodyCapacity = 0;
}

// Our own headers and the request's; false when memory is out.
static bool collectHeaders(ct_connection *self, const ct_request *request) {
  // "Expect:" keeps libcurl from waiting a second for permission to send a body.
  const char *own[] = {"Accept-Encoding: identity", "Expect:"};
  curl_slist_free_all(self->headers);
  self->headers = NULL;
  for (size_t i = 0; i < 2 + request->headerCount; i++) {
    const char *line = i < 2 ? own[i] : request->headers[i - 2];
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (longer == NULL) return false;
    self->headers = longer;
  }
  return true;
}

static const char *certificateFile(void) {
  const char *names[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
  for (size_t i = 0; i < 2; i++) {
    const char *path = getenv(names[i]);
    if (path != NULL && path[0] != 0) return path;
  }
  return NULL;
}

static CURLcode configure(ct_connection *self, const ct_request *request) {
  CURL *easy = self->easy;
  // Forgets the options of the last request; the connection stays open.
  curl_easy_reset(easy);
  CURLcode code = CURLE_OK;
#define SET(option, value)                                              \
  do {                                                                  \
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value); \
  } while (0)
  SET(CURLOPT_URL, request->url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_USERAGENT, "pol");
  SET(CURLOPT_HTTPHEADER, self->headers);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_CONNECTTIMEOUT_MS, request->connectTimeoutMilliseconds);
  SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
  SET(CURLOPT_LOW_SPEED_TIME, request->stallSeconds);
  SET(CURLOPT_TIMEOUT_MS, request->deadlineMilliseconds);
  SET(CURLOPT_ERRORBUFFER, self->error);
  SET(CURLOPT_WRITEFUNCTION, onBody);
  SET(CURLOPT_WRITEDATA, (void *)self);
  SET(CURLOPT_HEADERFUNCTION, onHeader);
  SET(CURLOPT_HEADERDATA, (void *)self);
  if (request->bypassProxy) SET(CURLOPT_NOPROXY, "*");
  const char *certificates = certificateFile();
  if (certificates != NULL) SET(CURLOPT_CAINFO, certificates);
  switch (request->method) {
  case ct_get:
    break;
  case ct_head:
    SET(CURLOPT_NOBODY, 1L);
    break;
  case ct_delete:
    SET(CURLOPT_CUSTOMREQUEST, "DELETE");
    break;
  case ct_post:
  case ct_put:
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->uploadByteCount);
    SET(CURLOPT_READFUNCTION, onUpload);
    SET(CURLOPT_READDATA, (void *)self);
    SET(CURLOPT_SEEKFUNCTION, onUploadSeek);
    SET(CURLOPT_SEEKDATA, (void *)self);
    if (request->method == ct_post) SET(CURLOPT_CUSTOMREQUEST, "POST");
    break;
  }
  if (request->range != NULL) SET(CURLOPT_RANGE, request->range);
#undef SET
  return code;
}

// A server that closes a TLS connection while we write raises SIGPIPE, which would end the process.
// libcurl leaves that to us because of CURLOPT_NOSIGNAL; blocking it in this thread alone does not
// touch the signal handling of the program.
static CURLcode performQuietly(CURL *easy) {
  sigset_t pipeSignal, before;
  sigemptyset(&pipeSignal);
  sigaddset(&pipeSignal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipeSignal, &before);
  CURLcode code = curl_easy_perform(easy);
  if (sigismember(&before, SIGPIPE) == 0) {
    struct timespec zero = {0, 0};
    while (sigtimedwait(&pipeSignal, NULL, &zero) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  return code;
}

static ct_outcome outcomeOf(const ct_connection *self, CURLcode code) {
  if (self->headerOverflow) return ct_header_overflow;
  if (self->overflow) return ct_overflow;
  if (self->outOfMemory) return ct_failed;
  switch (code) {
  case CURLE_OK:
    return ct_done;
  case CURLE_COULDNT_CONNECT:
  case CURLE_PARTIAL_FILE:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
    return ct_broken;
  case CURLE_OPERATION_TIMEDOUT:
    return ct_timeout;
  case CURLE_PEER_FAILED_VERIFICATION:
    return ct_untrusted;
  default:
    return ct_failed;
  }
}

ct_response ct_perform(ct_connection *self, const ct_request *request) {
  ct_release_body(self);
  forgetHeaders(self);
  self->error[0] = 0;
  self->headerByteCount = 0;
  self->headerOverflow = false;
  self->receivedByteCount = 0;
  self->partialLimit = request->partialLimit;
  self->wholeLimit = request->wholeLimit;
  self->overflow = false;
  self->request = request;
  self->uploadedByteCount = 0;
  self->outOfMemory = !collectHeaders(self, request);
  CURLcode code = self->outOfMemory ? CURLE_OUT_OF_MEMORY : configure(self, request);
  if (code == CURLE_OK) code = performQuietly(self->easy);

  self->request = NULL;

  curl_off_t announced = -1;
  ct_response response = {0};
  curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &response.status);
  curl_easy_getinfo(self->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  response.outcome = outcomeOf(self, code);
  response.message = self->outOfMemory        ? "memory is out"
                     : self->error[0] != 0 ? self->error
                                           : curl_easy_strerror(code);
  response.statusLine = self->statusLine;
  response.contentLength = announced;
  response.chunked = self->chunked;
  response.contentRange = self->contentRange;
  response.contentEncoding = self->contentEncoding;
  response.location = self->location;
  response.retryAfter = self->retryAfter;
  response.etag = self->etag;
  response.digest = self->digest;
  response.body = self->body;
  response.bodyByteCount = self->bodyByteCount;
  response.receivedByteCount = self->receivedByteCount;
  return response;
}
