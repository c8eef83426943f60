#define _GNU_SOURCE
#include "COutpostSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than the headers of the oldest system that this is built on: landlock(7), ABI 2 to 6.
#define FILES_REFER (1ULL << 13)
#define FILES_TRUNCATE (1ULL << 14)
#define FILES_DEVICE_CONTROL (1ULL << 15)
#define NET_BIND_AND_CONNECT ((1ULL << 0) | (1ULL << 1))
#define SCOPE_SOCKETS_AND_SIGNALS ((1ULL << 0) | (1ULL << 1))

struct ruleset {
    uint64_t files;
    uint64_t net;
    uint64_t scopes;
};

static int allow_below(int ruleset, const char *path, uint64_t rights) {
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    struct stat facts;
    if (fstat(descriptor, &facts) == 0 && !S_ISDIR(facts.st_mode)) {
        rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    }
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = descriptor};
    int result = (int)syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int code = errno;
    close(descriptor);
    errno = code;
    return result;
}

int outpost_restrict_files(const char *directory, const char *const *readable, size_t count) {
    int abi = (int)syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi <= 0) {
        // Not in this kernel, or switched off.
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
    }
    uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    struct ruleset rights = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    rights.files |= abi >= 2 ? FILES_REFER : 0;
    rights.files |= abi >= 3 ? FILES_TRUNCATE : 0;
    rights.files |= abi >= 5 ? FILES_DEVICE_CONTROL : 0;
    rights.net = abi >= 4 ? NET_BIND_AND_CONNECT : 0;
    rights.scopes = abi >= 6 ? SCOPE_SOCKETS_AND_SIGNALS : 0;
    // Each kernel knows the structure as long as its own ABI.
    size_t size = abi >= 6 ? sizeof rights : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int ruleset = (int)syscall(__NR_landlock_create_ruleset, &rights, size, 0);
    if (ruleset < 0) {
        return -1;
    }
    uint64_t own = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                   LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | (rights.files & (FILES_REFER | FILES_TRUNCATE));
    int result = allow_below(ruleset, directory, own);
    for (size_t index = 0; index < count && result == 0; index++) {
        // What this system does not have needs no permission.
        result = allow_below(ruleset, readable[index], reading) == 0 || errno == ENOENT ? 0 : -1;
    }
    if (result == 0) {
        result = (int)syscall(__NR_landlock_restrict_self, ruleset, 0);
    }
    int code = errno;
    close(ruleset);
    errno = code;
    if (result != 0) {
        return -1;
    }
    // A restriction that is only claimed would be worse than none.
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0) {
        close(root);
        errno = EPERM;
        return -1;
    }
    return abi;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define DENY(code) ANSWER(SECCOMP_RET_ERRNO | (code))
#define PASS(call)                                                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), ANSWER(SECCOMP_RET_ALLOW)

// An argument's low half comes first on both architectures, which are little-endian.
#define ARGUMENT(index) LOAD(args[index])

// PASS takes two instructions, so that no jump becomes longer than 255.
static struct sock_filter filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    // The connection: it is accepted, never made.
    PASS(__NR_accept4), PASS(__NR_recvmsg), PASS(__NR_recvfrom), PASS(__NR_sendmsg), PASS(__NR_sendto), PASS(__NR_shutdown),
    PASS(__NR_getsockopt), PASS(__NR_setsockopt), PASS(__NR_ppoll),
    // Files, which Landlock keeps to their places.
    PASS(__NR_read), PASS(__NR_readv), PASS(__NR_pread64), PASS(__NR_write), PASS(__NR_writev), PASS(__NR_pwrite64),
    PASS(__NR_openat), PASS(__NR_close), PASS(__NR_close_range), PASS(__NR_lseek), PASS(__NR_fstat), PASS(__NR_newfstatat),
    PASS(__NR_statx), PASS(__NR_statfs), PASS(__NR_fstatfs), PASS(__NR_faccessat), PASS(__NR_faccessat2), PASS(__NR_readlinkat),
    PASS(__NR_getdents64), PASS(__NR_getcwd), PASS(__NR_mkdirat), PASS(__NR_unlinkat), PASS(__NR_renameat), PASS(__NR_renameat2),
    PASS(__NR_ftruncate), PASS(__NR_fallocate), PASS(__NR_fadvise64), PASS(__NR_fchmod), PASS(__NR_umask), PASS(__NR_fcntl),
    PASS(__NR_dup), PASS(__NR_dup3), PASS(__NR_memfd_create), PASS(__NR_utimensat),
    // Memory.
    PASS(__NR_mmap), PASS(__NR_munmap), PASS(__NR_mremap), PASS(__NR_mprotect), PASS(__NR_madvise), PASS(__NR_brk),
    PASS(__NR_membarrier),
    // Threads and signals.
    PASS(__NR_futex), PASS(__NR_sched_yield), PASS(__NR_sched_getaffinity), PASS(__NR_set_robust_list), PASS(__NR_rseq),
    PASS(__NR_rt_sigaction), PASS(__NR_rt_sigprocmask), PASS(__NR_rt_sigreturn), PASS(__NR_sigaltstack), PASS(__NR_restart_syscall),
    PASS(__NR_gettid), PASS(__NR_getpid), PASS(__NR_tgkill), PASS(__NR_exit), PASS(__NR_exit_group),
    // Giving way to others; more than its share needs a capability.
    PASS(__NR_getpriority), PASS(__NR_setpriority),
    // Time and facts about the process and the host.
    PASS(__NR_clock_gettime), PASS(__NR_clock_getres), PASS(__NR_clock_nanosleep), PASS(__NR_nanosleep), PASS(__NR_gettimeofday),
    PASS(__NR_getrandom), PASS(__NR_getuid), PASS(__NR_geteuid), PASS(__NR_getgid), PASS(__NR_getegid), PASS(__NR_uname),
    PASS(__NR_sysinfo), PASS(__NR_getrusage), PASS(__NR_times),
#if defined(__x86_64__)
    PASS(__NR_open), PASS(__NR_stat), PASS(__NR_lstat), PASS(__NR_access), PASS(__NR_readlink), PASS(__NR_mkdir), PASS(__NR_rmdir),
    PASS(__NR_unlink), PASS(__NR_rename), PASS(__NR_poll), PASS(__NR_dup2), PASS(__NR_time), PASS(__NR_getdents), PASS(__NR_chmod),
    PASS(__NR_arch_prctl),
#endif
    // clone3 hides its flags in memory: the C library then takes clone.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1),
    DENY(ENOSYS),
    // A thread, never a process.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    DENY(EPERM),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 4),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    DENY(EPERM),
    // No end of a file size or of processor time is a way out; reading limits is harmless, setting them is not needed.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prlimit64, 0, 4),
    ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    DENY(EPERM),
    DENY(EPERM),
};

int outpost_filter_system_calls(void) {
    if (ARCHITECTURE == 0) {
        return 0;
    }
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0) {
        int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connection < 0) {
            return 1;
        }
        close(connection);
        errno = EPERM;
        return -1;
    }
    return errno == ENOSYS || errno == EINVAL ? 0 : -1;
}
