/* tftp_load: fetch a file by TFTP, by many clients at once, and check every byte that comes.

   tftp_load ADDRESS PORT NAME FILE PERIOD CLIENTS REQUESTS BLOCK WINDOW

   In C, because a client in Python would be slower than what it measures.  CLIENTS sockets ask for NAME at the same moment; who has it
   asks again, from a new port, until REQUESTS were made.  FILE is what the server has under that name: it repeats itself every PERIOD
   bytes, so that to compare with it stays within the cache.  BLOCK and WINDOW are asked for, and a server that grants less fails.

   When the last file has come, and before that is acknowledged, the program writes a line and waits for one: meanwhile the server still
   has the process or thread whose time is to be read.  Then it writes a line of names and figures, seconds and counts, and a line that
   says how the first of those that failed did so.  Linux only. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ_REQUEST = 1, DATA = 3, ACKNOWLEDGEMENT = 4, ERROR = 5, OPTIONS = 6 };
enum { HEADER = 4, MOST_AT_ONCE = 64, BATCH_BYTES = 256 * 1024, MOST_SILENCES = 10 };

static const double PATIENCE = 1.0; /* seconds of silence before the last packet is sent again: what curl, iPXE and others take */
static const double SWEEP = 0.05;   /* seconds between looks for those who hear nothing */
static const double LIMIT = 60.0;   /* seconds, after which who has not got the file has failed */

struct client {
    int socket;
    bool is_answered;  /* the socket is connected to the port that answered */
    bool has_terms;    /* and that has granted what was asked for */
    bool has_told_gap; /* since the last block in order */
    int silences;      /* one after the other */
    size_t taken;      /* blocks in order */
    size_t told;       /* of which the server knows */
    double asked, heard;
};

static struct sockaddr_in server;
static const char *content;
static size_t size, period, block, window, stride;
static char request[600];
static size_t request_length;
static int poller;

static char *packets;
static struct mmsghdr headers[MOST_AT_ONCE];
static struct iovec pieces[MOST_AT_ONCE];
static unsigned at_once;

static double now, begun, over;
static long requests, asked, ended, answers, failures, timeouts, repeats;
static double *first_packets; /* seconds from a request to the first answer */
static char reason[200];

static double clock_seconds(clockid_t which) {
    struct timespec time;
    clock_gettime(which, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 1)
        errx(2, "not a number above 0: %s", text);
    return value;
}

static void map_content(const char *name) {
    struct stat status;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        err(2, "%s", name);
    size = (size_t)status.st_size;
    content = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    if (content == MAP_FAILED)
        err(2, "%s", name);
    close(file);
}

static void append(const char *text) {
    size_t length = strlen(text) + 1;
    if (request_length + length > sizeof request)
        errx(2, "the request is too long");
    memcpy(request + request_length, text, length);
    request_length += length;
}

static void append_option(const char *name, size_t value) {
    char text[24];
    snprintf(text, sizeof text, "%zu", value);
    append(name);
    append(text);
}

static void compose_request(const char *name) {
    request[0] = 0;
    request[1] = READ_REQUEST;
    request_length = 2;
    append(name);
    append("octet");
    append_option("blksize", block);
    if (window > 1)
        append_option("windowsize", window);
}

