/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of keyboard and mouse. A full queue drops what comes: a guest that never reads loses
 * answers, as with the real devices.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)" and
 * "Mouse".
 */
#include "devices/ps2.h"

#include <glib.h>
#include <string.h>

typedef enum Ps2Command {
    PS2_SCALE_1 = 0xE6,
    PS2_SCALE_2 = 0xE7,
    PS2_RESOLUTION = 0xE8,
    PS2_MOUSE_STATUS = 0xE9,
    PS2_STREAM = 0xEA,
    PS2_POLL = 0xEB,
    PS2_LEDS = 0xED,
    PS2_ECHO = 0xEE,
    PS2_REMOTE = 0xF0, /* keyboard: scan code set */
    PS2_IDENTIFY = 0xF2,
    PS2_RATE = 0xF3,
    PS2_ENABLE = 0xF4,
    PS2_DISABLE = 0xF5,
    PS2_DEFAULTS = 0xF6,
    PS2_RESEND = 0xFE,
    PS2_RESET = 0xFF,
} Ps2Command;

#define PS2_ACK 0xFA
#define PS2_NAK 0xFE
#define PS2_TEST_PASSED 0xAA

uint8_t dev_ps2_queue_take(DevPs2Queue *queue)
{
    g_assert(queue->len > 0);
    queue->last = queue->bytes[0];
    queue->len--;
    memmove(queue->bytes, queue->bytes + 1, queue->len);
    return queue->last;
}

static void put(DevPs2Queue *queue, uint8_t byte)
{
    if (queue->len < DEV_PS2_QUEUE_SIZE) {
        queue->bytes[queue->len++] = byte;
    }
}

/* ---- the keyboard ---- */

static void keyboard_defaults(DevPs2Keyboard *keyboard)
{
    keyboard->rate = 0x2B; /* 10.9 characters a second after 500 ms */
    keyboard->set = 2;
    keyboard->scanning = true;
}

void dev_ps2_keyboard_reset(DevPs2Keyboard *keyboard)
{
    memset(keyboard, 0, sizeof *keyboard);
    keyboard_defaults(keyboard);
}

static void keyboard_parameter(DevPs2Keyboard *keyboard, uint8_t byte)
{
    DevPs2Queue *queue = &keyboard->queue;
    uint8_t command = keyboard->pending;

    keyboard->pending = 0;
    if (command == PS2_LEDS) {
        keyboard->leds = byte;
        put(queue, PS2_ACK);
    } else if (command == PS2_RATE) {
        keyboard->rate = byte;
        put(queue, PS2_ACK);
    } else if (byte == 0) { /* which scan code set is it? */
        put(queue, PS2_ACK);
        put(queue, keyboard->set);
    } else if (byte <= 3) {
        keyboard->set = byte;
        put(queue, PS2_ACK);
    } else {
        put(queue, PS2_NAK);
    }
}

static void keyboard_command(DevPs2Keyboard *keyboard, uint8_t byte)
{
    DevPs2Queue *queue = &keyboard->queue;

    switch (byte) {
    case PS2_LEDS:
    case PS2_RATE:
    case PS2_REMOTE:
        put(queue, PS2_ACK);
        keyboard->pending = byte;
        break;
    case PS2_ECHO:
        put(queue, PS2_ECHO);
        break;
    case PS2_IDENTIFY:
        put(queue, PS2_ACK);
        put(queue, 0xAB);
        put(queue, 0x83);
        break;
    case PS2_ENABLE:
        keyboard->scanning = true;
        put(queue, PS2_ACK);
        break;
    case PS2_DISABLE:
    case PS2_DEFAULTS:
        keyboard_defaults(keyboard);
        keyboard->scanning = byte == PS2_DEFAULTS;
        put(queue, PS2_ACK);
        break;
    case PS2_RESEND:
        put(queue, queue->last);
        break;
    case PS2_RESET:
        dev_ps2_keyboard_reset(keyboard);
        put(queue, PS2_ACK);
        put(queue, PS2_TEST_PASSED);
        break;
    default:
        put(queue, PS2_NAK);
        break;
    }
}

void dev_ps2_keyboard_write(DevPs2Keyboard *keyboard, uint8_t byte)
{
    /* A command in place of a parameter wins: parameters never reach 0xED. */
    if (keyboard->pending != 0 && byte < PS2_LEDS) {
        keyboard_parameter(keyboard, byte);
    } else {
        keyboard->pending = 0;
        keyboard_command(keyboard, byte);
    }
}

/* ---- the mouse ---- */

static void mouse_defaults(DevPs2Mouse *mouse)
{
    mouse->reporting = false;
    mouse->remote = false;
    mouse->scale2 = false;
    mouse->resolution = 2;
    mouse->rate = 100;
}

void dev_ps2_mouse_reset(DevPs2Mouse *mouse)
{
    memset(mouse, 0, sizeof *mouse);
    mouse_defaults(mouse);
}

static void mouse_parameter(DevPs2Mouse *mouse, uint8_t byte)
{
    if (mouse->pending == PS2_RATE) {
        mouse->rate = byte;
    } else {
        mouse->resolution = byte;
    }
    mouse->pending = 0;
    put(&mouse->queue, PS2_ACK);
}

/* What the command changes. False: it is none. */
static bool mouse_apply(DevPs2Mouse *mouse, uint8_t byte)
{
    switch (byte) {
    case PS2_SCALE_1:
    case PS2_SCALE_2:
        mouse->scale2 = byte == PS2_SCALE_2;
        return true;
    case PS2_RESOLUTION:
    case PS2_RATE:
        mouse->pending = byte;
        return true;
    case PS2_STREAM:
    case PS2_REMOTE:
        mouse->remote = byte == PS2_REMOTE;
        return true;
    case PS2_ENABLE:
    case PS2_DISABLE:
        mouse->reporting = byte == PS2_ENABLE;
        return true;
    case PS2_DEFAULTS:
        mouse_defaults(mouse);
        return true;
    case PS2_RESET:
        dev_ps2_mouse_reset(mouse);
        return true;
    case PS2_MOUSE_STATUS:
    case PS2_POLL:
    case PS2_IDENTIFY:
        return true;
    default:
        return false;
    }
}

/* What the command sends after its acknowledgement. */
static void mouse_answer(DevPs2Mouse *mouse, uint8_t byte)
{
    DevPs2Queue *queue = &mouse->queue;

    if (byte == PS2_MOUSE_STATUS) {
        put(queue, (uint8_t)((mouse->remote ? 0x40 : 0) | (mouse->reporting ? 0x20 : 0) |
                             (mouse->scale2 ? 0x10 : 0)));
        put(queue, mouse->resolution);
        put(queue, mouse->rate);
    } else if (byte == PS2_POLL) { /* it never moves */
        put(queue, 0x08);
        put(queue, 0x00);
        put(queue, 0x00);
    } else if (byte == PS2_IDENTIFY) {
        put(queue, 0x00); /* a standard mouse */
    } else if (byte == PS2_RESET) {
        put(queue, PS2_TEST_PASSED);
        put(queue, 0x00);
    }
}

void dev_ps2_mouse_write(DevPs2Mouse *mouse, uint8_t byte)
{
    if (mouse->pending != 0) {
        mouse_parameter(mouse, byte);
    } else if (byte == PS2_RESEND) {
        put(&mouse->queue, mouse->queue.last);
    } else if (mouse_apply(mouse, byte)) {
        put(&mouse->queue, PS2_ACK);
        mouse_answer(mouse, byte);
    } else {
        put(&mouse->queue, PS2_NAK);
    }
}
