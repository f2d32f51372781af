/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller of the AT and PS/2. Keyboard and mouse are in devices/ps2.c.
 *
 *   0x60  read: output buffer    write: a command's data byte, or a byte for the keyboard
 *   0x64  read: status           write: command for the controller
 *
 * Three queues feed the output buffer: the controller's own answer (one byte), the keyboard's, the
 * mouse's, in this order. A byte enters the buffer when the buffer is empty, and its interrupt line
 * rises then, so every byte has an edge of its own.
 *
 * Invariants:
 *   1. While the output buffer is empty no byte waits that could enter it: its device is switched
 *      off or its queue is empty.
 *   2. An interrupt line is high only while its device's byte is in the output buffer.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller"; Intel UPI-42 for the output port.
 */
#include "devices/i8042.h"

#include "devices/ps2.h"
#include "emu/state.h"

#include <string.h>

#define DATA_PORT 0x60
#define COMMAND_PORT 0x64
#define RAM_SIZE 32

enum {
    STATUS_OBF = 0x01,
    STATUS_SYSTEM = 0x04,
    STATUS_COMMAND = 0x08, /* last write went to 0x64 */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20, /* the byte in the buffer is the mouse's */
};

/* The command byte: RAM byte 0. */
enum {
    MODE_IRQ1 = 0x01,
    MODE_IRQ12 = 0x02,
    MODE_SYSTEM = 0x04,
    MODE_NO_KEYBOARD = 0x10,
    MODE_NO_MOUSE = 0x20,
    MODE_TRANSLATE = 0x40,
};

enum {
    OUT_RESET = 0x01, /* low resets the CPU */
    OUT_A20 = 0x02,
    OUT_IRQ1 = 0x10,
    OUT_IRQ12 = 0x20,
};

typedef enum KbcCommand {
    CMD_READ_RAM = 0x20,  /* to 0x3F */
    CMD_WRITE_RAM = 0x60, /* to 0x7F */
    CMD_MOUSE_OFF = 0xA7,
    CMD_MOUSE_ON = 0xA8,
    CMD_TEST_MOUSE = 0xA9,
    CMD_SELF_TEST = 0xAA,
    CMD_TEST_KEYBOARD = 0xAB,
    CMD_KEYBOARD_OFF = 0xAD,
    CMD_KEYBOARD_ON = 0xAE,
    CMD_READ_INPUT = 0xC0,
    CMD_READ_OUTPUT = 0xD0,
    CMD_WRITE_OUTPUT = 0xD1,
    CMD_FAKE_KEYBOARD = 0xD2,
    CMD_FAKE_MOUSE = 0xD3,
    CMD_TO_MOUSE = 0xD4,
    CMD_A20_OFF = 0xDD,
    CMD_A20_ON = 0xDF,
    CMD_PULSE = 0xF0, /* to 0xFF */
} KbcCommand;

typedef enum Source { FROM_CONTROLLER, FROM_KEYBOARD, FROM_MOUSE } Source;

typedef struct KbcState {
    uint8_t ram[RAM_SIZE]; /* byte 0 is the command byte */
    uint8_t out_port;      /* OUT_RESET and OUT_A20 as latched */
    uint8_t buffer;        /* the output buffer */
    bool full;
    uint8_t source;  /* of the byte in the buffer: Source */
    uint8_t status;  /* STATUS_SYSTEM and STATUS_COMMAND */
    uint8_t pending; /* controller command that waits for its data byte, or 0 */
    bool answer_waits;
    uint8_t answer;
    uint8_t answer_source;

    bool seen_break; /* translation keeps a 0xF0 back */

    DevPs2Keyboard kbd;
    DevPs2Mouse mouse;
} KbcState;

struct DevI8042 {
    EmuPorts *ports;
    DevI8042Lines lines;
    unsigned handles[2];
    KbcState state;
};

