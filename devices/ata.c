/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task file, PIO transfers and state of an ATA drive.
 *
 *   register  read          write
 *   0         data          data
 *   1         error         features
 *   2         count         count         )
 *   3         LBA low       LBA low       ) two deep: a write moves the value before it
 *   4         LBA mid       LBA mid       ) to "previous"
 *   5         LBA high      LBA high      )
 *   6         device        device
 *   7         status        command
 *
 * A read fills the buffer with a block, raises INTRQ and waits until the guest has drained it; a
 * write waits until the guest has filled it, then stores it. A block is one sector, or `multiple`
 * sectors for the MULTIPLE commands.
 *
 * Invariants:
 *   1. transfer != ATA_IDLE exactly if DRQ is set; then pos < len <= ATA_BUFFER_SIZE, both even.
 *   2. While sectors are transferred, len is MIN(left, block) sectors, and block is 1 to 16.
 *   3. An empty connector is never in a transfer and never asks for an interrupt.
 *
 * Source: T13/1410D, ATA/ATAPI-6, sections 7 (registers), 8 (commands) and 9 (protocols).
 */
#include "devices/ata.h"

#include "devices/ata-internal.h"
#include "emu/error.h"
#include "emu/state.h"

#include <string.h>

#define DEFAULT_HEADS 16
#define DEFAULT_SECTORS 63
#define MAX_CYLINDERS 16383
#define DIAGNOSTIC_PASSED 0x01

static bool transfer_is_valid(const AtaState *s)
{
    bool drq = (s->status & ATA_STATUS_DRQ) != 0;

    if (s->transfer == ATA_IDLE) {
        return !drq;
    }
    if (!drq || s->pos >= s->len || s->len > ATA_BUFFER_SIZE || (s->pos | s->len) % 2 != 0) {
        return false;
    }
    if (s->transfer == ATA_READ_BUFFER) {
        return true;
    }
    return s->block >= 1 && s->block <= ATA_MAX_MULTIPLE && s->left >= 1 &&
           s->len == MIN(s->left, s->block) * DEV_SECTOR_SIZE;
}

static bool is_valid(const void *state)
{
    const AtaState *s = state;

    return s->heads >= 1 && s->sectors >= 1 && (s->multiple & (s->multiple - 1)) == 0 &&
           transfer_is_valid(s);
}

static const EmuField fields[] = {
    EMU_FIELD(AtaState, features),
    EMU_FIELD(AtaState, count),
    EMU_FIELD(AtaState, lba_low),
    EMU_FIELD(AtaState, lba_mid),
    EMU_FIELD(AtaState, lba_high),
    EMU_FIELD(AtaState, previous_count),
    EMU_FIELD(AtaState, previous_low),
    EMU_FIELD(AtaState, previous_mid),
    EMU_FIELD(AtaState, previous_high),
    EMU_FIELD(AtaState, device),
    EMU_FIELD(AtaState, status),
    EMU_FIELD(AtaState, error),
    EMU_FIELD_MAX(AtaState, irq, 1),
    EMU_FIELD_MAX(AtaState, heads, 16),
    EMU_FIELD(AtaState, sectors),
    EMU_FIELD_MAX(AtaState, multiple, ATA_MAX_MULTIPLE),
    EMU_FIELD_MAX(AtaState, transfer, ATA_READ_BUFFER),
    EMU_FIELD_MAX(AtaState, addressing, ATA_LBA48),
    EMU_FIELD_MAX(AtaState, block, ATA_MAX_MULTIPLE),
    EMU_FIELD_MAX(AtaState, pos, ATA_BUFFER_SIZE),
    EMU_FIELD_MAX(AtaState, len, ATA_BUFFER_SIZE),
    EMU_FIELD_MAX(AtaState, left, 65536),
    EMU_FIELD_MAX(AtaState, lba, (UINT64_C(1) << 48) - 1),
    EMU_FIELD_ARRAY(AtaState, buffer),
};
static const EmuStateDesc desc = {
    .name = "ata",
    .version = 1,
    .size = sizeof(AtaState),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = is_valid,
};

