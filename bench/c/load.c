/* An SMTP load generator: one thread, epoll, nothing that waits.
 *
 *   load run  --port P --file MAIL [--sessions N] [--mails M] [--seconds S]
 *             [--per-connection K] [--pipelining]
 *             [--large-file MAIL --large-sessions L] [--latencies FILE]
 *   load idle --port P --connections K
 *
 * `run` sends the mail in MAIL (its bytes as they are, dots stuffed here) from N
 * sessions until M mails were answered or S seconds have passed, and prints one
 * JSON object. A transaction lasts from MAIL to the reply of the final dot. With
 * --large-file, L further sessions send that file meanwhile and are reported
 * apart.
 *
 * `idle` opens K connections, reads 220, says EHLO, prints a JSON line when all
 * are open or refused, and holds them until its stdin ends.
 *
 * Talks to 127.0.0.1 only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 4096, EVENTS = 512, AT_ONCE = 200, MAX_FAILURES = 100 };
/* After the time is over a mail under way may still end; then it is cut off. */
static const double GRACE = 30.0;

static const char EHLO[] = "EHLO bench.example\r\n";
static const char MAIL[] = "MAIL FROM:<app@acme.example>\r\n";
static const char RCPT[] = "RCPT TO:<someone@example.net>\r\n";
static const char DATA[] = "DATA\r\n";
static const char QUIT[] = "QUIT\r\n";
static const char TOGETHER[] = "MAIL FROM:<app@acme.example>\r\n"
                               "RCPT TO:<someone@example.net>\r\n"
                               "DATA\r\n";

enum state { CLOSED, GREETING, HELLO, SENDER, RECIPIENT, START, CONTENT, BYE, IDLE };

struct buffer {
    char *bytes;
    size_t length;
};

struct group { /* what the sessions of one kind have sent and heard */
    struct buffer content;
    long mails, queued, final_replies;
    long replies[1000];
    uint32_t *latencies; /* microseconds */
    size_t kept, room;
};

struct session {
    int fd;
    enum state state;
    struct group *group;
    const char *out; /* what is left to write; NULL: nothing */
    size_t out_left;
    char in[READ_SIZE];
    size_t in_length;
    long sent; /* mails on this connection */
    int failures; /* in a row */
    double began;
};

static struct {
    int port, sessions, large_sessions, connections, pipelining;
    long mails, per_connection;
    double seconds;
    const char *file, *large_file, *latencies;
} want = {.sessions = 1};

static int poller;
static struct group small, large;
static long started_mails; /* of `small`: those that may still end */
static long opened, refused_connections, closed_early, refused_commands, given_up;
static int alive;
static double deadline = INFINITY, first_mail = -1, last_reply = -1;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL)
        die("no memory for %zu bytes", size);
    return memory;
}

/* The mail as DATA sends it: dots stuffed (RFC 5321 section 4.5.2), and the end. */
static struct buffer read_content(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0)
        die("%s: %s", path, strerror(errno));
    size_t size = about.st_size;
    char *raw = grown(NULL, size + 1);
    if (fread(raw, 1, size, file) != size)
        die("%s: cannot be read", path);
    fclose(file);
    struct buffer made = {grown(NULL, 2 * size + 8), 0};
    int line_start = 1;
    for (size_t i = 0; i < size; i++) {
        if (line_start && raw[i] == '.')
            made.bytes[made.length++] = '.';
        made.bytes[made.length++] = raw[i];
        line_start = raw[i] == '\n';
    }
    free(raw);
    if (!line_start) {
        memcpy(made.bytes + made.length, "\r\n", 2);
        made.length += 2;
    }
    memcpy(made.bytes + made.length, ".\r\n", 3);
    made.length += 3;
    made.bytes = grown(made.bytes, made.length);
    return made;
}

static void open_connection(struct session *session)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(want.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    session->fd = fd;
    session->state = GREETING;
    session->in_length = session->out_left = 0;
    session->out = NULL;
    session->sent = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = session};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
    opened++;
}

