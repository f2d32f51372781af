/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DevAta: one ATA hard disk behind a DevIde channel: its task file, its commands and its PIO
 * transfers. The channel decides which of its two drives an access is for.
 *
 * Thread: the machine's.
 */
#pragma once

#include "devices/disk.h"
#include "emu/state-units.h"

typedef struct DevAta DevAta;

/* Registers of the command block, by offset from its base. */
typedef enum DevAtaRegister {
    DEV_ATA_DATA,
    DEV_ATA_ERROR_FEATURES,
    DEV_ATA_COUNT,
    DEV_ATA_LBA_LOW,
    DEV_ATA_LBA_MID,
    DEV_ATA_LBA_HIGH,
    DEV_ATA_DEVICE,
    DEV_ATA_STATUS_COMMAND,
} DevAtaRegister;

#define DEV_ATA_DEVICE_SLAVE 0x10
#define DEV_ATA_COMMAND_DIAGNOSTIC 0x90

/**
 * dev_ata_new:
 * @disk: (nullable): NULL: an empty connector, which only remembers what is written to its
 * registers
 * @number: 0 to 3, for the serial number
 */
DevAta *dev_ata_new(DevDisk *disk, unsigned number);
void dev_ata_free(DevAta *ata);
bool dev_ata_is_present(const DevAta *ata);

/* Power-on; software reset (the state it leaves is that after SRST falls). Neither raises an
 * interrupt. */
void dev_ata_reset(DevAta *ata);
void dev_ata_soft_reset(DevAta *ata);

/**
 * dev_ata_read_register, dev_ata_write_register:
 * @reg: DEV_ATA_ERROR_FEATURES to DEV_ATA_STATUS_COMMAND; command is dev_ata_command()
 * @previous: read what was written before the last value (HOB), where the register has two
 */
uint8_t dev_ata_read_register(const DevAta *ata, DevAtaRegister reg, bool previous);
void dev_ata_write_register(DevAta *ata, DevAtaRegister reg, uint8_t value);

/* @code: any; unknown ones end with ABRT. Nothing happens without a disk. */
void dev_ata_command(DevAta *ata, uint8_t code);

/* Words of the data register. Outside of a transfer reads give 0 and writes vanish. */
uint16_t dev_ata_read_data(DevAta *ata);
void dev_ata_write_data(DevAta *ata, uint16_t value);

/* INTRQ as the drive wants it; acknowledged by reading status. */
bool dev_ata_irq(const DevAta *ata);
void dev_ata_acknowledge(DevAta *ata);

void dev_ata_save(const DevAta *ata, GByteArray *out);
bool dev_ata_load(DevAta *ata, const uint8_t *bytes, size_t len, size_t *pos, GError **error);
/* What a load would take, without changing @ata: lets the channel load several as one. */
bool dev_ata_check(const DevAta *ata, const uint8_t *bytes, size_t len, size_t *pos,
                   GError **error);

/* Of an EmuStateUnit. */
EmuStatePart dev_ata_part(DevAta *ata);
/* Rules for a loaded state beyond its table. */
bool dev_ata_check_state(const DevAta *ata, const void *state, GError **error);
