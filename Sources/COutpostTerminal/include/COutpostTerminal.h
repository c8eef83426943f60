// The terminal of a full-screen program: raw mode, the alternate screen, and a way back out of both whatever happens.
// In C because the way back runs inside signal handlers. One terminal for each process.
#ifndef COUTPOSTTERMINAL_H
#define COUTPOSTTERMINAL_H

#define OUTPOST_TERMINAL_INPUT 1
#define OUTPOST_TERMINAL_RESIZED 2
#define OUTPOST_TERMINAL_CLOSED 4

/// Saves the terminal's settings, makes it raw, shows the alternate screen and hides the cursor. Until
/// `outpost_terminal_leave`, SIGTERM, SIGHUP, SIGINT, SIGQUIT and the signals of a crash put the terminal back before
/// they do what they do. Returns 0, or -1 with errno set (ENOTTY: no terminal).
int outpost_terminal_enter(int input, int output);

/// Puts everything back; harmless when nothing was entered.
void outpost_terminal_leave(void);

/// Leaves, stops the process as Ctrl-Z does, and enters again when it is continued; 0 or -1 with errno set.
int outpost_terminal_suspend(void);

/// Rows and columns of the terminal behind a descriptor; 0 or -1 with errno set.
int outpost_terminal_size(int output, int *rows, int *columns);

/// Waits for input or a new size for `milliseconds` at most (-1: for ever); a set of OUTPOST_TERMINAL_*, 0 at the time-out,
/// -1 with errno set.
int outpost_terminal_wait(int milliseconds);

#endif