static void close_connection(struct session *session)
{
    close(session->fd);
    session->fd = -1;
    session->state = CLOSED;
}

/* All that a connection can still do is over: open the next, or be done. */
static void start_over(struct session *session)
{
    close_connection(session);
    int more = want.connections == 0 && now() < deadline &&
               (session->group == &large || want.mails == 0 ||
                started_mails < want.mails);
    if (session->failures >= MAX_FAILURES) {
        given_up++;
        more = 0;
    }
    if (more)
        open_connection(session);
    else
        alive--;
}

static void write_out(struct session *session)
{
    while (session->out_left > 0) {
        ssize_t n = send(session->fd, session->out, session->out_left, MSG_NOSIGNAL);
        if (n < 0)
            return; /* EAGAIN: the next event; else: the next read says so */
        session->out += n;
        session->out_left -= n;
    }
}

static void say(struct session *session, enum state state, const char *out,
                size_t length)
{
    session->state = state;
    session->out = out;
    session->out_left = length;
    write_out(session);
}
#define SAY(session, state, text) say(session, state, text, sizeof text - 1)

/* The session is between two mails: the next one, or goodbye. */
static void next_mail(struct session *session)
{
    int enough = want.per_connection > 0 && session->sent >= want.per_connection;
    if (!enough && session->group == &small && want.mails > 0)
        enough = started_mails >= want.mails;
    session->began = now();
    if (enough || session->began >= deadline) {
        SAY(session, BYE, QUIT);
        return;
    }
    if (session->group == &small)
        started_mails++;
    if (first_mail < 0) {
        first_mail = session->began;
        if (want.seconds > 0) /* a slow start takes nothing from the time */
            deadline = first_mail + want.seconds;
    }
    if (want.pipelining)
        SAY(session, SENDER, TOGETHER);
    else
        SAY(session, SENDER, MAIL);
}

static void final_reply(struct session *session, int code, const char *line)
{
    struct group *group = session->group;
    double at = now();
    group->final_replies++;
    if (code == 250) {
        group->mails++;
        if (strstr(line, "queued") != NULL)
            group->queued++;
        if (group->kept == group->room) {
            group->room = group->room ? 2 * group->room : 4096;
            group->latencies =
                grown(group->latencies, group->room * sizeof *group->latencies);
        }
        group->latencies[group->kept++] =
            (uint32_t)((at - session->began) * 1e6 + 0.5);
        session->failures = 0;
    } else {
        session->failures++;
    }
    last_reply = at;
    session->sent++;
    if (session->failures >= MAX_FAILURES)
        SAY(session, BYE, QUIT);
    else
        next_mail(session);
}

/* One whole reply. Returns 0 when the connection is of no further use. */
static int heard(struct session *session, int code, const char *line)
{
    static const int expected[] = {[GREETING] = 220, [HELLO] = 250,
                                   [SENDER] = 250,   [RECIPIENT] = 250,
                                   [START] = 354,    [BYE] = 221};
    if (session->state == CONTENT) {
        session->group->replies[code]++;
        if (session->out_left > 0) { /* answered before the mail was out */
            refused_commands++;
            session->failures++;
            return 0;
        }
        final_reply(session, code, line);
        return 1;
    }
    if (session->state == IDLE || code != expected[session->state]) {
        session->group->replies[code]++;
        refused_commands++;
        session->failures++;
        return 0;
    }
    switch (session->state) {
    case GREETING:
        SAY(session, HELLO, EHLO);
        return 1;
    case HELLO:
        if (want.connections > 0)
            session->state = IDLE;
        else
            next_mail(session);
        return 1;
    case SENDER:
        if (want.pipelining)
            session->state = RECIPIENT;
        else
            SAY(session, RECIPIENT, RCPT);
        return 1;
    case RECIPIENT:
        if (want.pipelining)
            session->state = START;
        else
            SAY(session, START, DATA);
        return 1;
    case START:
        say(session, CONTENT, session->group->content.bytes,
            session->group->content.length);
        return 1;
    default: /* BYE: heard all */
        return 0;
    }
}

