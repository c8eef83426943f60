#define _GNU_SOURCE
#include "COutpostSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int outpost_unlinked_file(const char *directory) {
    int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return descriptor;
    }
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/.unlinked-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0) {
        unlink(path);
    }
    return descriptor;
}

int outpost_become_user(const char *user, uid_t uid, gid_t gid) {
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        return -1;
    }
    // A way back would make the drop worthless: prove that there is none.
    if (uid != 0 && setuid(0) == 0) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int outpost_keep_memory_private(void) {
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    return setrlimit(RLIMIT_CORE, &none) != 0 ? -1 : prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int outpost_no_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int outpost_keep_capabilities(void) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int outpost_die_with_parent(int signal) {
    return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
}

int outpost_send_descriptor(int connection, int descriptor) {
    char octet = 0;
    struct iovec payload = {.iov_base = &octet, .iov_len = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {
        .msg_iov = &payload, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    return (int)sendmsg(connection, &message, MSG_NOSIGNAL);
}

ssize_t outpost_receive(int connection, void *buffer, size_t size, int *descriptor) {
    *descriptor = -1;
    struct iovec payload = {.iov_base = buffer, .iov_len = size};
    // Room for a few, so that a peer that sends several has the others closed here and not leaked.
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &payload, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t count = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    if (count < 0) {
        return count;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < received; index++) {
            int one;
            memcpy(&one, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
            if (*descriptor < 0) {
                *descriptor = one;
            } else {
                close(one);
            }
        }
    }
    return count;
}

int outpost_exit_status(int status, int *by_signal) {
    *by_signal = WIFSIGNALED(status);
    return *by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
}

int outpost_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

int outpost_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int outpost_peer(int connection, uid_t *user, gid_t *group) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return -1;
    }
    // What the kernel says of a socket that has no peer on the other side.
    if (peer.uid == (uid_t)-1) {
        errno = ENOTCONN;
        return -1;
    }
    *user = peer.uid;
    *group = peer.gid;
    return 0;
}

int outpost_peer_groups(int connection, gid_t *groups, int capacity) {
    socklen_t size = (socklen_t)((size_t)capacity * sizeof(gid_t));
    if (getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0 && errno != ERANGE) {
        return -1;
    }
    return (int)(size / sizeof(gid_t));
}

int outpost_bind_tcp(const unsigned char *octets, size_t count, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int is_v6 = count == sizeof v6.sin6_addr;
    if (!is_v6 && count != sizeof v4.sin_addr) {
        errno = EINVAL;
        return -1;
    }
    memcpy(is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr, octets, count);
    int descriptor = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    int on = 1;
    const struct sockaddr *address = is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (is_v6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(descriptor, address, is_v6 ? sizeof v6 : sizeof v4) != 0) {
        int code = errno;
        close(descriptor);
        errno = code;
        return -1;
    }
    return descriptor;
}

int32_t outpost_thread_id(void) {
    return (int32_t)syscall(SYS_gettid);
}

int outpost_thread_steps(int32_t thread) {
    return getpriority(PRIO_PROCESS, (id_t)thread);
}

void outpost_thread_gives_way(int32_t thread, int steps) {
    // On Linux this is a thread's own (setpriority(2), "C library/kernel differences").
    if (outpost_thread_steps(thread) < steps) {
        setpriority(PRIO_PROCESS, (id_t)thread, steps);
    }
}

void outpost_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}
