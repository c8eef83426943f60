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

/// prctl(PR_SET_DUMPABLE, 0) and PR_SET_NO_NEW_PRIVS; 0 or -1 with errno set.
int outpost_harden_process(void);

/// Ask the kernel to send `signal` to this process when its parent dies; 0 or -1 with errno set.
int outpost_die_with_parent(int signal);

#endif