/* Read what is there. Returns 0 when the connection has to end. */
static int read_in(struct session *session)
{
    for (;;) {
        ssize_t n = recv(session->fd, session->in + session->in_length,
                         READ_SIZE - session->in_length - 1, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 1;
        if (n <= 0) {
            if (session->state == GREETING && n < 0)
                refused_connections++;
            else if (session->state != BYE)
                closed_early++;
            session->failures++;
            return 0;
        }
        session->in_length += n;
        char *line = session->in, *end = session->in + session->in_length, *lf;
        while ((lf = memchr(line, '\n', end - line)) != NULL) {
            *lf = '\0';
            if (lf - line < 3 || line[0] < '2' || line[0] > '5')
                die("not a reply: %.60s", line);
            if (line[3] != '-') { /* the last line of this reply */
                int code = atoi(line);
                if (code < 200 || code > 599)
                    die("not a reply: %.60s", line);
                if (!heard(session, code, line))
                    return 0;
            }
            line = lf + 1;
        }
        session->in_length = end - line;
        memmove(session->in, line, session->in_length);
        if (session->in_length >= READ_SIZE - 1)
            die("a reply line of more than %d bytes", READ_SIZE);
    }
}

static void on_event(struct session *session, uint32_t events)
{
    if (session->state == CLOSED)
        return;
    if (events & EPOLLOUT)
        write_out(session);
    if (events & ~EPOLLOUT && !read_in(session))
        start_over(session);
}

static int by_value(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

/* Nearest rank: the smallest value that `share` of all do not pass. */
static double percentile_ms(const struct group *group, double share)
{
    if (group->kept == 0)
        return 0;
    size_t rank = (size_t)ceil(share * group->kept);
    return group->latencies[rank > 0 ? rank - 1 : 0] / 1e3;
}

static void print_group(struct group *group, double seconds)
{
    qsort(group->latencies, group->kept, sizeof *group->latencies, by_value);
    printf("\"mails\": %ld, \"queued\": %ld, \"seconds\": %.6f, "
           "\"mails_per_second\": %.3f, \"p50_ms\": %.3f, \"p95_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"replies\": {",
           group->mails, group->queued, seconds,
           seconds > 0 ? group->mails / seconds : 0, percentile_ms(group, 0.50),
           percentile_ms(group, 0.95), percentile_ms(group, 0.99),
           percentile_ms(group, 1.0));
    const char *comma = "";
    for (int code = 0; code < 1000; code++)
        if (group->replies[code] > 0) {
            printf("%s\"%d\": %ld", comma, code, group->replies[code]);
            comma = ", ";
        }
    printf("}");
}

static void keep_latencies(const char *path, const struct group *group)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        die("%s: %s", path, strerror(errno));
    for (size_t i = 0; i < group->kept; i++)
        fprintf(file, "%u\n", group->latencies[i]);
    if (fclose(file) != 0)
        die("%s: %s", path, strerror(errno));
}

static void wait_for_events(int timeout)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(poller, events, EVENTS, timeout);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr != NULL)
            on_event(events[i].data.ptr, events[i].events);
}

