/* Faults at the calls into the kernel of an unmodified program: loaded with LD_PRELOAD, steered through a file that the harness
 * maps as well. The n-th call of a kind, at a place, is answered with an error, or the process is killed (SIGKILL) before it, after
 * it, or when half of its octets are written. What was called can be recorded for the check of the order of synchronizations.
 *
 *   FAULTS_CONTROL  the control file (struct control; control.py has the same layout)
 *   FAULTS_TRACE    a file that records are added to; without it nothing is recorded
 *   FAULTS_DATA     the data directory: only files below it have a place
 *
 * Calls go on by syscall(2), so nothing here depends on the order in which libraries are loaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { NONE, OPEN, WRITE, SYNC, RENAME, UNLINK, TRUNCATE, SEND, RECEIVE, ACCEPT, CONNECT, MAP, MALLOC, READ, MKDIR, CLOSE, KINDS };

enum place { OTHER, MESSAGE, WAL, DATABASE, DIRECTORY, CLIENT, DOWNSTREAM, CONTENT, SCANNER, INDEX, RELAXED, PLACES };

enum action { KILL_BEFORE = 1, KILL_AFTER, KILL_HALFWAY, FAIL };

struct control {
    _Atomic uint32_t kind, place, action;
    _Atomic int32_t error;
    /* Matching calls until the fault; the fault is at the one that makes it 0. */
    _Atomic int64_t countdown;
    /* Calls after that one that fail, too; -1: all until the fault is taken back. */
    _Atomic int64_t repeat;
    /* Whether only calls after the first accepted connection count. */
    _Atomic uint32_t waits_for_client, has_client;
    _Atomic int64_t fired, fired_at;
    /* Added to the wall clock, nanoseconds. */
    _Atomic int64_t clock_offset;
    _Atomic uint64_t counts[KINDS][PLACES];
};

/* A record of the trace; path and data follow. */
struct record {
    uint32_t size;
    uint8_t kind, place;
    uint16_t path_size;
    int32_t fd, thread;
    int64_t begun, ended, result, offset;
};

#define FILES 65536
static struct control *control;
static int trace = -1;
static char data[1024];
static size_t data_size;
static _Atomic uint8_t places[FILES];

