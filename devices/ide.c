/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ATA channels.
 *
 *   primary      secondary    register
 *   0x1F0        0x170        data: 16 or 32 bits wide
 *   0x1F1..1F7   0x171..177   command block, see devices/ata.c
 *   0x3F6        0x376        read: alternate status; write: device control
 *
 * Writes to the command block reach both drives of a channel; reads and commands go to the one that
 * bit 4 of the device register selects, EXECUTE DEVICE DIAGNOSTIC to both. A channel without drives
 * floats: it reads all ones. An absent drive beside a present one has status 0; its other registers
 * are answered by its neighbour.
 *
 * Invariants:
 *   1. A channel's line is high exactly if it is decoded, nIEN and SRST are clear and the selected
 *      drive asks for an interrupt.
 *   2. While SRST is set, drives neither take commands nor move data.
 *
 * Source: T13/1410D, ATA/ATAPI-6, section 7 (registers) and 9 (resets, single drives).
 */
#include "devices/ide.h"

#include "devices/ata.h"
#include "emu/state.h"

#define DRIVES_PER_CHANNEL (DEV_IDE_DRIVES / DEV_IDE_CHANNELS)
#define N_COMMAND_PORTS 8
#define STATUS_BUSY 0x80
#define FLOATING 0xFF

/* Device control register. */
enum {
    CONTROL_NIEN = 0x02,
    CONTROL_SRST = 0x04,
    CONTROL_HOB = 0x80,
    CONTROL_KEPT = CONTROL_NIEN | CONTROL_SRST | CONTROL_HOB,
};

static const struct {
    uint16_t command;
    uint16_t control;
} channel_ports[DEV_IDE_CHANNELS] = {
    { 0x1F0, 0x3F6 },
    { 0x170, 0x376 },
};

typedef struct ChannelState {
    uint8_t control;
    uint8_t selected; /* drive 0 or 1 */
    bool decode;
} ChannelState;

typedef struct Channel {
    EmuPorts *ports;
    EmuLine irq;
    uint16_t base;
    unsigned handles[3]; /* data, rest of the command block, control */
    DevAta *drives[DRIVES_PER_CHANNEL];
    ChannelState state;
} Channel;

struct DevIde {
    Channel channels[DEV_IDE_CHANNELS];
};

static bool is_valid(const void *state)
{
    const ChannelState *s = state;

    return (s->control & ~CONTROL_KEPT) == 0;
}