static void run(void)
{
    if (want.file == NULL)
        die("run needs --file");
    if (want.mails == 0 && want.seconds == 0)
        die("run needs --mails or --seconds");
    small.content = read_content(want.file);
    int all = want.sessions;
    if (want.large_sessions > 0) {
        if (want.large_file == NULL)
            die("--large-sessions needs --large-file");
        large.content = read_content(want.large_file);
        all += want.large_sessions;
    }
    struct session *sessions = grown(NULL, all * sizeof *sessions);
    memset(sessions, 0, all * sizeof *sessions);
    if (want.seconds > 0)
        deadline = now() + GRACE; /* for the first mail */
    alive = all;
    for (int i = 0; i < all; i++) {
        sessions[i].group = i < want.sessions ? &small : &large;
        open_connection(&sessions[i]);
        if (i % AT_ONCE == AT_ONCE - 1)
            wait_for_events(1);
    }
    while (alive > 0) {
        /* Large sessions end with the small ones when a count was asked for. */
        if (want.large_sessions > 0 && isinf(deadline) &&
            small.final_replies >= want.mails)
            deadline = now();
        if (now() > deadline + GRACE)
            break;
        wait_for_events(100);
    }
    double seconds = last_reply > first_mail ? last_reply - first_mail : 0;
    printf("{");
    print_group(&small, seconds);
    if (want.latencies != NULL)
        keep_latencies(want.latencies, &small);
    printf(", \"connections\": %ld, \"errors\": {\"not_connected\": %ld, "
           "\"closed_early\": %ld, \"refused_commands\": %ld, "
           "\"gave_up\": %ld, \"unfinished\": %d}",
           opened, refused_connections, closed_early, refused_commands, given_up,
           alive);
    if (want.large_sessions > 0) {
        printf(", \"large\": {");
        print_group(&large, seconds);
        printf("}");
    }
    printf("}\n");
    free(sessions);
}

static void idle(void)
{
    if (want.connections <= 0)
        die("idle needs --connections");
    struct session *sessions = grown(NULL, want.connections * sizeof *sessions);
    memset(sessions, 0, want.connections * sizeof *sessions);
    double patience = now() + GRACE;
    int begun = 0, settled = 0, held = 0;
    while (settled < want.connections && now() < patience) {
        /* A few at a time: the server's backlog is not what is measured. */
        while (begun < want.connections && begun - settled < AT_ONCE) {
            sessions[begun].group = &small;
            alive++;
            open_connection(&sessions[begun++]);
        }
        wait_for_events(20);
        settled = held = 0;
        for (int i = 0; i < begun; i++) {
            held += sessions[i].state == IDLE;
            settled += sessions[i].state == IDLE || sessions[i].state == CLOSED;
        }
    }
    printf("{\"held\": %d, \"refused\": %d}\n", held, want.connections - held);
    fflush(stdout);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) != 0)
        die("stdin cannot be watched: %s", strerror(errno));
    for (;;) {
        char byte;
        if (read(0, &byte, 1) == 0)
            return;
        wait_for_events(1000);
    }
}

static long number(const char *name, const char *text)
{
    char *end;
    errno = 0;
    long value = text == NULL ? -1 : strtol(text, &end, 10);
    if (text == NULL || errno != 0 || *end != '\0' || end == text || value < 0)
        die("%s needs a number", name);
    return value;
}

int main(int count, char **words)
{
    if (count < 2)
        die("say `run` or `idle`");
    for (int i = 2; i < count; i++) {
        const char *name = words[i], *value = words[i + 1];
        if (strcmp(name, "--pipelining") == 0) {
            want.pipelining = 1;
            continue;
        }
        if (value == NULL)
            die("%s needs a value", name);
        i++;
        if (strcmp(name, "--port") == 0)
            want.port = number(name, value);
        else if (strcmp(name, "--sessions") == 0)
            want.sessions = number(name, value);
        else if (strcmp(name, "--mails") == 0)
            want.mails = number(name, value);
        else if (strcmp(name, "--seconds") == 0)
            want.seconds = strtod(value, NULL);
        else if (strcmp(name, "--per-connection") == 0)
            want.per_connection = number(name, value);
        else if (strcmp(name, "--file") == 0)
            want.file = value;
        else if (strcmp(name, "--large-file") == 0)
            want.large_file = value;
        else if (strcmp(name, "--large-sessions") == 0)
            want.large_sessions = number(name, value);
        else if (strcmp(name, "--latencies") == 0)
            want.latencies = value;
        else if (strcmp(name, "--connections") == 0)
            want.connections = number(name, value);
        else
            die("%s: unknown", name);
    }
    if (want.port == 0)
        die("--port is missing");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (strcmp(words[1], "run") == 0) {
        want.connections = 0;
        run();
    } else if (strcmp(words[1], "idle") == 0) {
        idle();
    } else {
        die("%s: neither `run` nor `idle`", words[1]);
    }
    return 0;
}
