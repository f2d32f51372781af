/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share. A target is one function that libFuzzer, AFL++ and our own driver
 * (driver.c) call with bytes; it may fail by a sanitizer's report or by fuzz_check().
 *
 * Rule: what a target does depends on its bytes alone. What it keeps from one input to the next
 * must not show.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names are libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A wrong answer ends the process, so that the fuzzer keeps the input. */
#define fuzz_check(condition, ...)                                          \
    do {                                                                    \
        if (G_UNLIKELY(!(condition))) {                                     \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* The input, taken from the front; behind its end are zeros. */
typedef struct FuzzInput {
    const uint8_t *bytes;
    size_t left;
} FuzzInput;

static inline uint8_t fuzz_u8(FuzzInput *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static inline uint16_t fuzz_u16(FuzzInput *input)
{
    uint16_t low = fuzz_u8(input);

    return (uint16_t)(low | fuzz_u8(input) << 8);
}

static inline uint32_t fuzz_u32(FuzzInput *input)
{
    uint32_t low = fuzz_u16(input);

    return low | (uint32_t)fuzz_u16(input) << 16;
}

/* At most @len bytes; @ret_len says how many there are. */
static inline const uint8_t *fuzz_take(FuzzInput *input, size_t len, size_t *ret_len)
{
    const uint8_t *bytes = input->bytes;

    *ret_len = MIN(len, input->left);
    input->bytes += *ret_len;
    input->left -= *ret_len;
    return bytes;
}
