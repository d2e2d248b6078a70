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

// An honest server sends less than 2 KiB of headers.
#define HEADER_LIMIT ((size_t)65536)
// An error page is read this far and dropped, so that the connection can be used again.
#define ERROR_PAGE_LIMIT ((size_t)65536)
#define TEXT_SIZE 256

struct ct_connection {
  CURL *easy;
  struct curl_slist *headers;
  char error[CURL_ERROR_SIZE];
  char statusLine[TEXT_SIZE];
  char contentRange[TEXT_SIZE];
  char contentEncoding[TEXT_SIZE];
  char location[TEXT_SIZE];
  char retryAfter[TEXT_SIZE];
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
             !keepIf("Location", self->location, line, length)) {
    keepIf("Retry-After", self->retryAfter, line, length);
  }
  return length;
}

ct_connection *ct_create(void) {
  pthread_once(&once, initialize);
  if (globalResult != CURLE_OK) return NULL;
  ct_connection *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  self->easy = curl_easy_init();
  self->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
  if (self->easy == NULL || self->headers == NULL) {
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
  if (request->head) SET(CURLOPT_NOBODY, 1L);
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
  self->outOfMemory = false;

  CURLcode code = configure(self, request);
  if (code == CURLE_OK) code = performQuietly(self->easy);

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
  response.body = self->body;
  response.bodyByteCount = self->bodyByteCount;
  response.receivedByteCount = self->receivedByteCount;
  return response;
}