static void lay_out_buffers(void) {
    stride = HEADER + block;
    at_once = (unsigned)(BATCH_BYTES / stride < MOST_AT_ONCE ? BATCH_BYTES / stride : MOST_AT_ONCE);
    packets = malloc(at_once * stride);
    first_packets = calloc((size_t)requests, sizeof *first_packets);
    if (packets == NULL || first_packets == NULL)
        err(2, "memory");
    for (unsigned i = 0; i < at_once; i++) {
        pieces[i] = (struct iovec){packets + i * stride, stride};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
}

static void open_socket(struct client *client) {
    int bytes = (int)(4 * window * (stride + 1024)); /* the kernel counts its own buffers, which are larger than what is in them */
    *client = (struct client){.socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (client->socket < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, client->socket, &event) < 0)
        err(2, "socket");
    if (window > 1 && setsockopt(client->socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(client->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* A packet that cannot be sent is one that was lost: it is sent again when nothing is heard. */
static void send_request(struct client *client) {
    (void)!sendto(client->socket, request, request_length, 0, (struct sockaddr *)&server, sizeof server);
}

static void acknowledge(struct client *client) {
    unsigned char packet[HEADER] = {0, ACKNOWLEDGEMENT, (unsigned char)(client->taken >> 8), (unsigned char)client->taken};
    client->told = client->taken;
    (void)!send(client->socket, packet, sizeof packet, 0);
}

static void ask(struct client *client) {
    asked++;
    client->asked = client->heard = clock_seconds(CLOCK_MONOTONIC);
    send_request(client);
}

static void let_server_be_read(void) {
    over = clock_seconds(CLOCK_MONOTONIC);
    puts("over");
    fflush(stdout);
    while (getchar() != '\n' && !feof(stdin))
        ;
}

static void end(struct client *client, bool has_all) {
    if (++ended == requests)
        let_server_be_read();
    if (has_all)
        acknowledge(client);
    close(client->socket);
    client->socket = -1;
    if (asked < requests) {
        open_socket(client);
        ask(client);
    }
}

static void fail(struct client *client, const char *why) {
    failures++;
    if (*reason == '\0')
        snprintf(reason, sizeof reason, "%s, after %zu blocks", why, client->taken);
    end(client, false);
}

/* Return the value of an option in the LENGTH bytes of an OACK's text, or the default where it is not in there. */
static size_t granted(const char *text, size_t length, const char *option, size_t value) {
    const char *stop = text + length;
    while (text < stop) {
        const char *its_value = text + strnlen(text, (size_t)(stop - text)) + 1;
        if (its_value >= stop || memchr(its_value, '\0', (size_t)(stop - its_value)) == NULL)
            break;
        if (strcasecmp(text, option) == 0)
            return strtoul(its_value, NULL, 10);
        text = its_value + strlen(its_value) + 1;
    }
    return value;
}

static void take_terms(struct client *client, const char *text, size_t length) {
    if (granted(text, length, "blksize", 512) != block || granted(text, length, "windowsize", 1) != window) {
        fail(client, "the server does not grant the block size or window");
        return;
    }
    client->has_terms = true;
    acknowledge(client);
}

static void take_block(struct client *client, uint16_t wire, const char *data, size_t length) {
    size_t offset = client->taken * block;
    if (!client->has_terms) {
        fail(client, "the server knows no options");
        return;
    }
    if (wire != (uint16_t)(client->taken + 1)) { /* one that came before, or one too far: the server is told once where we are */
        repeats++;
        if (!client->has_told_gap)
            acknowledge(client);
        client->has_told_gap = true;
        return;
    }
    if (offset + length > size || (length < block && offset + length != size) || memcmp(data, content + offset % period, length)) {
        fail(client, "a block is not what is in the file");
        return;
    }
    client->taken++;
    client->has_told_gap = false;
    if (length < block)
        end(client, true);
    else if (client->taken - client->told == window)
        acknowledge(client);
}

static void take(struct client *client, const char *packet, size_t length) {
    uint16_t wire;
    char answer[120];
    client->heard = now;
    client->silences = 0;
    if (length < HEADER) {
        fail(client, "a packet is too short");
        return;
    }
    memcpy(&wire, packet + 2, sizeof wire);
    switch (packet[1]) {
    case DATA:
        take_block(client, ntohs(wire), packet + HEADER, length - HEADER);
        break;
    case OPTIONS:
        take_terms(client, packet + 2, length - 2);
        break;
    case ERROR:
        snprintf(answer, sizeof answer, "the server says: %.*s", (int)(length - HEADER), packet + HEADER);
        fail(client, answer);
        break;
    default:
        fail(client, "a packet is of no kind that a client should get");
    }
}

/* The first answer says which port the server has chosen for this transfer (RFC 1350, 4). */
static void receive_first(struct client *client) {
    struct sockaddr_in source;
    socklen_t length = sizeof source;
    ssize_t got = recvfrom(client->socket, packets, stride, 0, (struct sockaddr *)&source, &length);
    if (got < 0)
        return;
    first_packets[answers++] = clock_seconds(CLOCK_MONOTONIC) - client->asked;
    client->is_answered = true;
    if (connect(client->socket, (struct sockaddr *)&source, sizeof source) < 0)
        err(2, "connect");
    take(client, packets, (size_t)got);
}

static void receive(struct client *client) {
    int its_socket = client->socket;
    int got = recvmmsg(its_socket, headers, window > 1 ? at_once : 1, MSG_DONTWAIT, NULL);
    if (got < 0 && errno == ECONNREFUSED)
        fail(client, "the server has closed its port");
    for (int i = 0; i < got && client->socket == its_socket && client->is_answered; i++)
        take(client, pieces[i].iov_base, headers[i].msg_len);
}

static void sweep(struct client *clients, long count) {
    for (struct client *client = clients; client < clients + count; client++) {
        if (client->socket < 0 || now - client->heard < PATIENCE)
            continue;
        timeouts++;
        client->heard = now;
        if (++client->silences == MOST_SILENCES)
            fail(client, "the server is silent");
        else if (client->is_answered)
            acknowledge(client);
        else
            send_request(client);
    }
}

/* Those that were never asked for have failed too. */
static void give_up(struct client *clients, long count) {
    failures += requests - asked;
    requests = asked;
    for (struct client *client = clients; client < clients + count; client++)
        if (client->socket >= 0)
            fail(client, "it takes too long");
}

static void fetch_all(struct client *clients, long count) {
    struct epoll_event events[MOST_AT_ONCE];
    double swept = begun;
    while (ended < requests) {
        int ready = epoll_wait(poller, events, MOST_AT_ONCE, (int)(SWEEP * 1000));
        now = clock_seconds(CLOCK_MONOTONIC);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            client->is_answered ? receive(client) : receive_first(client);
        }
        if (now - swept > SWEEP) {
            sweep(clients, count);
            swept = now;
        }
        if (now - begun > LIMIT)
            give_up(clients, count);
    }
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void report(void) {
    double busy = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    qsort(first_packets, (size_t)answers, sizeof *first_packets, by_size);
    printf("seconds %.6f busy_seconds %.6f failures %ld timeouts %ld repeats %ld first_p50 %.6f first_p99 %.6f\n%s\n", over - begun, busy,
           failures, timeouts, repeats, first_packets[answers / 2], first_packets[answers * 99 / 100], reason);
}

int main(int count, char **words) {
    if (count != 10)
        errx(2, "usage: tftp_load ADDRESS PORT NAME FILE PERIOD CLIENTS REQUESTS BLOCK WINDOW");
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number(words[2]))};
    if (inet_pton(AF_INET, words[1], &server.sin_addr) != 1)
        errx(2, "not an IPv4 address: %s", words[1]);
    map_content(words[4]);
    period = (size_t)number(words[5]);
    long crowd = number(words[6]);
    requests = number(words[7]);
    block = (size_t)number(words[8]);
    window = (size_t)number(words[9]);
    compose_request(words[3]);
    lay_out_buffers();
    struct client *clients = calloc((size_t)crowd, sizeof *clients);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || poller < 0 || crowd > requests)
        errx(2, "too many clients");
    for (long i = 0; i < crowd; i++)
        open_socket(&clients[i]);
    now = begun = clock_seconds(CLOCK_MONOTONIC);
    for (long i = 0; i < crowd; i++)
        ask(&clients[i]);
    fetch_all(clients, crowd);
    report();
    return 0;
}