static bool is_valid(const void *state)
{
    const KbcState *s = state;

    return s->kbd.set >= 1 && (s->status & ~(STATUS_SYSTEM | STATUS_COMMAND)) == 0;
}

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(KbcState, ram),
    EMU_FIELD_MAX(KbcState, out_port, OUT_RESET | OUT_A20),
    EMU_FIELD(KbcState, buffer),
    EMU_FIELD_MAX(KbcState, full, 1),
    EMU_FIELD_MAX(KbcState, source, FROM_MOUSE),
    EMU_FIELD(KbcState, status),
    EMU_FIELD(KbcState, pending),
    EMU_FIELD_MAX(KbcState, answer_waits, 1),
    EMU_FIELD(KbcState, answer),
    EMU_FIELD_MAX(KbcState, answer_source, FROM_MOUSE),
    EMU_FIELD_MAX(KbcState, seen_break, 1),
    EMU_FIELD_ARRAY(KbcState, kbd.queue.bytes),
    EMU_FIELD_MAX(KbcState, kbd.queue.len, DEV_PS2_QUEUE_SIZE),
    EMU_FIELD(KbcState, kbd.queue.last),
    EMU_FIELD(KbcState, kbd.pending),
    EMU_FIELD_MAX(KbcState, kbd.scanning, 1),
    EMU_FIELD(KbcState, kbd.leds),
    EMU_FIELD(KbcState, kbd.rate),
    EMU_FIELD_MAX(KbcState, kbd.set, 3),
    EMU_FIELD_ARRAY(KbcState, mouse.queue.bytes),
    EMU_FIELD_MAX(KbcState, mouse.queue.len, DEV_PS2_QUEUE_SIZE),
    EMU_FIELD(KbcState, mouse.queue.last),
    EMU_FIELD(KbcState, mouse.pending),
    EMU_FIELD_MAX(KbcState, mouse.reporting, 1),
    EMU_FIELD_MAX(KbcState, mouse.remote, 1),
    EMU_FIELD_MAX(KbcState, mouse.scale2, 1),
    EMU_FIELD(KbcState, mouse.resolution),
    EMU_FIELD(KbcState, mouse.rate),
};
static const EmuStateDesc desc = {
    .name = "i8042",
    .version = 1,
    .size = sizeof(KbcState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

/* Set 2 to set 1, as the controller's ROM table has it. 0: no key of the PC keyboard has this code.
 */
static const uint8_t set2_to_set1[0x85] = {
    [0x01] = 0x43, [0x03] = 0x3F, [0x04] = 0x3D, [0x05] = 0x3B, [0x06] = 0x3C, [0x07] = 0x58,
    [0x09] = 0x44, [0x0A] = 0x42, [0x0B] = 0x40, [0x0C] = 0x3E, [0x0D] = 0x0F, [0x0E] = 0x29,
    [0x11] = 0x38, [0x12] = 0x2A, [0x14] = 0x1D, [0x15] = 0x10, [0x16] = 0x02, [0x1A] = 0x2C,
    [0x1B] = 0x1F, [0x1C] = 0x1E, [0x1D] = 0x11, [0x1E] = 0x03, [0x1F] = 0x5B, [0x21] = 0x2E,
    [0x22] = 0x2D, [0x23] = 0x20, [0x24] = 0x12, [0x25] = 0x05, [0x26] = 0x04, [0x27] = 0x5C,
    [0x29] = 0x39, [0x2A] = 0x2F, [0x2B] = 0x21, [0x2C] = 0x14, [0x2D] = 0x13, [0x2E] = 0x06,
    [0x2F] = 0x5D, [0x31] = 0x31, [0x32] = 0x30, [0x33] = 0x23, [0x34] = 0x22, [0x35] = 0x15,
    [0x36] = 0x07, [0x3A] = 0x32, [0x3B] = 0x24, [0x3C] = 0x16, [0x3D] = 0x08, [0x3E] = 0x09,
    [0x41] = 0x33, [0x42] = 0x25, [0x43] = 0x17, [0x44] = 0x18, [0x45] = 0x0B, [0x46] = 0x0A,
    [0x49] = 0x34, [0x4A] = 0x35, [0x4B] = 0x26, [0x4C] = 0x27, [0x4D] = 0x19, [0x4E] = 0x0C,
    [0x52] = 0x28, [0x54] = 0x1A, [0x55] = 0x0D, [0x58] = 0x3A, [0x59] = 0x36, [0x5A] = 0x1C,
    [0x5B] = 0x1B, [0x5D] = 0x2B, [0x61] = 0x56, [0x66] = 0x0E, [0x69] = 0x4F, [0x6B] = 0x4B,
    [0x6C] = 0x47, [0x70] = 0x52, [0x71] = 0x53, [0x72] = 0x50, [0x73] = 0x4C, [0x74] = 0x4D,
    [0x75] = 0x48, [0x76] = 0x01, [0x77] = 0x45, [0x78] = 0x57, [0x79] = 0x4E, [0x7A] = 0x51,
    [0x7B] = 0x4A, [0x7C] = 0x37, [0x7D] = 0x49, [0x7E] = 0x46, [0x83] = 0x41, [0x84] = 0x54,
};

static uint8_t mode_of(const KbcState *s)
{
    return s->ram[0];
}

/* ---- the output buffer ---- */

static void update_irqs(DevI8042 *kbc)
{
    const KbcState *s = &kbc->state;
    bool mouse = s->full && s->source == FROM_MOUSE;
    bool keyboard = s->full && !mouse;

    emu_line_set(&kbc->lines.irq1, keyboard && (mode_of(s) & MODE_IRQ1) != 0);
    emu_line_set(&kbc->lines.irq12, mouse && (mode_of(s) & MODE_IRQ12) != 0);
}

/*
 * One keyboard byte as the guest gets it. Returns false for a break prefix, which translation keeps
 * back to set bit 7 of the byte after it.
 */
static bool translate(KbcState *s, uint8_t byte, uint8_t *ret_byte)
{
    if ((mode_of(s) & MODE_TRANSLATE) == 0) {
        *ret_byte = byte;
        return true;
    }
    if (byte == 0xF0) {
        s->seen_break = true;
        return false;
    }

    uint8_t code = byte < sizeof set2_to_set1 ? set2_to_set1[byte] : 0;

    *ret_byte = code != 0 ? code : byte;
    if (s->seen_break) {
        *ret_byte |= 0x80;
        s->seen_break = false;
    }
    return true;
}

static bool take_keyboard_byte(KbcState *s)
{
    if ((mode_of(s) & MODE_NO_KEYBOARD) != 0) {
        return false;
    }
    while (s->kbd.queue.len > 0) {
        if (translate(s, dev_ps2_queue_take(&s->kbd.queue), &s->buffer)) {
            s->source = FROM_KEYBOARD;
            return true;
        }
    }
    return false;
}

/* Moves the next waiting byte into the output buffer if that is empty, and drives the lines. */
static void advance(DevI8042 *kbc)
{
    KbcState *s = &kbc->state;

    if (!s->full) {
        if (s->answer_waits) {
            s->answer_waits = false;
            s->buffer = s->answer;
            s->source = s->answer_source;
            s->full = true;
        } else if (take_keyboard_byte(s)) {
            s->full = true;
        } else if (s->mouse.queue.len > 0 && (mode_of(s) & MODE_NO_MOUSE) == 0) {
            s->buffer = dev_ps2_queue_take(&s->mouse.queue);
            s->source = FROM_MOUSE;
            s->full = true;
        }
    }
    update_irqs(kbc);
}

/* A new answer replaces one nobody has read. */
static void answer(KbcState *s, uint8_t byte, Source source)
{
    if (s->full && s->source == FROM_CONTROLLER) {
        s->full = false;
    }
    s->answer = byte;
    s->answer_source = (uint8_t)source;
    s->answer_waits = true;
}

/* ---- the controller ---- */

static void set_out_port(DevI8042 *kbc, uint8_t value)
{
    KbcState *s = &kbc->state;
    bool reset = (value & OUT_RESET) == 0;

    s->out_port = (value & OUT_A20) | OUT_RESET;
    emu_line_set(&kbc->lines.a20, (value & OUT_A20) != 0);
    if (reset) {
        emu_line_pulse(&kbc->lines.init);
    }
}

static uint8_t read_out_port(const KbcState *s)
{
    unsigned value = s->out_port;

    if (s->full) {
        value |= s->source == FROM_MOUSE ? OUT_IRQ12 : OUT_IRQ1;
    }
    return (uint8_t)(value | 0xC0); /* keyboard clock and data are idle */
}

static void write_ram(KbcState *s, unsigned index, uint8_t value)
{
    s->ram[index] = value;
    if (index == 0) {
        s->status = (s->status & ~STATUS_SYSTEM) | ((value & MODE_SYSTEM) != 0 ? STATUS_SYSTEM : 0);
    }
}

static void controller_data(DevI8042 *kbc, uint8_t byte)
{
    KbcState *s = &kbc->state;
    uint8_t command = s->pending;

    s->pending = 0;
    switch (command) {
    case CMD_WRITE_OUTPUT:
        set_out_port(kbc, byte);
        break;
    case CMD_FAKE_KEYBOARD:
        answer(s, byte, FROM_KEYBOARD);
        break;
    case CMD_FAKE_MOUSE:
        answer(s, byte, FROM_MOUSE);
        break;
    case CMD_TO_MOUSE:
        write_ram(s, 0, mode_of(s) & (uint8_t)~MODE_NO_MOUSE);
        dev_ps2_mouse_write(&s->mouse, byte);
        break;
    default:
        if ((command & 0xE0) == CMD_WRITE_RAM) {
            write_ram(s, command & 0x1F, byte);
        }
        break;
    }
}

static void controller_command_high(DevI8042 *kbc, uint8_t command)
{
    KbcState *s = &kbc->state;

    switch ((KbcCommand)command) {
    case CMD_MOUSE_OFF:
        s->ram[0] |= MODE_NO_MOUSE;
        break;
    case CMD_MOUSE_ON:
        s->ram[0] &= (uint8_t)~MODE_NO_MOUSE;
        break;
    case CMD_KEYBOARD_OFF:
        s->ram[0] |= MODE_NO_KEYBOARD;
        break;
    case CMD_KEYBOARD_ON:
        s->ram[0] &= (uint8_t)~MODE_NO_KEYBOARD;
        break;
    case CMD_SELF_TEST:
        s->status |= STATUS_SYSTEM;
        answer(s, 0x55, FROM_CONTROLLER);
        break;
    case CMD_TEST_MOUSE:
    case CMD_TEST_KEYBOARD:
    case CMD_READ_INPUT:
        answer(s, command == CMD_READ_INPUT ? 0x80 : 0x00, FROM_CONTROLLER);
        break;
    case CMD_READ_OUTPUT:
        answer(s, read_out_port(s), FROM_CONTROLLER);
        break;
    case CMD_WRITE_OUTPUT:
    case CMD_FAKE_KEYBOARD:
    case CMD_FAKE_MOUSE:
    case CMD_TO_MOUSE:
        s->pending = command;
        break;
    case CMD_A20_OFF:
    case CMD_A20_ON:
        set_out_port(kbc, OUT_RESET | (command == CMD_A20_ON ? OUT_A20 : 0));
        break;
    case CMD_READ_RAM:
    case CMD_WRITE_RAM:
    case CMD_PULSE:
    default: /* unknown commands do nothing */
        break;
    }
}

static void controller_command(DevI8042 *kbc, uint8_t command)
{
    KbcState *s = &kbc->state;

    s->pending = 0;
    if (command >= CMD_PULSE) {
        /* Pulses low the bits that are 0 in the command; of the four only the reset line leads
         * anywhere. */
        if ((command & OUT_RESET) == 0) {
            emu_line_pulse(&kbc->lines.init);
        }
    } else if ((command & 0xE0) == CMD_READ_RAM) {
        answer(s, s->ram[command & 0x1F], FROM_CONTROLLER);
    } else if ((command & 0xE0) == CMD_WRITE_RAM) {
        s->pending = command;
    } else {
        controller_command_high(kbc, command);
    }
}

/* ---- ports ---- */

static uint32_t read_port(void *user, uint16_t port, unsigned size)
{
    DevI8042 *kbc = user;
    KbcState *s = &kbc->state;

    (void)size;
    if (port == COMMAND_PORT) {
        return STATUS_UNLOCKED | s->status | (s->full ? STATUS_OBF : 0) |
               (s->full && s->source == FROM_MOUSE ? STATUS_AUX : 0);
    }

    uint8_t byte = s->buffer; /* an empty buffer still shows its last byte */

    if (s->full) {
        s->full = false;
        update_irqs(kbc); /* down before the next byte raises it again */
        advance(kbc);
    }
    return byte;
}

static void write_port(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevI8042 *kbc = user;
    KbcState *s = &kbc->state;

    (void)size;
    if (port == COMMAND_PORT) {
        s->status |= STATUS_COMMAND;
        controller_command(kbc, (uint8_t)value);
    } else {
        s->status &= (uint8_t)~STATUS_COMMAND;
        if (s->pending != 0) {
            controller_data(kbc, (uint8_t)value);
        } else {
            s->ram[0] &= (uint8_t)~MODE_NO_KEYBOARD; /* sending switches the interface on */
            dev_ps2_keyboard_write(&s->kbd, (uint8_t)value);
        }
    }
    update_irqs(kbc);
    advance(kbc);
}

static const EmuPortOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 };

DevI8042 *dev_i8042_new(EmuPorts *ports, const DevI8042Lines *lines, GError **error)
{
    static const uint16_t port_list[2] = { DATA_PORT, COMMAND_PORT };
    DevI8042 *kbc = g_new0(DevI8042, 1);

    kbc->ports = ports;
    kbc->lines = *lines;
    for (unsigned i = 0; i < G_N_ELEMENTS(port_list); i++) {
        kbc->handles[i] = emu_ports_add(ports, port_list[i], 1, &port_ops, kbc, "i8042", error);
        if (kbc->handles[i] == 0) {
            dev_i8042_free(kbc);
            return NULL;
        }
    }
    dev_i8042_reset(kbc);
    return kbc;
}

void dev_i8042_free(DevI8042 *kbc)
{
    if (kbc == NULL) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kbc->handles); i++) {
        if (kbc->handles[i] != 0) {
            emu_ports_remove(kbc->ports, kbc->handles[i]);
        }
    }
    g_free(kbc);
}

