/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FeOutput: bytes on their way to stdout or a file, in a small buffer that goes out at each end of
 * line. A write that fails is remembered, not reported; what comes after it is dropped.
 *
 * Thread: the main one. A write that waits for a slow reader gives up when a signal asks the
 * program to end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct FeOutput FeOutput;

/**
 * fe_output_new:
 * @fd: closed with the output unless it is stdout or stderr
 * @name: copied; for messages
 */
FeOutput *fe_output_new(int fd, const char *name);

/* Flushes first. */
void fe_output_free(FeOutput *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FeOutput, fe_output_free)

/* An EmuConsoleSink with the output as @user. */
void fe_output_sink(void *output, const uint8_t *bytes, size_t len);
void fe_output_flush(FeOutput *output);

/* Returns: (transfer full) (nullable): a stream into it. stdio alone would drop what a signal
 * interrupts. Closed before the output is freed. */
FILE *fe_output_open_stream(FeOutput *output);

/* Whether what went by so far ends in the middle of a line. */
bool fe_output_is_mid_line(const FeOutput *output);
bool fe_output_is_stdout(const FeOutput *output);

/* Returns: (transfer full): "cannot write stdout: Broken pipe", or %NULL while all is well */
char *fe_output_describe_error(const FeOutput *output);
