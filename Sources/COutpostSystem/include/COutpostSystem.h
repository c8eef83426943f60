// The few Linux calls that Glibc's module lacks or that are macros.
#ifndef COUTPOSTSYSTEM_H
#define COUTPOSTSYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A file without a name in `directory` (O_TMPFILE, or created and unlinked where the file system lacks it), mode 0600,
/// close-on-exec. Returns the descriptor, or -1 with errno set.
int outpost_unlinked_file(const char *directory);

/// setgroups to the user's groups, setgid, setuid, for good; 0 or -1 with errno set.
int outpost_become_user(const char *user, uid_t uid, gid_t gid);

/// RLIMIT_CORE 0 and PR_SET_DUMPABLE 0: memory full of mail must not land on a disk, nor be read by other processes of the user; 0
/// or -1 with errno set.
int outpost_keep_memory_private(void);

/// PR_SET_NO_NEW_PRIVS, for this thread and those that it starts; 0 or -1 with errno set.
int outpost_no_new_privileges(void);

/// Programs that are started from now on get none of this process's capabilities (PR_CAP_AMBIENT_CLEAR_ALL); 0 or -1 with
/// errno set.
int outpost_keep_capabilities(void);

/// Ask the kernel to send `signal` to this process when its parent dies; 0 or -1 with errno set.
int outpost_die_with_parent(int signal);

/// Sends one octet (0) with `descriptor` beside it over a Unix socket; the octets sent, or -1 with errno set.
int outpost_send_descriptor(int connection, int descriptor);

/// recvmsg: octets received (0 at the end), or -1 with errno set. `*descriptor` is one that came beside them, close-on-exec,
/// the caller's to close, or -1; more than one are closed.
ssize_t outpost_receive(int connection, void *buffer, size_t size, int *descriptor);

/// From now on this thread and those that it starts reach no file but those below `directory`, and those below the `count`
/// paths of `readable` to read; they bind and connect no TCP socket and signal no other process, as far as the kernel's Landlock
/// can tell. Returns the version of Landlock's interface, 0 where the kernel has none, or -1 with errno set.
int outpost_restrict_files(const char *directory, const char *const *readable, size_t count);

/// From now on this process makes only the system calls that scanning needs: no new socket, no other program, no other process
/// (seccomp(2)); others fail with EPERM. Returns 1, 0 where the kernel or the processor cannot, or -1 with errno set.
int outpost_filter_system_calls(void);

/// The exit code or the signal of a status from waitpid.
int outpost_exit_status(int status, int *by_signal);

/// A pipe, both ends close-on-exec; 0 or -1 with errno set.
int outpost_pipe(int ends[2]);

/// The next connection, non-blocking and close-on-exec, or -1 with errno set.
int outpost_accept(int listener);

/// User and main group of the process that opened the other end of a Unix socket (SO_PEERCRED); 0, or -1 with errno set.
int outpost_peer(int connection, uid_t *user, gid_t *group);

/// Its further groups (SO_PEERGROUPS): their number, of which `groups` has room for `capacity`; none are written if there are
/// more. -1 with errno set.
int outpost_peer_groups(int connection, gid_t *groups, int capacity);

/// A TCP socket bound to an IPv4 (4 octets) or IPv6 (16 octets) address, close-on-exec, not listening yet; "::" stands for
/// IPv6 alone. The descriptor, or -1 with errno set.
int outpost_bind_tcp(const unsigned char *octets, size_t count, uint16_t port);

/// The kernel's number of the calling thread.
int32_t outpost_thread_id(void);

/// The steps of nice(2) by which a thread gives way to others.
int outpost_thread_steps(int32_t thread);

/// Lowers a thread's claim to the processor by so many steps of nice(2), seen from an ordinary thread; one that has less is left
/// as it is, and so are all where the kernel does not permit it.
void outpost_thread_gives_way(int32_t thread, int steps);

/// Names the calling thread, for debuggers and `top`; at most 15 octets.
void outpost_name_thread(const char *name);

#endif
