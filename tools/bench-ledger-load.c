// Load for `tools/bench ledger`: sends prepared HTTP requests over many connections, each as soon as the one
// before it on its connection was answered, and counts. One thread and one epoll: it shall take as little
// as it can of the machine that it measures.
//
//   bench-ledger-load http PORT CONNECTIONS WARM_UP SECONDS REQUESTS
//       REQUESTS holds, for each request, its byte count (4 bytes, little-endian) and its bytes. Counted is what is
//       answered in SECONDS after WARM_UP seconds. Ends early when all are sent.
//   bench-ledger-load disk FILE SECONDS
//       Appends 1 KiB and calls fdatasync, over and over.
//
// Prints one JSON object.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_LIMIT = 8 << 20, SAMPLES = 1 << 22 };

static void fail(const char *what) {
  fprintf(stderr, "bench-ledger-load: error: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double processor_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

struct connection {
  int socket;
  double sent;
  char *answer;
  size_t filled, room;
};

static const uint8_t *requests, *requests_end;
static uint32_t samples[SAMPLES];
static size_t sample_count, refused;

static int send_next(struct connection *c) {
  if (requests_end - requests < 4) return 0;
  uint32_t count;
  memcpy(&count, requests, 4);
  requests += 4;
  if ((size_t)(requests_end - requests) < count) return 0;
  c->sent = now();
  c->filled = 0;
  for (uint32_t done = 0; done < count;) {
    ssize_t got = send(c->socket, requests + done, count - done, MSG_NOSIGNAL);
    if (got < 0) fail("send");
    done += got;
  }
  requests += count;
  return 1;
}

// 1 when the whole answer is there.
static int receive(struct connection *c, int *status) {
  if (c->room - c->filled < 4096) {
    if (c->room >= ANSWER_LIMIT) fail("an answer is too long");
    c->room *= 2;
    if (!(c->answer = realloc(c->answer, c->room + 1))) fail("memory");
  }
  ssize_t got = recv(c->socket, c->answer + c->filled, c->room - c->filled, 0);
  if (got <= 0) fail("a connection ended");
  c->filled += got;
  c->answer[c->filled] = 0;
  char *body = strstr(c->answer, "\r\n\r\n");
  if (!body) return 0;
  char *length = strcasestr(c->answer, "content-length:");
  if (!length || length > body) fail("an answer says no length");
  if (c->filled < (size_t)(body + 4 - c->answer) + strtoul(length + 15, NULL, 10)) return 0;
  *status = atoi(c->answer + 9);
  return 1;
}

static int by_value(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static double quantile(double share) {
  if (!sample_count) return 0;
  size_t place = share * sample_count;
  return samples[place < sample_count ? place : sample_count - 1] * 1e-6;
}

static void http(int port, int count, double warm_up, double seconds, const char *path) {
  int file = open(path, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status)) fail(path);
  requests = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  if (requests == MAP_FAILED) fail(path);
  requests_end = requests + status.st_size;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct connection *all = calloc(count, sizeof *all);
  int poll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    all[i].socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].socket, (struct sockaddr *)&address, sizeof address)) fail("connect");
    int one = 1;
    setsockopt(all[i].socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    all[i].answer = malloc((all[i].room = 8192) + 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event);
  }
  int open_count = 0;
  double start = now(), begin = start + warm_up, end = begin + seconds, last = begin;
  for (int i = 0; i < count; i++) open_count += send_next(&all[i]);
  size_t answered = 0;
  double busy = -1;
  while (open_count > 0) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, 30000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) fail("no answer for 30 s");
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      int code;
      if (!receive(c, &code)) continue;
      double time = now();
      if (busy < 0 && time >= begin) busy = processor_seconds();
      if (time >= begin && time < end) {
        if (code == 200) {
          answered++;
          last = time;
          if (sample_count < SAMPLES) samples[sample_count++] = (time - c->sent) * 1e6;
        } else {
          refused++;
        }
      }
      if (time >= end || !send_next(c)) open_count--;
    }
  }
  double spent = now() < end ? last - begin : seconds;
  qsort(samples, sample_count, sizeof *samples, by_value);
  printf("{\"answered\": %zu, \"refused\": %zu, \"seconds\": %.6f, \"p50\": %.6f, \"p99\": %.6f, "
         "\"max\": %.6f, \"load_processor_seconds\": %.3f}\n",
         answered, refused, spent, quantile(0.5), quantile(0.99), quantile(1),
         busy < 0 ? 0 : processor_seconds() - busy);
}

static void disk(const char *path, double seconds) {
  static char bytes[1024];
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) fail(path);
  double start = now(), time = start;
  size_t count = 0;
  while (time < start + seconds) {
    memset(bytes, (int)count, sizeof bytes);
    if (write(file, bytes, sizeof bytes) != sizeof bytes || fdatasync(file)) fail(path);
    count++;
    time = now();
  }
  unlink(path);
  printf("{\"per_second\": %.1f}\n", count / (time - start));
}

int main(int count, char **words) {
  if (count == 7 && !strcmp(words[1], "http")) {
    http(atoi(words[2]), atoi(words[3]), atof(words[4]), atof(words[5]), words[6]);
  } else if (count == 4 && !strcmp(words[1], "disk")) {
    disk(words[2], atof(words[3]));
  } else {
    fprintf(stderr, "usage: bench-ledger-load http PORT CONNECTIONS WARM_UP SECONDS REQUESTS\n"
                    "       bench-ledger-load disk FILE SECONDS\n");
    return 64;
  }
}
