/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rows ask of the host: time, memory, child processes. Source: proc(5). */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

G_DEFINE_QUARK(quire - bench - error, bench_error)

uint64_t bench_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* /proc/self/smaps is exact, where statm and status lag behind by up to some pages a processor. */
void bench_resident(const void *start, uint64_t len, uint64_t *ret_all, uint64_t *ret_within)
{
    g_autofree char *text = NULL;
    uint64_t first = (uint64_t)(uintptr_t)start;
    bool within = false;

    *ret_all = 0;
    *ret_within = 0;
    if (!g_file_get_contents("/proc/self/smaps", &text, NULL, NULL)) {
        return;
    }
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        uint64_t low;
        uint64_t high;
        uint64_t kib;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &low, &high) == 2) {
            within = low >= first && low - first < len;
        } else if (sscanf(line, "Anonymous: %" SCNu64, &kib) == 1) {
            *ret_all += kib * 1024;
            *ret_within += within ? kib * 1024 : 0;
        }
        line = end == NULL ? NULL : end + 1;
    }
}

double bench_in_child(double (*function)(void *), void *user)
{
    int pipe_ends[2];
    double value = -1;
    int status;

    fflush(NULL);
    if (pipe(pipe_ends) != 0) {
        return -1;
    }
    pid_t pid = fork();

    if (pid == 0) {
        value = function(user);
        _exit(write(pipe_ends[1], &value, sizeof(value)) == (ssize_t)sizeof(value) ? 0 : 1);
    }
    close(pipe_ends[1]);
    if (pid < 0 || read(pipe_ends[0], &value, sizeof(value)) != (ssize_t)sizeof(value)) {
        value = -1;
    }
    close(pipe_ends[0]);
    if (pid > 0) {
        waitpid(pid, &status, 0);
    }
    return value;
}

uint8_t *bench_touched_memory(uint64_t len, GError **error)
{
    uint8_t *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        g_set_error(error, BENCH_ERROR, 0, "no %" PRIu64 " bytes of memory: %s", len,
                    g_strerror(errno));
        return NULL;
    }
    memset(memory, 1, len);
    return memory;
}
