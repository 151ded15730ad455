/* A fake SES that costs next to nothing: one thread, epoll, TLS by OpenSSL.
 *
 *   ses --cert PEM [--port P] [--delay-ms D] [--far] [--faults KIND=PERCENT,...]
 *
 * Listens on 127.0.0.1, prints {"port": P}, and speaks HTTP/1.1 with keep-alive.
 * POST /v2/email/outbound-emails: 200 and a MessageId of its own after D ms, by a
 * queue of due times and one timer, so that a thousand may wait at once. With --far
 * the D ms are the distance: a new connection waits for them twice, as TCP and TLS do.
 * Faults, evenly spread, come after the same time: throttle (429
 * TooManyRequestsException), internal (500), unavailable (503, as a load balancer says
 * it), refuse (400 MessageRejected), reset (the connection's end instead of an answer).
 * GET /v2/email/account: an account with room for everything. All else: 404.
 * Bodies are counted and thrown away: whether a request is right is for the tests,
 * which have a fake SES that checks signature and model.
 *
 * Each line on stdin is answered with a JSON line of what was counted; the end of
 * stdin ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_SIZE = 16384, EVENTS = 512, ANSWER_SIZE = 1024 };

enum state { COMING, SHAKING, HEAD, BODY, WAITING, ANSWERING, GONE };
enum fault { THROTTLE, INTERNAL, UNAVAILABLE, REFUSE, RESET, FAULTS, NONE = FAULTS };
enum route { SEND, ACCOUNT, UNKNOWN, NO_LENGTH };

struct line { /* one connection */
    int fd;
    SSL *tls;
    enum state state;
    enum route route;
    char head[HEAD_SIZE];
    size_t head_length;
    size_t body_left;
    char answer[ANSWER_SIZE];
    int answer_length;
    int keep_alive;
    int queued; /* the timer's queue still names it */
    double due;
    struct line *next; /* in that queue */
};

struct queue { /* of one delay for all: who comes later is due later */
    struct line *first, *last;
};

static const struct {
    const char *name, *status, *kind, *body;
} FAULT[FAULTS] = {
    {"throttle", "429 Too Many Requests", "TooManyRequestsException",
     "{\"message\":\"Maximum sending rate exceeded.\"}"},
    {"internal", "500 Internal Server Error", "InternalFailure",
     "{\"message\":\"An internal failure occurred.\"}"},
    {"unavailable", "503 Service Unavailable", NULL, "<html>Service Unavailable</html>"},
    {"refuse", "400 Bad Request", "MessageRejected",
     "{\"message\":\"Email address is not verified.\"}"},
    {"reset", NULL, NULL, NULL},
};

static SSL_CTX *context;
static int poller, timer, listener;
static double delay_ms;
static int far;
static struct queue answers, newcomers;
static long connections, handshakes, resumed, requests, sent, accounts, wrong, bytes;
static long share[FAULTS], debt[FAULTS]; /* in millionths of a call */
static long failed[FAULTS];

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ses: ", stderr);
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