static int64_t now(void) {
    struct timespec time;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void *map(const char *path) {
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    void *address = (void *)syscall(SYS_mmap, NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    return address == MAP_FAILED ? NULL : address;
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULTS_DATA");
    if (path != NULL && strlen(path) < sizeof data) {
        strcpy(data, path);
        data_size = strlen(data);
    }
    if ((path = getenv("FAULTS_TRACE")) != NULL) {
        trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if ((path = getenv("FAULTS_CONTROL")) != NULL) {
        control = map(path);
    }
}

static int ends(const char *path, const char *end) {
    size_t size = strlen(path), wanted = strlen(end);
    return size >= wanted && memcmp(path + size - wanted, end, wanted) == 0;
}

/* What a file of the data directory is for. */
static enum place place_of(const char *path, int flags) {
    if (data_size == 0 || strncmp(path, data, data_size) != 0) {
        return OTHER;
    }
    const char *rest = path + data_size;
    if (strstr(rest, ".sqlite") != NULL) {
        int is_durable = strstr(rest, "spool.sqlite") || strstr(rest, "quarantine.sqlite") || strstr(rest, "ledger");
        if (ends(rest, "-shm")) {
            return INDEX;
        }
        return !is_durable ? RELAXED : ends(rest, "-wal") ? WAL : DATABASE;
    }
    if ((flags & O_TMPFILE) == O_TMPFILE || strncmp(rest, "/tmp", 4) == 0) {
        return CONTENT;
    }
    if (strstr(rest, "/messages/") != NULL || strstr(rest, "/temporary/") != NULL) {
        return MESSAGE;
    }
    return flags & O_DIRECTORY ? DIRECTORY : OTHER;
}

static enum place place_at(int fd) { return fd >= 0 && fd < FILES ? places[fd] : OTHER; }

static int is_socket(enum place place) { return place == CLIENT || place == DOWNSTREAM || place == SCANNER; }

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) {
        syscall(SYS_sched_yield);
    }
}

/* What is to happen at this call: 0 nothing, or an action. */
static int fault(enum kind kind, enum place place) {
    if (control == NULL) {
        return 0;
    }
    if (control->waits_for_client && !control->has_client) {
        return 0;
    }
    atomic_fetch_add_explicit(&control->counts[kind][place], 1, memory_order_relaxed);
    if (control->kind != kind || control->place != place) {
        return 0;
    }
    int action = control->action;
    int64_t left = atomic_fetch_sub(&control->countdown, 1) - 1;
    if (left > 0 || action == 0) {
        return 0;
    }
    if (left < 0 && (action != FAIL || (control->repeat >= 0 && -left > control->repeat))) {
        return 0;
    }
    if (atomic_fetch_add(&control->fired, 1) == 0) {
        control->fired_at = now();
    }
    if (action == KILL_BEFORE) {
        die();
    }
    if (action == FAIL) {
        errno = control->error;
    }
    return action;
}

static void record(enum kind kind, enum place place, int fd, int64_t begun, int64_t result, int64_t offset, const char *path,
                   const struct iovec *pieces, int count, size_t limit) {
    if (trace < 0) {
        return;
    }
    int saved = errno;
    struct record head = {.kind = kind, .place = place, .fd = fd, .begun = begun, .result = result, .offset = offset};
    struct iovec all[34];
    int used = 2;
    size_t left = limit;
    head.path_size = path == NULL ? 0 : strlen(path);
    head.thread = syscall(SYS_gettid);
    head.size = sizeof head + head.path_size;
    all[0] = (struct iovec){&head, sizeof head};
    all[1] = (struct iovec){(void *)path, head.path_size};
    for (int index = 0; index < count && used < 34 && left > 0; index++) {
        size_t size = pieces[index].iov_len < left ? pieces[index].iov_len : left;
        all[used++] = (struct iovec){pieces[index].iov_base, size};
        head.size += size;
        left -= size;
    }
    head.ended = now();
    syscall(SYS_writev, trace, all, used);
    errno = saved;
}

/* The body of a call without octets: fault before, the call itself, record, fault after. */
#define CALL(kind, place, fd, path, failure, call)                                                                                   \
    do {                                                                                                                             \
        int64_t begun_ = trace < 0 ? 0 : now();                                                                                      \
        int action_ = fault(kind, place);                                                                                            \
        if (action_ == FAIL) {                                                                                                       \
            return failure;                                                                                                          \
        }                                                                                                                            \
        result = call;                                                                                                               \
        record(kind, place, fd, begun_, result, 0, path, NULL, 0, 0);                                                                \
        if (action_ != 0) {                                                                                                          \
            die();                                                                                                                   \
        }                                                                                                                            \
    } while (0)

/* Files */

static int open_file(int directory, const char *path, int flags, mode_t mode) {
    enum place place = place_of(path, flags);
    int64_t begun = trace < 0 ? 0 : now();
    int action = fault(OPEN, place);
    if (action == FAIL) {
        return -1;
    }
    int fd = syscall(SYS_openat, directory, path, flags, mode);
    struct stat status;
    if (fd >= 0 && place == OTHER && data_size > 0 && strncmp(path, data, data_size) == 0 && fstat(fd, &status) == 0 &&
        S_ISDIR(status.st_mode)) {
        place = DIRECTORY; /* SQLite opens them without O_DIRECTORY. */
    }
    if (fd >= 0 && fd < FILES) {
        places[fd] = place;
    }
    if (place != OTHER) {
        record(OPEN, place, fd, begun, fd, flags, path, NULL, 0, 0);
    }
    if (action != 0) {
        die();
    }
    return fd;
}

#define MODE(flags)                                                                                                                  \
    mode_t mode = 0;                                                                                                                 \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                                         \
        va_list arguments;                                                                                                           \
        va_start(arguments, flags);                                                                                                  \
        mode = va_arg(arguments, mode_t);                                                                                            \
        va_end(arguments);                                                                                                           \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return open_file(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return open_file(directory, path, flags, mode);
}

int close(int fd) {
    enum place place = place_at(fd);
    if (fd >= 0 && fd < FILES) {
        places[fd] = OTHER;
    }
    if (place != OTHER) {
        record(CLOSE, place, fd, trace < 0 ? 0 : now(), 0, 0, NULL, NULL, 0, 0);
    }
    return syscall(SYS_close, fd);
}

/* The offset is -1 for write and writev. */
static ssize_t put(int fd, const struct iovec *pieces, int count, off_t offset) {
    enum place place = place_at(fd);
    enum kind kind = is_socket(place) ? SEND : WRITE;
    if (place == OTHER) {
        return offset < 0 ? syscall(SYS_writev, fd, pieces, count) : syscall(SYS_pwritev, fd, pieces, count, offset, 0);
    }
    int64_t begun = trace < 0 ? 0 : now();
    int action = fault(kind, place);
    if (action == FAIL) {
        return -1;
    }
    if (action == KILL_HALFWAY) {
        size_t half = 0;
        for (int index = 0; index < count; index++) {
            half += pieces[index].iov_len;
        }
        half /= 2;
        for (int index = 0; index < count && half > 0; index++) {
            size_t size = pieces[index].iov_len < half ? pieces[index].iov_len : half;
            ssize_t done = offset < 0 ? syscall(SYS_write, fd, pieces[index].iov_base, size)
                                      : syscall(SYS_pwrite64, fd, pieces[index].iov_base, size, offset);
            if (done <= 0) {
                break;
            }
            half -= done;
            offset += offset < 0 ? 0 : done;
        }
        die();
    }
    if (kind == SEND) {
        /* Noted before: what is said counts from the moment at which it may be heard. */
        record(kind, place, fd, begun, 0, offset, NULL, pieces, count, 512);
    }
    ssize_t done = offset < 0 ? syscall(SYS_writev, fd, pieces, count) : syscall(SYS_pwritev, fd, pieces, count, offset, 0);
    if (kind == WRITE && place != RELAXED && place != INDEX && place != CONTENT) {
        record(kind, place, fd, begun, done, offset, NULL, pieces, count, done > 0 ? done : 0);
    }
    if (action != 0) {
        die();
    }
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    struct iovec piece = {(void *)bytes, count};
    return place_at(fd) == OTHER ? syscall(SYS_write, fd, bytes, count) : put(fd, &piece, 1, -1);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) { return put(fd, pieces, count, -1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    struct iovec piece = {(void *)bytes, count};
    return put(fd, &piece, 1, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    struct iovec piece = {(void *)bytes, count};
    return is_socket(place_at(fd)) ? put(fd, &piece, 1, -1) : syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t result;
    CALL(SEND, place_at(fd), fd, NULL, -1, syscall(SYS_sendmsg, fd, message, flags));
    return result;
}

static ssize_t get(int fd, void *bytes, size_t count, off_t offset) {
    enum place place = place_at(fd);
    enum kind kind = is_socket(place) ? RECEIVE : READ;
    int64_t begun = trace < 0 ? 0 : now();
    int action = place == OTHER ? 0 : fault(kind, place);
    if (action == FAIL) {
        return -1;
    }
    ssize_t done = offset < 0 ? syscall(SYS_read, fd, bytes, count) : syscall(SYS_pread64, fd, bytes, count, offset);
    if (kind == RECEIVE && done > 0) {
        struct iovec piece = {bytes, done};
        record(kind, place, fd, begun, done, offset, NULL, &piece, 1, 512);
    }
    if (action != 0) {
        die();
    }
    return done;
}

ssize_t read(int fd, void *bytes, size_t count) { return get(fd, bytes, count, -1); }
ssize_t pread(int fd, void *bytes, size_t count, off_t offset) { return get(fd, bytes, count, offset); }
ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) { return get(fd, bytes, count, offset); }
ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    return flags == 0 ? get(fd, bytes, count, -1) : syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);
}