static const EmuField fields[] = {
    EMU_FIELD(ChannelState, control),
    EMU_FIELD_MAX(ChannelState, selected, 1),
    EMU_FIELD_MAX(ChannelState, decode, 1),
};
static const EmuStateDesc desc = {
    .name = "ide-channel",
    .version = 1,
    .size = sizeof(ChannelState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

static DevAta *selected_drive(const Channel *channel)
{
    return channel->drives[channel->state.selected];
}

static bool is_floating(const Channel *channel)
{
    return !channel->state.decode ||
           (!dev_ata_is_present(channel->drives[0]) && !dev_ata_is_present(channel->drives[1]));
}

static bool in_reset(const Channel *channel)
{
    return (channel->state.control & CONTROL_SRST) != 0;
}

static void update_irq(const Channel *channel)
{
    bool enabled =
        channel->state.decode && (channel->state.control & CONTROL_NIEN) == 0 && !in_reset(channel);

    emu_line_set(&channel->irq, enabled && dev_ata_irq(selected_drive(channel)));
}

/* ---- data ---- */

static uint32_t read_data(void *user, uint16_t port, unsigned size)
{
    const Channel *channel = user;
    DevAta *drive = selected_drive(channel);

    (void)port;
    if (is_floating(channel)) {
        return UINT32_MAX;
    }
    if (in_reset(channel)) {
        return 0;
    }

    uint32_t value = dev_ata_read_data(drive);

    if (size == 4) {
        value |= (uint32_t)dev_ata_read_data(drive) << 16;
    }
    update_irq(channel);
    return value;
}

static void write_data(void *user, uint16_t port, unsigned size, uint32_t value)
{
    const Channel *channel = user;
    DevAta *drive = selected_drive(channel);

    (void)port;
    if (is_floating(channel) || in_reset(channel)) {
        return;
    }
    dev_ata_write_data(drive, (uint16_t)value);
    if (size == 4) {
        dev_ata_write_data(drive, (uint16_t)(value >> 16));
    }
    update_irq(channel);
}

/* ---- command block ---- */

static uint8_t read_status(const Channel *channel)
{
    if (in_reset(channel)) {
        return STATUS_BUSY;
    }
    return dev_ata_read_register(selected_drive(channel), DEV_ATA_STATUS_COMMAND, false);
}

static uint32_t read_command_block(void *user, uint16_t port, unsigned size)
{
    const Channel *channel = user;
    DevAtaRegister reg = (DevAtaRegister)(port - channel->base);
    bool previous = (channel->state.control & CONTROL_HOB) != 0;
    DevAta *drive = selected_drive(channel);

    (void)size;
    if (is_floating(channel)) {
        return FLOATING;
    }
    if (reg == DEV_ATA_STATUS_COMMAND) {
        uint8_t status = read_status(channel);

        dev_ata_acknowledge(drive);
        update_irq(channel);
        return status;
    }
    if (!dev_ata_is_present(drive)) {
        drive = channel->drives[1 - channel->state.selected];
    }
    return dev_ata_read_register(drive, reg, previous);
}

static void write_command(const Channel *channel, uint8_t code)
{
    if (code == DEV_ATA_COMMAND_DIAGNOSTIC) {
        for (unsigned i = 0; i < DRIVES_PER_CHANNEL; i++) {
            dev_ata_command(channel->drives[i], code);
        }
        dev_ata_acknowledge(channel->drives[1]); /* drive 0 speaks for both */
    } else {
        dev_ata_command(selected_drive(channel), code);
    }
}

static void write_command_block(void *user, uint16_t port, unsigned size, uint32_t value)
{
    Channel *channel = user;
    DevAtaRegister reg = (DevAtaRegister)(port - channel->base);

    (void)size;
    if (is_floating(channel) || in_reset(channel)) {
        return;
    }
    channel->state.control &= (uint8_t)~CONTROL_HOB;
    if (reg == DEV_ATA_STATUS_COMMAND) {
        write_command(channel, (uint8_t)value);
        if (value == DEV_ATA_COMMAND_DIAGNOSTIC) {
            channel->state.selected = 0;
        }
    } else {
        for (unsigned i = 0; i < DRIVES_PER_CHANNEL; i++) {
            dev_ata_write_register(channel->drives[i], reg, (uint8_t)value);
        }
        if (reg == DEV_ATA_DEVICE) {
            channel->state.selected = (value & DEV_ATA_DEVICE_SLAVE) != 0;
        }
    }
    update_irq(channel);
}

/* ---- control block ---- */

static uint32_t read_control(void *user, uint16_t port, unsigned size)
{
    const Channel *channel = user;

    (void)port;
    (void)size;
    return is_floating(channel) ? FLOATING : read_status(channel);
}

static void write_control(void *user, uint16_t port, unsigned size, uint32_t value)
{
    Channel *channel = user;
    bool was_in_reset = in_reset(channel);

    (void)port;
    (void)size;
    if (is_floating(channel)) {
        return;
    }
    channel->state.control = value & CONTROL_KEPT;
    if (was_in_reset && !in_reset(channel)) {
        for (unsigned i = 0; i < DRIVES_PER_CHANNEL; i++) {
            dev_ata_soft_reset(channel->drives[i]);
        }
        channel->state.selected = 0;
    }
    update_irq(channel);
}

static const EmuPortOps data_ops = { .read = read_data, .write = write_data, .sizes = 2 | 4 };
static const EmuPortOps command_ops = {
    .read = read_command_block,
    .write = write_command_block,
    .sizes = 1,
};
static const EmuPortOps control_ops = {
    .read = read_control,
    .write = write_control,
    .sizes = 1,
};

static bool add_ports(Channel *channel, unsigned index, GError **error)
{
    const struct {
        uint16_t first;
        unsigned count;
        const EmuPortOps *ops;
    } ranges[] = {
        { channel->base, 1, &data_ops },
        { channel->base + 1, N_COMMAND_PORTS - 1, &command_ops },
        { channel_ports[index].control, 1, &control_ops },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
        channel->handles[i] = emu_ports_add(channel->ports, ranges[i].first, ranges[i].count,
                                            ranges[i].ops, channel, "ide", error);
        if (channel->handles[i] == 0) {
            return false;
        }
    }
    return true;
}

DevIde *dev_ide_new(EmuPorts *ports, DevDisk *const disks[DEV_IDE_DRIVES],
                    const EmuLine irqs[DEV_IDE_CHANNELS], GError **error)
{
    DevIde *ide = g_new0(DevIde, 1);

    for (unsigned i = 0; i < DEV_IDE_DRIVES; i++) {
        ide->channels[i / DRIVES_PER_CHANNEL].drives[i % DRIVES_PER_CHANNEL] =
            dev_ata_new(disks[i], i);
    }
    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        Channel *channel = &ide->channels[i];

        channel->ports = ports;
        channel->irq = irqs[i];
        channel->base = channel_ports[i].command;
        if (!add_ports(channel, i, error)) {
            dev_ide_free(ide);
            return NULL;
        }
    }
    dev_ide_reset(ide);
    return ide;
}

static void clear_channel(Channel *channel)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(channel->handles); i++) {
        if (channel->handles[i] != 0) {
            emu_ports_remove(channel->ports, channel->handles[i]);
        }
    }
    for (unsigned i = 0; i < DRIVES_PER_CHANNEL; i++) {
        dev_ata_free(channel->drives[i]);
    }
}