static void set_timer(void)
{
    double due = 0;
    if (answers.first != NULL)
        due = answers.first->due;
    if (newcomers.first != NULL && (due == 0 || newcomers.first->due < due))
        due = newcomers.first->due;
    struct itimerspec at = {0};
    at.it_value.tv_sec = (time_t)due;
    at.it_value.tv_nsec = (long)((due - (time_t)due) * 1e9);
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void drop(struct line *line)
{
    if (line->state != GONE) {
        SSL_free(line->tls);
        close(line->fd);
        line->state = GONE;
    }
    if (!line->queued)
        free(line);
}

static void queue_up(struct queue *queue, struct line *line, double seconds)
{
    line->due = now() + seconds;
    line->queued = 1;
    line->next = NULL;
    if (queue->first == NULL)
        queue->first = line;
    else
        queue->last->next = line;
    queue->last = line;
    set_timer();
}

/* What becomes of one more call: each kind of fault comes as often as it is due. */
static enum fault next_fault(void)
{
    enum fault found = NONE;
    for (int i = 0; i < FAULTS; i++) {
        debt[i] += share[i];
        if (found == NONE && debt[i] >= 1000000) {
            debt[i] -= 1000000;
            failed[i]++;
            found = i;
        }
    }
    return found;
}

static void read_faults(char *text)
{
    for (char *one = strtok(text, ","); one != NULL; one = strtok(NULL, ",")) {
        char *is = strchr(one, '=');
        int i = 0;
        while (is != NULL && i < FAULTS &&
               (strncmp(FAULT[i].name, one, is - one) != 0 ||
                FAULT[i].name[is - one] != '\0'))
            i++;
        if (is == NULL || i == FAULTS)
            die("%s: no fault with its percentage", one);
        share[i] = (long)(strtod(is + 1, NULL) * 1e4 + 0.5);
    }
}

/* Returns 0 where there is no answer but the connection's end. */
static int compose(struct line *line)
{
    static const char ACCOUNT_BODY[] =
        "{\"DedicatedIpAutoWarmupEnabled\":false,\"EnforcementStatus\":\"HEALTHY\","
        "\"ProductionAccessEnabled\":true,\"SendingEnabled\":true,"
        "\"SendQuota\":{\"Max24HourSend\":1000000000.0,\"MaxSendRate\":1000000.0,"
        "\"SentLast24Hours\":0.0}}";
    char id[80];
    const char *status = "200 OK", *kind = NULL, *body = id;
    enum fault fault;
    switch (line->route) {
    case SEND:
        fault = next_fault();
        if (fault == RESET) {
            struct linger now = {.l_onoff = 1};
            setsockopt(line->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            return 0;
        }
        if (fault != NONE) {
            status = FAULT[fault].status;
            kind = FAULT[fault].kind;
            body = FAULT[fault].body;
        } else {
            snprintf(id, sizeof id,
                     "{\"MessageId\":\"0102018f%08lx-5f0c1d2e-bench-000000\"}", ++sent);
        }
        break;
    case ACCOUNT:
        accounts++;
        body = ACCOUNT_BODY;
        break;
    case NO_LENGTH:
        wrong++;
        status = "411 Length Required";
        body = "{}";
        line->keep_alive = 0;
        break;
    default:
        wrong++;
        status = "404 Not Found";
        kind = "NotFoundException";
        body = "{\"message\":\"not found\"}";
    }
    line->answer_length = snprintf(
        line->answer, ANSWER_SIZE,
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
        "x-amzn-RequestId: 00000000-0000-0000-0000-%012lx\r\n%s%s%s"
        "Content-Length: %zu\r\nConnection: %s\r\n\r\n%s",
        status, requests, kind ? "x-amzn-ErrorType: " : "", kind ? kind : "",
        kind ? "\r\n" : "", strlen(body), line->keep_alive ? "keep-alive" : "close",
        body);
    return 1;
}

/* Send the answer. Returns 0 when the connection is over. */
static int answer(struct line *line)
{
    if (line->state != ANSWERING) {
        line->state = ANSWERING;
        if (!compose(line))
            return 0;
    }
    int n = SSL_write(line->tls, line->answer, line->answer_length);
    if (n <= 0) {
        int why = SSL_get_error(line->tls, n);
        return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ;
    }
    line->state = HEAD;
    return line->keep_alive;
}

static const char *field(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(head, "\r\n"); at != NULL; at = strstr(at, "\r\n")) {
        at += 2;
        if (strncasecmp(at, name, length) == 0 && at[length] == ':') {
            at += length + 1;
            return at + strspn(at, " \t");
        }
    }
    return NULL;
}

/* Read the head's fields; `line->head` ends with a NUL after its empty line. */
static void understand(struct line *line)
{
    const char *head = line->head;
    const char *length = field(head, "content-length");
    const char *connection = field(head, "connection");
    line->keep_alive = connection == NULL || strncasecmp(connection, "close", 5) != 0;
    line->body_left = length == NULL ? 0 : strtoul(length, NULL, 10);
    if (strncmp(head, "POST /v2/email/outbound-emails HTTP/1.1\r\n", 41) == 0)
        line->route = length == NULL ? NO_LENGTH : SEND;
    else if (strncmp(head, "GET /v2/email/account HTTP/1.1\r\n", 32) == 0)
        line->route = ACCOUNT;
    else
        line->route = UNKNOWN;
    const char *expect = field(head, "expect");
    if (expect != NULL && strncasecmp(expect, "100-continue", 12) == 0)
        SSL_write(line->tls, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* The request is here whole: answer now, or when its time has come. */
static int arrived(struct line *line)
{
    requests++;
    if (delay_ms <= 0 || line->route != SEND)
        return answer(line);
    line->state = WAITING;
    queue_up(&answers, line, delay_ms / 1e3);
    return 1;
}

/* Go on until there is nothing more to read. Returns 0 when the line is over. */
static int progress(struct line *line)
{
    static char scrap[1 << 16];
    for (;;) {
        int n;
        if (line->state == COMING)
            return 1;
        if (line->state == SHAKING) {
            n = SSL_accept(line->tls);
            if (n == 1) {
                handshakes++;
                resumed += SSL_session_reused(line->tls);
                line->state = HEAD;
                continue;
            }
        } else if (line->state == HEAD) {
            size_t room = HEAD_SIZE - line->head_length - 1;
            if (room == 0)
                return 0;
            n = SSL_read(line->tls, line->head + line->head_length, room);
            if (n > 0) {
                line->head_length += n;
                line->head[line->head_length] = '\0';
                char *end = memmem(line->head, line->head_length, "\r\n\r\n", 4);
                if (end == NULL)
                    continue;
                size_t head = end + 4 - line->head, more = line->head_length - head;
                line->head_length = 0;
                end[2] = '\0';
                understand(line);
                if (more > line->body_left)
                    return 0; /* a second request before the first was answered */
                bytes += more;
                line->body_left -= more;
                line->state = BODY;
            }
        } else if (line->state == BODY && line->body_left > 0) {
            size_t most =
                line->body_left < sizeof scrap ? line->body_left : sizeof scrap;
            n = SSL_read(line->tls, scrap, most);
            if (n > 0) {
                bytes += n;
                line->body_left -= n;
            }
        } else if (line->state == ANSWERING) {
            if (!answer(line))
                return 0;
            if (line->state == ANSWERING)
                return 1;
            continue;
        } else { /* WAITING: nothing more is expected, but its end may come */
            char byte;
            n = SSL_peek(line->tls, &byte, 1);
            if (n > 0)
                return 0;
        }
        if (n <= 0) {
            int why = SSL_get_error(line->tls, n);
            ERR_clear_error();
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
        }
        if (line->state == BODY && line->body_left == 0) {
            if (!arrived(line))
                return 0;
            if (line->state == WAITING)
                return 1;
        }
    }
}

static struct line *next_due(struct queue *queue, double time)
{
    struct line *line = queue->first;
    if (line == NULL || line->due > time)
        return NULL;
    queue->first = line->next;
    line->queued = 0;
    return line;
}

static void on_timer(void)
{
    double time = now();
    struct line *line;
    while ((line = next_due(&answers, time)) != NULL) {
        if (line->state == GONE)
            free(line);
        else if (!answer(line) || !progress(line))
            drop(line);
    }
    while ((line = next_due(&newcomers, time)) != NULL) {
        if (line->state == GONE) {
            free(line);
            continue;
        }
        line->state = SHAKING;
        if (!progress(line))
            drop(line);
    }
    set_timer();
}

static void on_connections(void)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct line *line = calloc(1, sizeof *line);
        if (line == NULL)
            die("no memory for a connection");
        line->fd = fd;
        line->tls = SSL_new(context);
        line->state = SHAKING;
        SSL_set_fd(line->tls, fd);
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = line};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
            die("epoll_ctl: %s", strerror(errno));
        if (far) {
            line->state = COMING;
            queue_up(&newcomers, line, 2 * delay_ms / 1e3);
        }
        connections++;
    }
}

