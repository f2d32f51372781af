/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main() of a fuzz target where libFuzzer does not bring its own: under AFL++ it takes inputs from
 * the fuzzer in a loop; else it runs each file it is given, and each file of each folder: to replay
 * a finding, and to run the seeds as a test.
 *
 *   fuzz-NAME FILE|FOLDER...
 */
#include "tests/fuzz/fuzz.h"

#ifdef __AFL_FUZZ_TESTCASE_LEN
#include <unistd.h>

__AFL_FUZZ_INIT();

static void run_afl(void)
{
    const uint8_t *bytes;

    __AFL_INIT();
    bytes = __AFL_FUZZ_TESTCASE_BUF;
    while (__AFL_LOOP(10000)) {
        size_t len = (size_t)__AFL_FUZZ_TESTCASE_LEN;
        /* Of its own length, so that AddressSanitizer sees a read behind it. */
        uint8_t *copy = g_memdup2(bytes, MAX(len, 1));

        LLVMFuzzerTestOneInput(copy, len);
        g_free(copy);
    }
}
#else
static void run_afl(void)
{
    fprintf(stderr, "give files or folders to run\n");
    exit(2);
}
#endif

/* libFuzzer's; a custom mutator is never called here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    (void)max_size;
    return size;
}

static unsigned run_file(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    g_autoptr(GError) error = NULL;

    if (!g_file_get_contents(path, &bytes, &len, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(2);
    }

    /* What the file has and not a byte more: g_file_get_contents() adds a NUL. */
    uint8_t *copy = g_memdup2(bytes, MAX(len, 1));

    LLVMFuzzerTestOneInput(copy, len);
    g_free(copy);
    return 1;
}

static unsigned run_path(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;
    const char *name;

    if (dir == NULL) {
        return run_file(path);
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        n += run_file(file);
    }
    return n;
}

int main(int argc, char **argv)
{
    unsigned n = 0;

    if (argc < 2) {
        run_afl();
        return EXIT_SUCCESS;
    }
    for (int i = 1; i < argc; i++) {
        n += run_path(argv[i]);
    }
    printf("%u inputs\n", n);
    return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
