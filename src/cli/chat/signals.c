#include "cli/chat/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define RESET_STYLE "\033[0m"

static atomic_bool interrupted, resized, continued;
static struct termios found; // the terminal's modes before us
static bool have_terminal;
static int screen_fd;
static int caught[2] = {-1, -1}; // a pipe: a signal is a byte, which no wait can miss

static void write_all(const char *text) {
    ssize_t done = write(screen_fd, text, strlen(text));
    (void)done; // nothing can be done about it here
}

static void give_back(void) {
    if (!have_terminal) return;
    write_all(RESET_STYLE PASTE_OFF);
    tcsetattr(STDIN_FILENO, TCSANOW, &found);
}

static void leave_byte(void) {
    int saved = errno;
    ssize_t done = write(caught[1], "", 1);
    (void)done; // full: then a wait ends anyway
    errno = saved;
}

static void on_interrupt(int number) {
    (void)number;
    atomic_store(&interrupted, true);
    leave_byte();
}

static void on_resize(int number) {
    (void)number;
    atomic_store(&resized, true);
    leave_byte();
}

/* SIGTERM, SIGHUP, SIGQUIT: default action, on a terminal that works. */
static void on_end(int number) {
    give_back();
    signal(number, SIG_DFL);
    raise(number);
}

static void set_handler(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void on_stop(int number) {
    int saved = errno;
    struct termios now;
    bool known = have_terminal && tcgetattr(STDIN_FILENO, &now) == 0;
    give_back();
    set_handler(SIGTSTP, SIG_DFL, 0);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &stop, NULL); // here the program stands still
    set_handler(SIGTSTP, on_stop, 0);
    if (known) {
        tcsetattr(STDIN_FILENO, TCSANOW, &now);
        write_all(PASTE_ON);
    }
    atomic_store(&continued, true);
    leave_byte();
    errno = saved;
}

enum jl_status signals_install(int screen, struct jl_error *err) {
    screen_fd = screen;
    have_terminal = screen >= 0 && tcgetattr(STDIN_FILENO, &found) == 0;
    if (screen >= 0 && !have_terminal)
        return jl_fail(err, JL_ERR_IO, "cannot read the terminal's modes: %s", strerror(errno));
    if (caught[0] < 0 && pipe2(caught, O_NONBLOCK | O_CLOEXEC))
        return jl_fail(err, JL_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    set_handler(SIGINT, on_interrupt, 0);
    set_handler(SIGPIPE, SIG_IGN, 0);
    if (!have_terminal) return JL_OK;
    set_handler(SIGWINCH, on_resize, 0);
    set_handler(SIGTSTP, on_stop, 0);
    set_handler(SIGTERM, on_end, 0);
    set_handler(SIGHUP, on_end, 0);
    set_handler(SIGQUIT, on_end, 0);
    write_all(PASTE_ON);
    return JL_OK;
}

void signals_remove(void) {
    const int numbers[] = {SIGINT, SIGWINCH, SIGTSTP, SIGTERM, SIGHUP, SIGQUIT};
    give_back();
    have_terminal = false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        set_handler(numbers[i], SIG_DFL, 0);
}

enum signals_event signals_wait(int fd, int wait_ms) {
    struct pollfd ready[2] = {{fd, POLLIN, 0}, {caught[0], POLLIN, 0}};
    int n = poll(ready, 2, wait_ms);
    char bytes[64];
    if (n < 0 || ready[1].revents) {
        while (caught[0] >= 0 && read(caught[0], bytes, sizeof bytes) > 0) {
        }
        return SIGNALS_CAUGHT;
    }
    return n ? SIGNALS_READABLE : SIGNALS_TIME;
}

atomic_bool *signals_interrupt(void) { return &interrupted; }
bool signals_take_interrupt(void) { return atomic_exchange(&interrupted, false); }
bool signals_take_resize(void) { return atomic_exchange(&resized, false); }
bool signals_take_continue(void) { return atomic_exchange(&continued, false); }

void signals_quiet_terminal(void) {
    struct termios quiet;
    if (!have_terminal) return;
    quiet = found;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    quiet.c_lflag |= NOFLSH; // Ctrl-C stops the answer and leaves what was typed
    quiet.c_iflag &= ~(tcflag_t)(ICRNL | INLCR);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}
