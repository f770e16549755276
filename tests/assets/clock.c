/* Put before a program (LD_PRELOAD) it lets a test set that program's wall clock while it runs.
 *
 * CLOCK_FILE names a file that is mapped: a count, and as many pairs of real nanoseconds and of the
 * nanoseconds by which the wall clock is ahead from then on. What the kernel has stamped (ctime) is
 * told by the clock that was in force then, as it would be had the machine's own clock been set.
 * The monotonic clock is left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000, SETTINGS = 4096 };

struct settings {
  volatile int64_t count;
  struct { int64_t since, ahead; } of[SETTINGS];
};

static const struct settings *settings(void) {
  static const struct settings *mapped;
  if (mapped == NULL) {
    int file = open(getenv("CLOCK_FILE"), O_RDONLY | O_CLOEXEC);
    if (file < 0) abort();
    mapped = mmap(NULL, sizeof *mapped, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) abort();
    close(file);
  }
  return mapped;
}

static struct timespec set(struct timespec real) {
  const struct settings *made = settings();
  int64_t at = real.tv_sec * SECOND + real.tv_nsec, ahead = 0;
  for (int64_t n = 0; n < made->count && made->of[n].since <= at; n++) ahead = made->of[n].ahead;
  at += ahead;
  return (struct timespec){at / SECOND, at % SECOND};
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = REAL(clock_gettime)(clock, time);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *time = set(*time);
  return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *seconds) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  if (seconds) *seconds = now.tv_sec;
  return now.tv_sec;
}

#define STATS(kind, path_stat, link_stat, file_stat, at_stat)                                       \
  int path_stat(const char *restrict path, struct kind *restrict facts) {                           \
    return told(REAL(path_stat)(path, facts), &facts->st_ctim);                                     \
  }                                                                                                 \
  int link_stat(const char *restrict path, struct kind *restrict facts) {                           \
    return told(REAL(link_stat)(path, facts), &facts->st_ctim);                                     \
  }                                                                                                 \
  int file_stat(int file, struct kind *facts) {                                                     \
    return told(REAL(file_stat)(file, facts), &facts->st_ctim);                                     \
  }                                                                                                 \
  int at_stat(int from, const char *restrict path, struct kind *restrict facts, int flags) {        \
    return told(REAL(at_stat)(from, path, facts, flags), &facts->st_ctim);                          \
  }

static int told(int failed, struct timespec *changed) {
  if (!failed) *changed = set(*changed);
  return failed;
}

STATS(stat, stat, lstat, fstat, fstatat)
STATS(stat64, stat64, lstat64, fstat64, fstatat64)
