#define _GNU_SOURCE
#include "COutpostTerminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const int ending_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
#define ENDING_SIGNALS (sizeof ending_signals / sizeof ending_signals[0])

static volatile sig_atomic_t entered;
static int terminal_input = -1;
static int terminal_output = -1;
static int resize_pipe[2] = {-1, -1};
static struct termios saved_settings;
static struct sigaction saved_actions[ENDING_SIGNALS];
static struct sigaction saved_resize_action;

// Alternate screen, cursor hidden, no wrapping at the right edge; and the way back.
static const char enter_sequence[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave_sequence[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static void write_all(const char *text, size_t length) {
    while (length > 0) {
        ssize_t done = write(terminal_output, text, length);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return;
        }
        text += done;
        length -= (size_t)done;
    }
}

// Only async-signal-safe calls: this runs in handlers.
static void restore(void) {
    if (!entered) {
        return;
    }
    entered = 0;
    write_all(leave_sequence, sizeof leave_sequence - 1);
    // The call waits for output to drain, and a signal may end that wait before anything is set.
    while (tcsetattr(terminal_input, TCSAFLUSH, &saved_settings) != 0 && errno == EINTR) {
    }
}

static void on_ending(int number) {
    int code = errno;
    restore();
    for (size_t index = 0; index < ENDING_SIGNALS; index++) {
        if (ending_signals[index] == number) {
            sigaction(number, &saved_actions[index], NULL);
        }
    }
    // Delivered with the earlier action as soon as this handler returns.
    raise(number);
    errno = code;
}

static void on_resize(int number) {
    (void)number;
    int code = errno;
    ssize_t ignored = write(resize_pipe[1], "", 1);
    (void)ignored;
    errno = code;
}

// Whoever started us may have handed down a mask that blocks these signals; one thread that lets them in is enough.
static void admit_signals(void) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGWINCH);
    for (size_t index = 0; index < ENDING_SIGNALS; index++) {
        sigaddset(&wanted, ending_signals[index]);
    }
    pthread_sigmask(SIG_UNBLOCK, &wanted, NULL);
}

static int make_raw(void) {
    struct termios raw = saved_settings;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    return tcsetattr(terminal_input, TCSAFLUSH, &raw);
}

int outpost_terminal_enter(int input, int output) {
    if (entered) {
        return 0;
    }
    if (!isatty(output) || tcgetattr(input, &saved_settings) != 0) {
        return -1;
    }
    if (resize_pipe[0] < 0 && pipe2(resize_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    terminal_input = input;
    terminal_output = output;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_ending;
    for (size_t index = 0; index < ENDING_SIGNALS; index++) {
        sigaction(ending_signals[index], &action, &saved_actions[index]);
    }
    action.sa_handler = on_resize;
    action.sa_flags = SA_RESTART;
    sigaction(SIGWINCH, &action, &saved_resize_action);
    entered = 1;
    if (make_raw() != 0) {
        int code = errno;
        outpost_terminal_leave();
        errno = code;
        return -1;
    }
    write_all(enter_sequence, sizeof enter_sequence - 1);
    return 0;
}

void outpost_terminal_leave(void) {
    if (!entered) {
        return;
    }
    restore();
    for (size_t index = 0; index < ENDING_SIGNALS; index++) {
        sigaction(ending_signals[index], &saved_actions[index], NULL);
    }
    sigaction(SIGWINCH, &saved_resize_action, NULL);
}

int outpost_terminal_suspend(void) {
    outpost_terminal_leave();
    raise(SIGTSTP);
    return outpost_terminal_enter(terminal_input, terminal_output);
}

int outpost_terminal_size(int output, int *rows, int *columns) {
    struct winsize size;
    if (ioctl(output, TIOCGWINSZ, &size) != 0) {
        return -1;
    }
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}

int outpost_terminal_wait(int milliseconds) {
    // Here, because this thread lives as long as the terminal is in use.
    admit_signals();
    struct pollfd watched[2] = {
        {.fd = terminal_input, .events = POLLIN},
        {.fd = resize_pipe[0], .events = POLLIN},
    };
    int count = poll(watched, 2, milliseconds);
    if (count < 0) {
        return errno == EINTR ? 0 : -1;
    }
    int result = 0;
    // A terminal that is gone is readable, too: for ever, and without an octet.
    if (watched[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        result |= OUTPOST_TERMINAL_CLOSED;
    } else if (watched[0].revents & POLLIN) {
        result |= OUTPOST_TERMINAL_INPUT;
    }
    if (watched[1].revents != 0) {
        char drained[64];
        while (read(resize_pipe[0], drained, sizeof drained) > 0) {
        }
        result |= OUTPOST_TERMINAL_RESIZED;
    }
    return result;
}