void dev_ide_free(DevIde *ide)
{
    if (ide == NULL) {
        return;
    }
    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        clear_channel(&ide->channels[i]);
    }
    g_free(ide);
}

void dev_ide_reset(void *user)
{
    DevIde *ide = user;

    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        Channel *channel = &ide->channels[i];

        channel->state = (ChannelState) { .decode = true };
        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            dev_ata_reset(channel->drives[d]);
        }
        update_irq(channel);
    }
}

void dev_ide_set_decode(DevIde *ide, unsigned channel, bool decode)
{
    g_assert(channel < DEV_IDE_CHANNELS);
    ide->channels[channel].state.decode = decode;
    update_irq(&ide->channels[channel]);
}

/* ---- state: each channel, followed by its drives ---- */

void dev_ide_save(const DevIde *ide, GByteArray *out)
{
    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        const Channel *channel = &ide->channels[i];

        emu_state_save(&desc, &channel->state, out);
        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            dev_ata_save(channel->drives[d], out);
        }
    }
}

static bool check_all(const DevIde *ide, const uint8_t *bytes, size_t len, size_t *pos,
                      GError **error)
{
    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        const Channel *channel = &ide->channels[i];
        ChannelState scratch = channel->state;

        if (!emu_state_load(&desc, &scratch, bytes, len, pos, error)) {
            return false;
        }
        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            if (!dev_ata_check(channel->drives[d], bytes, len, pos, error)) {
                return false;
            }
        }
    }
    return true;
}

bool dev_ide_load(DevIde *ide, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    size_t checked = *pos;

    if (!check_all(ide, bytes, len, &checked, error)) {
        return false;
    }
    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        Channel *channel = &ide->channels[i];
        bool ok = emu_state_load(&desc, &channel->state, bytes, len, pos, NULL);

        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            ok = ok && dev_ata_load(channel->drives[d], bytes, len, pos, NULL);
        }
        g_assert(ok); /* the same bytes have just been checked */
        update_irq(channel);
    }
    return true;
}

unsigned dev_ide_parts(void *user, EmuStatePart *ret_parts)
{
    DevIde *ide = user;
    unsigned n = 0;

    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        Channel *channel = &ide->channels[i];

        ret_parts[n++] = (EmuStatePart) { .desc = desc, .state = &channel->state };
        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            ret_parts[n++] = dev_ata_part(channel->drives[d]);
        }
    }
    return n;
}

bool dev_ide_check(void *user, void *const *states, GError **error)
{
    DevIde *ide = user;
    unsigned n = 0;

    for (unsigned i = 0; i < DEV_IDE_CHANNELS; i++) {
        n++;
        for (unsigned d = 0; d < DRIVES_PER_CHANNEL; d++) {
            if (!dev_ata_check_state(ide->channels[i].drives[d], states[n++], error)) {
                return false;
            }
        }
    }
    return true;
}
