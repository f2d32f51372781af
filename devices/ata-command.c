/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of an ATA hard disk, as a table from code to function.
 *
 * Source: T13/1410D, ATA/ATAPI-6, section 8; codes that it made obsolete (CHS, RECALIBRATE, the
 * 0x94 to 0x99 power codes) from ATA-2 (X3T10/0948D).
 */
#include "devices/ata-internal.h"
#include "memsys/planted.h"

#include <string.h>

typedef struct AtaCommand {
    void (*func)(DevAta *ata, const struct AtaCommand *command);
    bool ext;      /* LBA48: two-deep registers */
    bool multiple; /* blocks of `multiple` sectors */
} AtaCommand;

enum {
    FEATURE_WRITE_CACHE_ON = 0x02,
    FEATURE_TRANSFER_MODE = 0x03,
    FEATURE_LOOK_AHEAD_OFF = 0x55,
    FEATURE_KEEP_SETTINGS = 0x66,
    FEATURE_WRITE_CACHE_OFF = 0x82,
    FEATURE_LOOK_AHEAD_ON = 0xAA,
    FEATURE_REVERT_SETTINGS = 0xCC,
};

/* The sector the CHS registers name. False: no such sector. */
static bool chs_address(const AtaState *s, uint64_t *ret_lba)
{
    uint64_t cylinder = (uint64_t)s->lba_high << 8 | s->lba_mid;
    unsigned head = s->device & ATA_DEVICE_HEAD;
    unsigned sector = s->lba_low;

    if (head >= s->heads || sector < 1 || sector > s->sectors) {
        return false;
    }
    *ret_lba = (cylinder * s->heads + head) * s->sectors + sector - 1;
    return true;
}

/* Address and count from the task file into the transfer. False: the command has failed. */
static bool take_address(AtaState *s, bool ext)
{
    uint64_t low = (uint64_t)s->lba_high << 16 | (uint64_t)s->lba_mid << 8 | s->lba_low;

    s->left = s->count != 0 ? s->count : 256;
    if (ext) {
        uint32_t count = (uint32_t)s->previous_count << 8 | s->count;

        s->addressing = ATA_LBA48;
        s->left = count != 0 ? count : 65536;
        s->lba = (uint64_t)s->previous_high << 40 | (uint64_t)s->previous_mid << 32 |
                 (uint64_t)s->previous_low << 24 | low;
        return true;
    }
    if ((s->device & ATA_DEVICE_LBA) != 0) {
        s->addressing = ATA_LBA28;
        s->lba = (uint64_t)(s->device & ATA_DEVICE_HEAD) << 24 | low;
        return true;
    }
    s->addressing = ATA_CHS;
    if (!chs_address(s, &s->lba)) {
        ata_fail(s, ATA_ERROR_IDNF);
        return false;
    }
    return true;
}

/* Everything a read or write needs before its first block. */
static bool prepare(AtaState *s, const AtaCommand *command)
{
    if (command->multiple && s->multiple == 0) {
        ata_fail(s, ATA_ERROR_ABRT);
        return false;
    }
    s->block = command->multiple ? s->multiple : 1;
    return take_address(s, command->ext);
}

static void do_read(DevAta *ata, const AtaCommand *command)
{
    if (prepare(&ata->state, command)) {
        ata_start_read(ata);
    }
}

static void do_write(DevAta *ata, const AtaCommand *command)
{
    if (prepare(&ata->state, command)) {
        ata_start_write(ata);
    }
}

/* Whether the sectors exist; the host's file is not read for it. */
static void do_verify(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;
    uint64_t n_disk = dev_disk_sectors(ata->disk);

    if (!take_address(s, command->ext)) {
        return;
    }
    if (s->lba >= n_disk || s->left > n_disk - s->lba) {
        ata_set_address(s, MAX(s->lba, n_disk));
        ata_fail(s, ATA_ERROR_IDNF);
        return;
    }
    ata_set_address(s, s->lba + s->left - 1);
    s->count = 0;
    ata_finish(s);
}

static void do_seek(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;

    if (!take_address(s, command->ext)) {
        return;
    }
    if (s->lba >= dev_disk_sectors(ata->disk)) {
        ata_fail(s, ATA_ERROR_IDNF);
        return;
    }
    ata_finish(s);
}

static void do_nothing(DevAta *ata, const AtaCommand *command)
{
    (void)command;
    ata_finish(&ata->state);
}

static void do_recalibrate(DevAta *ata, const AtaCommand *command)
{
    ata->state.lba_mid = 0;
    ata->state.lba_high = 0;
    do_nothing(ata, command);
}

static void do_check_power(DevAta *ata, const AtaCommand *command)
{
    ata->state.count = 0xFF; /* active or idle */
    do_nothing(ata, command);
}