/* The usual translation; disks too small for it get one head and as few sectors as they have. */
static void choose_geometry(DevAta *ata)
{
    uint64_t n = dev_disk_sectors(ata->disk);

    ata->heads = n < DEFAULT_HEADS * DEFAULT_SECTORS ? 1 : DEFAULT_HEADS;
    ata->sectors = (uint8_t)MIN(n, DEFAULT_SECTORS);
    ata->cylinders = (uint16_t)MIN(n / ((uint64_t)ata->heads * ata->sectors), MAX_CYLINDERS);
}

DevAta *dev_ata_new(DevDisk *disk, unsigned number)
{
    DevAta *ata = g_new0(DevAta, 1);

    ata->disk = disk;
    ata->number = number;
    ata->heads = DEFAULT_HEADS;
    ata->sectors = DEFAULT_SECTORS;
    if (disk != NULL) {
        choose_geometry(ata);
    }
    dev_ata_reset(ata);
    return ata;
}

void dev_ata_free(DevAta *ata)
{
    g_free(ata);
}

bool dev_ata_is_present(const DevAta *ata)
{
    return ata->disk != NULL;
}

/* ---- ends of commands ---- */

static void stop_transfer(AtaState *s)
{
    s->transfer = ATA_IDLE;
    s->pos = 0;
    s->len = 0;
    s->status &= (uint8_t)~ATA_STATUS_DRQ;
}

void ata_finish(AtaState *s)
{
    stop_transfer(s);
    s->status = ATA_STATUS_READY;
    s->error = 0;
    s->irq = true;
}

void ata_fail(AtaState *s, uint8_t error)
{
    stop_transfer(s);
    s->status = ATA_STATUS_READY | ATA_STATUS_ERR;
    s->error = error;
    s->irq = true;
}

void ata_set_signature(AtaState *s)
{
    s->count = 1;
    s->lba_low = 1;
    s->lba_mid = 0;
    s->lba_high = 0;
    s->device = 0;
    s->previous_count = 0;
    s->previous_low = 0;
    s->previous_mid = 0;
    s->previous_high = 0;
}

void dev_ata_soft_reset(DevAta *ata)
{
    AtaState *s = &ata->state;

    stop_transfer(s);
    ata_set_signature(s);
    s->features = 0;
    s->multiple = 0;
    s->irq = false;
    s->error = DIAGNOSTIC_PASSED;
    s->status = ata->disk != NULL ? ATA_STATUS_READY : 0;
}

void dev_ata_reset(DevAta *ata)
{
    memset(&ata->state, 0, sizeof ata->state);
    ata->state.heads = ata->heads;
    ata->state.sectors = ata->sectors;
    dev_ata_soft_reset(ata);
}

/* ---- transfers ---- */

static void set_lba_bytes(AtaState *s, uint64_t lba)
{
    s->lba_low = (uint8_t)lba;
    s->lba_mid = (uint8_t)(lba >> 8);
    s->lba_high = (uint8_t)(lba >> 16);
}

static void set_head(AtaState *s, unsigned head)
{
    s->device = (uint8_t)((s->device & ~ATA_DEVICE_HEAD) | (head & ATA_DEVICE_HEAD));
}

void ata_set_address(AtaState *s, uint64_t lba)
{
    if (s->addressing == ATA_LBA48) {
        set_lba_bytes(s, lba);
        s->previous_low = (uint8_t)(lba >> 24);
        s->previous_mid = (uint8_t)(lba >> 32);
        s->previous_high = (uint8_t)(lba >> 40);
    } else if (s->addressing == ATA_LBA28) {
        set_lba_bytes(s, lba);
        set_head(s, (unsigned)(lba >> 24));
    } else {
        uint64_t track = lba / s->sectors;
        uint64_t cylinder = track / s->heads;

        s->lba_low = (uint8_t)(lba % s->sectors + 1);
        s->lba_mid = (uint8_t)cylinder;
        s->lba_high = (uint8_t)(cylinder >> 8);
        set_head(s, (unsigned)(track % s->heads));
    }
}