int fsync(int fd) {
    int result;
    CALL(SYNC, place_at(fd), fd, NULL, -1, syscall(SYS_fsync, fd));
    return result;
}
int fdatasync(int fd) {
    int result;
    CALL(SYNC, place_at(fd), fd, NULL, -1, syscall(SYS_fdatasync, fd));
    return result;
}
int ftruncate64(int fd, off64_t size) {
    enum place place = place_at(fd);
    int64_t begun = trace < 0 ? 0 : now();
    int action = fault(TRUNCATE, place);
    if (action == FAIL) {
        return -1;
    }
    int result = syscall(SYS_ftruncate, fd, size);
    record(TRUNCATE, place, fd, begun, result, size, NULL, NULL, 0, 0);
    if (action != 0) {
        die();
    }
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *old, const char *new) {
    char both[2048];
    int result;
    snprintf(both, sizeof both, "%s\n%s", old, new);
    CALL(RENAME, place_of(new, 0), -1, both, -1, syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0));
    return result;
}
int unlink(const char *path) {
    int result;
    CALL(UNLINK, place_of(path, 0), -1, path, -1, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
    return result;
}
int mkdir(const char *path, mode_t mode) {
    int result;
    CALL(MKDIR, place_of(path, O_DIRECTORY), -1, path, -1, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
    return result;
}

/* Sockets */

static int accepted(int listener, struct sockaddr *address, socklen_t *size, int flags) {
    int action = fault(ACCEPT, CLIENT);
    if (action == FAIL) {
        return -1;
    }
    int fd = syscall(SYS_accept4, listener, address, size, flags);
    if (fd >= 0 && fd < FILES) {
        places[fd] = CLIENT;
        if (control != NULL) {
            control->has_client = 1;
        }
        record(ACCEPT, CLIENT, fd, trace < 0 ? 0 : now(), fd, 0, NULL, NULL, 0, 0);
    }
    if (action != 0) {
        die();
    }
    return fd;
}
int accept(int listener, struct sockaddr *address, socklen_t *size) { return accepted(listener, address, size, 0); }
int accept4(int listener, struct sockaddr *address, socklen_t *size, int flags) { return accepted(listener, address, size, flags); }

int connect(int fd, const struct sockaddr *address, socklen_t size) {
    int family = address->sa_family;
    enum place place = family == AF_UNIX ? SCANNER : family == AF_INET || family == AF_INET6 ? DOWNSTREAM : OTHER;
    int result;
    if (place != OTHER && fd >= 0 && fd < FILES) {
        places[fd] = place;
    }
    CALL(CONNECT, place, fd, NULL, -1, syscall(SYS_connect, fd, address, size));
    return result;
}

/* Memory */

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) {
    int action = fault(MAP, place_at(fd));
    if (action == FAIL) {
        return MAP_FAILED;
    }
    void *result = (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
    if (action != 0) {
        die();
    }
    return result;
}
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap64(address, size, protection, flags, fd, offset);
}

extern void *__libc_malloc(size_t);
void *malloc(size_t size) {
    if (control != NULL && control->kind == MALLOC && fault(MALLOC, OTHER) == FAIL) {
        return NULL;
    }
    return __libc_malloc(size);
}

/* The wall clock; time that passes is left alone. */

static int64_t offset(void) { return control == NULL ? 0 : control->clock_offset; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = real(clock, time);
    int64_t added = offset();
    if (result == 0 && added != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t all = time->tv_sec * 1000000000LL + time->tv_nsec + added;
        time->tv_sec = all / 1000000000LL;
        time->tv_nsec = all % 1000000000LL;
    }
    return result;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return result;
}
time_t time(time_t *time) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (time != NULL) {
        *time = precise.tv_sec;
    }
    return precise.tv_sec;
}