static void do_initialize_parameters(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;

    (void)command;
    if (s->count == 0) {
        ata_fail(s, ATA_ERROR_ABRT);
        return;
    }
    s->sectors = s->count;
    s->heads = (uint8_t)((s->device & ATA_DEVICE_HEAD) + 1);
    ata_finish(s);
}

static void do_diagnostic(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;

    (void)command;
    ata_set_signature(s);
    ata_finish(s);
    s->error = 0x01; /* this drive passed, and so did the other or there is none */
}

static void do_set_multiple(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;

    (void)command;
    if (s->count > QUIRE_PLANTED(ide, ATA_MAX_MULTIPLE, 2 * ATA_MAX_MULTIPLE) ||
        (s->count & (s->count - 1)) != 0) {
        ata_fail(s, ATA_ERROR_ABRT);
        return;
    }
    s->multiple = s->count;
    ata_finish(s);
}

static void do_flush(DevAta *ata, const AtaCommand *command)
{
    (void)command;
    if (dev_disk_flush(ata->disk)) {
        ata_finish(&ata->state);
    } else {
        ata_fail(&ata->state, ATA_ERROR_ABRT);
    }
}

static bool feature_is_known(const AtaState *s)
{
    switch (s->features) {
    case FEATURE_WRITE_CACHE_ON:
    case FEATURE_WRITE_CACHE_OFF:
    case FEATURE_LOOK_AHEAD_ON:
    case FEATURE_LOOK_AHEAD_OFF:
    case FEATURE_KEEP_SETTINGS:
    case FEATURE_REVERT_SETTINGS:
        return true;
    case FEATURE_TRANSFER_MODE: /* PIO default, or PIO mode 0 to 4 with flow control */
        return s->count <= 1 || (s->count >= 0x08 && s->count <= 0x0C);
    default:
        return false;
    }
}

static void do_set_features(DevAta *ata, const AtaCommand *command)
{
    if (feature_is_known(&ata->state)) {
        do_nothing(ata, command);
    } else {
        ata_fail(&ata->state, ATA_ERROR_ABRT);
    }
}

static void do_native_max(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;
    uint64_t last = dev_disk_sectors(ata->disk) - 1;

    s->addressing = command->ext ? ATA_LBA48 : ATA_LBA28;
    ata_set_address(s, command->ext ? last : MIN(last, UINT64_C(0x0FFFFFFE)));
    ata_finish(s);
}

/* ---- IDENTIFY DEVICE ---- */

typedef struct Identity {
    uint16_t words[DEV_SECTOR_SIZE / 2];
} Identity;

/* ATA strings hold two characters a word, the first in the high byte, padded with spaces. */
static void put_string(Identity *id, unsigned word, unsigned n_words, const char *text)
{
    size_t len = strlen(text);

    for (unsigned i = 0; i < n_words; i++) {
        unsigned high = 2 * i < len ? (unsigned char)text[2 * i] : ' ';
        unsigned low = 2 * i + 1 < len ? (unsigned char)text[2 * i + 1] : ' ';

        id->words[word + i] = (uint16_t)(high << 8 | low);
    }
}

static void put_number(Identity *id, unsigned word, unsigned n_words, uint64_t value)
{
    for (unsigned i = 0; i < n_words; i++) {
        id->words[word + i] = (uint16_t)(value >> (16 * i));
    }
}

/* Word, value: what never changes. */
static const struct {
    uint8_t word;
    uint16_t value;
} identity[] = {
    { 0, 0x0040 },                     /* a fixed ATA disk */
    { 47, 0x8000 | ATA_MAX_MULTIPLE }, /* largest block of the MULTIPLE commands */
    { 48, 0x0001 },                    /* 32-bit data port (as old drivers ask for it) */
    { 49, 0x0A00 },                    /* LBA, IORDY; no DMA */
    { 50, 0x4000 },
    { 51, 0x0200 }, /* PIO mode 2 as the base */
    { 53, 0x0003 }, /* words 54 to 58 and 64 to 70 are valid */
    { 64, 0x0003 }, /* PIO modes 3 and 4 */
    { 67, 120 },    /* ns a PIO cycle, without and with IORDY */
    { 68, 120 },
    { 80, 0x007E }, /* ATA-1 to ATA/ATAPI-6 */
    { 82, 0x0060 }, /* look-ahead, write cache */
    { 83, 0x7400 }, /* FLUSH CACHE (EXT), LBA48 */
    { 84, 0x4000 },
    { 85, 0x0060 }, /* the same, switched on */
    { 86, 0x3400 },
    { 87, 0x4000 },
};

