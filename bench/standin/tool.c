/* Stands in for kubectl, kubefedctl and helm: says what the server at the socket $FEDSSH_BENCH says, after a fixed time.
 *
 * The call is sent as NUL-terminated words: the tool, the address at which SSH was reached, the number of arguments, the
 * arguments; then all of stdin. The answer is four lines (the exit code, the length of stdout, how many milliseconds the
 * call takes, and for how many it stays after that), stdout, and stderr. It costs the machine next to nothing: what is measured is everything around it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static void send_all(int to, const char *data, size_t length) {
    while (length) {
        ssize_t sent = write(to, data, length);
        if (sent < 0) fail("stand-in: write");
        data += sent;
        length -= (size_t)sent;
    }
}

static void send_word(int to, const char *word) { send_all(to, word, strlen(word) + 1); }

static int reads_stdin(int count, char **words) {
    for (int i = 1; i < count; i++) {
        char *word = words[i];
        if (!strcmp(word, "-f-") || !strcmp(word, "--filename=-") || !strcmp(word, "-f=-")) return 1;
        if ((!strcmp(word, "-f") || !strcmp(word, "--filename")) && i + 1 < count && !strcmp(words[i + 1], "-")) return 1;
    }
    return 0;
}

int main(int count, char **words) {
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    const char *path = getenv("FEDSSH_BENCH"), *connection = getenv("SSH_CONNECTION");
    char address[64] = "", number[16], *tool = strrchr(words[0], '/');
    if (connection) sscanf(connection, "%*s %*s %63s", address);
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof place.sun_path) fail("stand-in: FEDSSH_BENCH");
    strcpy(place.sun_path, path);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(server, (struct sockaddr *)&place, sizeof place)) {
        if (errno != EAGAIN) fail("stand-in: connect"); /* many at once */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    snprintf(number, sizeof number, "%d", count - 1);
    send_word(server, tool ? tool + 1 : words[0]);
    send_word(server, address);
    send_word(server, number);
    for (int i = 1; i < count; i++) send_word(server, words[i]);
    static char buffer[65536];
    ssize_t got;
    if (reads_stdin(count, words))
        while ((got = read(0, buffer, sizeof buffer)) > 0) send_all(server, buffer, (size_t)got);
    shutdown(server, SHUT_WR);
    size_t length = 0, room = sizeof buffer;
    char *answer = malloc(room + 1);
    while ((got = read(server, answer + length, room - length)) > 0)
        if ((length += (size_t)got) == room) answer = realloc(answer, (room *= 2) + 1);
    answer[length] = 0;
    int code, start = 0;
    size_t out;
    long milliseconds, stays;
    if (sscanf(answer, "%d %zu %ld %ld", &code, &out, &milliseconds, &stays) < 4) fail("stand-in: no answer");
    for (int lines = 0; lines < 4; start++) lines += answer[start] == '\n';
    due.tv_nsec += milliseconds % 1000 * 1000000;
    due.tv_sec += milliseconds / 1000 + due.tv_nsec / 1000000000;
    due.tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
    send_all(1, answer + start, out);
    send_all(2, answer + start + out, length - (size_t)start - out);
    nanosleep(&(struct timespec){.tv_sec = stays / 1000, .tv_nsec = stays % 1000 * 1000000}, NULL);
    return code;
}