static void set_left(AtaState *s, uint32_t left)
{
    s->left = left;
    s->count = (uint8_t)left;
    if (s->addressing == ATA_LBA48) {
        s->previous_count = (uint8_t)(left >> 8);
    }
}

/* The block that starts at lba: its sectors, or 0 after failing because it reaches past the end. */
static unsigned block_sectors(DevAta *ata)
{
    AtaState *s = &ata->state;
    uint64_t n_disk = dev_disk_sectors(ata->disk);
    unsigned n = MIN(s->left, s->block);

    if (s->lba >= n_disk || n > n_disk - s->lba) {
        ata_set_address(s, MAX(s->lba, n_disk));
        ata_fail(s, ATA_ERROR_IDNF);
        return 0;
    }
    return n;
}

static void open_block(AtaState *s, AtaTransfer transfer, unsigned n_sectors)
{
    s->transfer = (uint8_t)transfer;
    s->pos = 0;
    s->len = (uint16_t)(n_sectors * DEV_SECTOR_SIZE);
    s->status = ATA_STATUS_READY | ATA_STATUS_DRQ;
    s->error = 0;
}

/* Counts the block in the buffer as done. The address registers name its last sector. */
static unsigned close_block(AtaState *s)
{
    unsigned n = s->len / DEV_SECTOR_SIZE;

    ata_set_address(s, s->lba + n - 1);
    set_left(s, s->left - n);
    s->lba += n;
    return s->left;
}

void ata_start_read(DevAta *ata)
{
    AtaState *s = &ata->state;
    unsigned n = block_sectors(ata);

    if (n == 0) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!dev_disk_read(ata->disk, s->lba + i, s->buffer + i * DEV_SECTOR_SIZE)) {
            ata_set_address(s, s->lba + i);
            ata_fail(s, ATA_ERROR_UNC);
            return;
        }
    }
    open_block(s, ATA_READ_SECTORS, n);
    s->irq = true;
}

void ata_start_write(DevAta *ata)
{
    unsigned n = block_sectors(ata);

    if (n > 0) {
        open_block(&ata->state, ATA_WRITE_SECTORS, n);
    }
}

static void finish_write_block(DevAta *ata)
{
    AtaState *s = &ata->state;

    for (unsigned i = 0; i < s->len / DEV_SECTOR_SIZE; i++) {
        if (!dev_disk_write(ata->disk, s->lba + i, s->buffer + i * DEV_SECTOR_SIZE)) {
            ata_set_address(s, s->lba + i);
            ata_fail(s, ATA_ERROR_ABRT);
            return;
        }
    }
    if (close_block(s) == 0) {
        ata_finish(s);
        return;
    }
    ata_start_write(ata);
    s->irq = true;
}

static void finish_read_block(DevAta *ata)
{
    AtaState *s = &ata->state;

    if (s->transfer == ATA_READ_SECTORS && close_block(s) > 0) {
        ata_start_read(ata);
        return;
    }
    stop_transfer(s); /* the last block of a read ends without an interrupt */
    s->status = ATA_STATUS_READY;
}

uint16_t dev_ata_read_data(DevAta *ata)
{
    AtaState *s = &ata->state;

    if (s->transfer != ATA_READ_SECTORS && s->transfer != ATA_READ_BUFFER) {
        return 0;
    }

    uint16_t value = (uint16_t)(s->buffer[s->pos] | s->buffer[s->pos + 1] << 8);

    s->pos += 2;
    if (s->pos == s->len) {
        finish_read_block(ata);
    }
    return value;
}

