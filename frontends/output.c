/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on their way to stdout or a file; see output.h.
 */
#define _GNU_SOURCE /* fopencookie() */

#include "output.h"

#include "memsys/os.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 4096

/* Invariant: len bytes wait in buffer; none once host_error is set. */
struct FeOutput {
    int fd;
    char *name;
    int host_error; /* errno of the first failed write, or 0 */
    bool mid_line;
    size_t len;
    uint8_t buffer[BUFFER_SIZE];
};

FeOutput *fe_output_new(int fd, const char *name)
{
    FeOutput *output = g_new0(FeOutput, 1);

    output->fd = fd;
    output->name = g_strdup(name);
    return output;
}

void fe_output_free(FeOutput *output)
{
    if (output == NULL) {
        return;
    }
    fe_output_flush(output);
    if (output->fd != STDOUT_FILENO && output->fd != STDERR_FILENO) {
        mem_os()->close(output->fd);
    }
    g_free(output->name);
    g_free(output);
}

/* Whether a failed write is worth another try; waits where it has to. */
static bool can_retry(int fd, int host_error)
{
    if (host_error == EAGAIN) {
        struct pollfd wait = { .fd = fd, .events = POLLOUT };

        poll(&wait, 1, 100);
    } else if (host_error != EINTR) {
        return false;
    }
    return !fe_signals_want_end();
}

void fe_output_flush(FeOutput *output)
{
    size_t done = 0;

    while (done < output->len && output->host_error == 0) {
        ssize_t n = mem_os()->write(output->fd, output->buffer + done, output->len - done);
        int host_error = n < 0 ? errno : 0;

        if (n >= 0) {
            done += (size_t)n;
        } else if (!can_retry(output->fd, host_error)) {
            output->host_error = host_error;
        }
    }
    output->len = 0;
}

void fe_output_sink(void *user, const uint8_t *bytes, size_t len)
{
    FeOutput *output = user;
    bool line_ends = memchr(bytes, '\n', len) != NULL;

    if (len > 0) {
        output->mid_line = bytes[len - 1] != '\n';
    }
    while (len > 0 && output->host_error == 0) {
        size_t n = MIN(len, BUFFER_SIZE - output->len);

        memcpy(output->buffer + output->len, bytes, n);
        output->len += n;
        bytes += n;
        len -= n;
        if (output->len == BUFFER_SIZE) {
            fe_output_flush(output);
        }
    }
    if (line_ends) {
        fe_output_flush(output);
    }
}

static ssize_t write_stream(void *cookie, const char *bytes, size_t len)
{
    fe_output_sink(cookie, (const uint8_t *)bytes, len);
    return (ssize_t)len; /* what failed is remembered there */
}

FILE *fe_output_open_stream(FeOutput *output)
{
    return fopencookie(output, "w", (cookie_io_functions_t) { .write = write_stream });
}

bool fe_output_is_mid_line(const FeOutput *output)
{
    return output->mid_line;
}

bool fe_output_is_stdout(const FeOutput *output)
{
    return output->fd == STDOUT_FILENO;
}

char *fe_output_describe_error(const FeOutput *output)
{
    if (output->host_error == 0) {
        return NULL;
    }
    return g_strdup_printf("cannot write %s: %s", output->name, g_strerror(output->host_error));
}
