/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ata.c (task file, transfers, state) and ata-command.c (commands) share. */
#pragma once

#include "devices/ata.h"

#define ATA_MAX_MULTIPLE 16
#define ATA_BUFFER_SIZE (ATA_MAX_MULTIPLE * DEV_SECTOR_SIZE)

enum {
    ATA_STATUS_ERR = 0x01,
    ATA_STATUS_DRQ = 0x08,
    ATA_STATUS_DSC = 0x10,
    ATA_STATUS_DRDY = 0x40,
    ATA_STATUS_READY = ATA_STATUS_DRDY | ATA_STATUS_DSC,
};

enum {
    ATA_ERROR_ABRT = 0x04,
    ATA_ERROR_IDNF = 0x10,
    ATA_ERROR_UNC = 0x40,
};

#define ATA_DEVICE_LBA 0x40
#define ATA_DEVICE_HEAD 0x0F

/* How the running command names sectors. */
typedef enum AtaAddressing { ATA_CHS, ATA_LBA28, ATA_LBA48 } AtaAddressing;

typedef enum AtaTransfer {
    ATA_IDLE,
    ATA_READ_SECTORS,
    ATA_WRITE_SECTORS,
    ATA_READ_BUFFER, /* one block that did not come from the disk: IDENTIFY */
} AtaTransfer;

typedef struct AtaState {
    /* The task file. The previous values are what LBA48 commands take as the high halves. */
    uint8_t features;
    uint8_t count;
    uint8_t lba_low;
    uint8_t lba_mid;
    uint8_t lba_high;
    uint8_t previous_count;
    uint8_t previous_low;
    uint8_t previous_mid;
    uint8_t previous_high;
    uint8_t device;
    uint8_t status;
    uint8_t error;
    bool irq;

    /* Settings. */
    uint8_t heads;    /* of the CHS translation in force: 1 to 16 */
    uint8_t sectors;  /* a track: 1 to 255 */
    uint8_t multiple; /* sectors a block of READ and WRITE MULTIPLE; 0: switched off */

    /* The transfer in progress. */
    uint8_t transfer;   /* AtaTransfer */
    uint8_t addressing; /* AtaAddressing */
    uint8_t block;      /* sectors between two interrupts */
    uint16_t pos;       /* bytes of the buffer that went through the data register */
    uint16_t len;       /* bytes of the buffer in use */
    uint32_t left;      /* sectors to go, those in the buffer included */
    uint64_t lba;       /* of the buffer's first sector */
    uint8_t buffer[ATA_BUFFER_SIZE];
} AtaState;

struct DevAta {
    DevDisk *disk;
    unsigned number;
    uint16_t cylinders; /* of the default translation */
    uint8_t heads;
    uint8_t sectors;
    AtaState state;
};

/* Ends the running command: well, or with bits for the error register. Both ask for an interrupt.
 */
void ata_finish(AtaState *s);
void ata_fail(AtaState *s, uint8_t error);

/* The register signature that tells a hard disk from a packet device. */
void ata_set_signature(AtaState *s);

/* @lba into the address registers, in the way the running command addresses sectors. */
void ata_set_address(AtaState *s, uint64_t lba);

/* Starts with lba, left, block and addressing set. */
void ata_start_read(DevAta *ata);
void ata_start_write(DevAta *ata);