void dev_ata_write_data(DevAta *ata, uint16_t value)
{
    AtaState *s = &ata->state;

    if (s->transfer != ATA_WRITE_SECTORS) {
        return;
    }
    s->buffer[s->pos] = (uint8_t)value;
    s->buffer[s->pos + 1] = (uint8_t)(value >> 8);
    s->pos += 2;
    if (s->pos == s->len) {
        finish_write_block(ata);
    }
}

/* ---- registers ---- */

uint8_t dev_ata_read_register(const DevAta *ata, DevAtaRegister reg, bool previous)
{
    const AtaState *s = &ata->state;

    switch (reg) {
    case DEV_ATA_ERROR_FEATURES:
        return s->error;
    case DEV_ATA_COUNT:
        return previous ? s->previous_count : s->count;
    case DEV_ATA_LBA_LOW:
        return previous ? s->previous_low : s->lba_low;
    case DEV_ATA_LBA_MID:
        return previous ? s->previous_mid : s->lba_mid;
    case DEV_ATA_LBA_HIGH:
        return previous ? s->previous_high : s->lba_high;
    case DEV_ATA_DEVICE:
        return s->device | 0xA0; /* obsolete bits that always read as ones */
    case DEV_ATA_STATUS_COMMAND:
        return s->status;
    case DEV_ATA_DATA:
        break;
    }
    return 0;
}

static void push(uint8_t *reg, uint8_t *previous, uint8_t value)
{
    *previous = *reg;
    *reg = value;
}

void dev_ata_write_register(DevAta *ata, DevAtaRegister reg, uint8_t value)
{
    AtaState *s = &ata->state;

    switch (reg) {
    case DEV_ATA_ERROR_FEATURES:
        s->features = value;
        break;
    case DEV_ATA_COUNT:
        push(&s->count, &s->previous_count, value);
        break;
    case DEV_ATA_LBA_LOW:
        push(&s->lba_low, &s->previous_low, value);
        break;
    case DEV_ATA_LBA_MID:
        push(&s->lba_mid, &s->previous_mid, value);
        break;
    case DEV_ATA_LBA_HIGH:
        push(&s->lba_high, &s->previous_high, value);
        break;
    case DEV_ATA_DEVICE:
        s->device = value;
        break;
    case DEV_ATA_DATA:
    case DEV_ATA_STATUS_COMMAND:
        break;
    }
}

bool dev_ata_irq(const DevAta *ata)
{
    return ata->state.irq;
}

void dev_ata_acknowledge(DevAta *ata)
{
    ata->state.irq = false;
}

/* ---- state ---- */

void dev_ata_save(const DevAta *ata, GByteArray *out)
{
    emu_state_save(&desc, &ata->state, out);
}

static bool load_into(const DevAta *ata, AtaState *state, const uint8_t *bytes, size_t len,
                      size_t *pos, GError **error)
{
    size_t at = *pos;

    if (!emu_state_load(&desc, state, bytes, len, &at, error)) {
        return false;
    }
    if (!dev_ata_check_state(ata, state, error)) {
        return false;
    }
    *pos = at;
    return true;
}

bool dev_ata_check(const DevAta *ata, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    AtaState scratch = ata->state;

    return load_into(ata, &scratch, bytes, len, pos, error);
}

bool dev_ata_load(DevAta *ata, const uint8_t *bytes, size_t len, size_t *pos, GError **error)
{
    AtaState scratch = ata->state;

    if (!load_into(ata, &scratch, bytes, len, pos, error)) {
        return false;
    }
    ata->state = scratch;
    return true;
}

EmuStatePart dev_ata_part(DevAta *ata)
{
    return (EmuStatePart) { .desc = desc, .state = &ata->state };
}

bool dev_ata_check_state(const DevAta *ata, const void *state, GError **error)
{
    const AtaState *s = state;

    if (ata->disk == NULL && (s->transfer != ATA_IDLE || s->irq || s->status != 0)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_STATE,
                    "saved state of ata: drive %u is active in it, but no disk is connected there",
                    ata->number);
        return false;
    }
    return true;
}
