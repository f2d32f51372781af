/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 keyboard and a PS/2 mouse, as the keyboard controller (devices/i8042.c) sees them: bytes
 * written to the device, and a queue of bytes it wants to send. Their state is part of the
 * controller's.
 *
 * Thread: the machine's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DEV_PS2_QUEUE_SIZE 64

/* Invariant: the waiting bytes are bytes[0] to bytes[len - 1], the oldest first; len <=
 * DEV_PS2_QUEUE_SIZE. */
typedef struct DevPs2Queue {
    uint8_t bytes[DEV_PS2_QUEUE_SIZE];
    uint8_t len;
    uint8_t last; /* the byte sent last, for RESEND */
} DevPs2Queue;

typedef struct DevPs2Keyboard {
    DevPs2Queue queue;
    uint8_t pending; /* command that waits for its parameter, or 0 */
    bool scanning;
    uint8_t leds;
    uint8_t rate;
    uint8_t set; /* scan code set, 1 to 3 */
} DevPs2Keyboard;

typedef struct DevPs2Mouse {
    DevPs2Queue queue;
    uint8_t pending; /* command that waits for its parameter, or 0 */
    bool reporting;
    bool remote;
    bool scale2;
    uint8_t resolution;
    uint8_t rate;
} DevPs2Mouse;

/* Takes the oldest byte; the queue must not be empty. */
uint8_t dev_ps2_queue_take(DevPs2Queue *queue);

/* Power-on, without the self-test's report: firmware asks for one with RESET. */
void dev_ps2_keyboard_reset(DevPs2Keyboard *keyboard);
void dev_ps2_mouse_reset(DevPs2Mouse *mouse);

/* A byte from the host: command or parameter. Answers go to the queue; a full queue drops them. */
void dev_ps2_keyboard_write(DevPs2Keyboard *keyboard, uint8_t byte);
void dev_ps2_mouse_write(DevPs2Mouse *mouse, uint8_t byte);