static void on_stdin(void)
{
    char text[256];
    ssize_t n = read(0, text, sizeof text);
    if (n == 0)
        exit(0);
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == '\n') {
            printf("{\"requests\": %ld, \"sent\": %ld, \"accounts\": %ld, "
                   "\"wrong\": %ld, \"connections\": %ld, \"handshakes\": %ld, "
                   "\"resumed\": %ld, \"body_bytes\": %ld",
                   requests, sent, accounts, wrong, connections, handshakes, resumed,
                   bytes);
            for (int k = 0; k < FAULTS; k++)
                printf(", \"%s\": %ld", FAULT[k].name, failed[k]);
            printf("}\n");
            fflush(stdout);
        }
}

static void watch(int fd)
{
    /* A connection is named by its address, the three others by their number. */
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void listen_at(int port)
{
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        die("port %d: %s", port, strerror(errno));
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(int count, char **words)
{
    int port = 0;
    const char *certificate = NULL;
    for (int i = 1; i < count; i += 2) {
        if (strcmp(words[i], "--far") == 0)
            far = 1, i--;
        else if (i + 1 == count)
            die("%s: without its value", words[i]);
        else if (strcmp(words[i], "--port") == 0)
            port = atoi(words[i + 1]);
        else if (strcmp(words[i], "--cert") == 0)
            certificate = words[i + 1];
        else if (strcmp(words[i], "--delay-ms") == 0)
            delay_ms = strtod(words[i + 1], NULL);
        else if (strcmp(words[i], "--faults") == 0)
            read_faults(words[i + 1]);
        else
            die("%s: unknown", words[i]);
    }
    if (certificate == NULL)
        die("--cert is missing");
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL ||
        SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1)
        die("%s: no certificate and key", certificate);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    listen_at(port);
    watch(listener);
    watch(timer);
    watch(0);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poller, events, EVENTS, -1);
        if (n < 0 && errno != EINTR)
            die("epoll_wait: %s", strerror(errno));
        int time_has_come = 0;
        for (int i = 0; i < n; i++) {
            uint64_t name = events[i].data.u64;
            if (name == (uint64_t)listener) {
                on_connections();
            } else if (name == (uint64_t)timer) {
                uint64_t times;
                time_has_come = read(timer, &times, sizeof times) > 0;
            } else if (name == 0) {
                on_stdin();
            } else {
                struct line *line = events[i].data.ptr;
                if (!progress(line))
                    drop(line);
            }
        }
        /* Last: it may free a line that an event of this round names. */
        if (time_has_come)
            on_timer();
    }
}