static void put_geometry(Identity *id, const DevAta *ata)
{
    const AtaState *s = &ata->state;
    uint64_t n = dev_disk_sectors(ata->disk);
    uint64_t track = (uint64_t)s->heads * s->sectors;
    uint64_t cylinders = MIN(n / track, UINT64_C(65535));

    id->words[1] = ata->cylinders;
    id->words[3] = ata->heads;
    id->words[6] = ata->sectors;
    id->words[54] = (uint16_t)cylinders;
    id->words[55] = s->heads;
    id->words[56] = s->sectors;
    put_number(id, 57, 2, cylinders * track);
    put_number(id, 60, 2, MIN(n, UINT64_C(0x0FFFFFFF)));
    put_number(id, 100, 4, n);
}

static void do_identify(DevAta *ata, const AtaCommand *command)
{
    AtaState *s = &ata->state;
    Identity id = { 0 };
    char serial[21];

    (void)command;
    for (unsigned i = 0; i < G_N_ELEMENTS(identity); i++) {
        id.words[identity[i].word] = identity[i].value;
    }
    put_geometry(&id, ata);
    g_snprintf(serial, sizeof serial, "QUIRE-%05u", ata->number + 1);
    put_string(&id, 10, 10, serial);
    put_string(&id, 23, 4, QUIRE_VERSION);
    put_string(&id, 27, 20, "QUIRE HARD DISK");
    id.words[59] = s->multiple != 0 ? 0x0100 | s->multiple : 0;
    for (unsigned i = 0; i < DEV_SECTOR_SIZE / 2; i++) {
        s->buffer[2 * i] = (uint8_t)id.words[i];
        s->buffer[2 * i + 1] = (uint8_t)(id.words[i] >> 8);
    }
    s->transfer = ATA_READ_BUFFER;
    s->pos = 0;
    s->len = DEV_SECTOR_SIZE;
    s->status = ATA_STATUS_READY | ATA_STATUS_DRQ;
    s->error = 0;
    s->irq = true;
}

/* Codes without a function end with ABRT, IDENTIFY PACKET DEVICE (0xA1) and NOP (0x00) among them.
 */
static const AtaCommand commands[256] = {
    [0x10] = { do_recalibrate, false, false }, /* to 0x1F */
    [0x20] = { do_read, false, false },
    [0x21] = { do_read, false, false }, /* without retries */
    [0x24] = { do_read, true, false },
    [0x27] = { do_native_max, true, false },
    [0x29] = { do_read, true, true },
    [0x30] = { do_write, false, false },
    [0x31] = { do_write, false, false }, /* without retries */
    [0x34] = { do_write, true, false },
    [0x39] = { do_write, true, true },
    [0x40] = { do_verify, false, false },
    [0x41] = { do_verify, false, false }, /* without retries */
    [0x42] = { do_verify, true, false },
    [0x70] = { do_seek, false, false }, /* to 0x7F */
    [DEV_ATA_COMMAND_DIAGNOSTIC] = { do_diagnostic, false, false },
    [0x91] = { do_initialize_parameters, false, false },
    [0x94] = { do_nothing, false, false },     /* STANDBY IMMEDIATE, as 0xE0 */
    [0x95] = { do_nothing, false, false },     /* IDLE IMMEDIATE, as 0xE1 */
    [0x96] = { do_nothing, false, false },     /* STANDBY, as 0xE2 */
    [0x97] = { do_nothing, false, false },     /* IDLE, as 0xE3 */
    [0x98] = { do_check_power, false, false }, /* as 0xE5 */
    [0x99] = { do_nothing, false, false },     /* SLEEP, as 0xE6 */
    [0xC4] = { do_read, false, true },
    [0xC5] = { do_write, false, true },
    [0xC6] = { do_set_multiple, false, false },
    [0xE0] = { do_nothing, false, false },
    [0xE1] = { do_nothing, false, false },
    [0xE2] = { do_nothing, false, false },
    [0xE3] = { do_nothing, false, false },
    [0xE5] = { do_check_power, false, false },
    [0xE6] = { do_nothing, false, false },
    [0xE7] = { do_flush, false, false },
    [0xEA] = { do_flush, true, false },
    [0xEC] = { do_identify, false, false },
    [0xEF] = { do_set_features, false, false },
    [0xF8] = { do_native_max, false, false },
};

/* RECALIBRATE and SEEK once carried a step rate in their low digit. */
static const AtaCommand *lookup_command(uint8_t code)
{
    unsigned high = code & 0xF0u;

    return &commands[high == 0x10 || high == 0x70 ? high : code];
}

void dev_ata_command(DevAta *ata, uint8_t code)
{
    const AtaCommand *command = lookup_command(code);
    AtaState *s = &ata->state;

    if (ata->disk == NULL) {
        return;
    }
    s->irq = false; /* a new command takes an old interrupt back */
    if (command->func == NULL) {
        ata_fail(s, ATA_ERROR_ABRT);
        return;
    }
    s->transfer = ATA_IDLE; /* and ends an unfinished transfer */
    command->func(ata, command);
}