void dev_i8042_reset(void *user)
{
    DevI8042 *kbc = user;
    KbcState *s = &kbc->state;

    *s = (KbcState) { .out_port = OUT_RESET | OUT_A20 };
    dev_ps2_keyboard_reset(&s->kbd);
    dev_ps2_mouse_reset(&s->mouse);
    emu_line_set(&kbc->lines.a20, true);
    update_irqs(kbc);
}

bool dev_i8042_key(DevI8042 *kbc, const uint8_t *codes, size_t len)
{
    DevPs2Keyboard *kbd = &kbc->state.kbd;

    if (!kbd->scanning || len > (size_t)(DEV_PS2_QUEUE_SIZE - kbd->queue.len)) {
        return false;
    }
    memcpy(kbd->queue.bytes + kbd->queue.len, codes, len);
    kbd->queue.len = (uint8_t)(kbd->queue.len + len);
    advance(kbc);
    return true;
}

bool dev_i8042_awaits_key(const DevI8042 *kbc)
{
    const KbcState *s = &kbc->state;

    return (mode_of(s) & (MODE_IRQ1 | MODE_NO_KEYBOARD)) == MODE_IRQ1 && s->kbd.scanning &&
           s->kbd.queue.len == 0 && !s->full && !s->answer_waits;
}

void dev_i8042_save(const DevI8042 *kbc, GByteArray *out)
{
    emu_state_save(&desc, &kbc->state, out);
}

bool dev_i8042_load(DevI8042 *kbc, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    if (!emu_state_load(&desc, &kbc->state, bytes, len, pos, error)) {
        return false;
    }
    advance(kbc); /* a no-op unless the file breaks invariant 1 */
    return true;
}

unsigned dev_i8042_parts(void *user, EmuStatePart *ret_parts)
{
    DevI8042 *kbc = user;

    ret_parts[0] = (EmuStatePart) { .desc = desc, .state = &kbc->state };
    return 1;
}
