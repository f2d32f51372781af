/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A raw image and, unless it is opened for writing, an overlay of what the guest wrote. The overlay
 * is a set of clusters of 8 sectors, each with a bit a sector that says whether the overlay or the
 * image has it; it cannot outgrow the disk.
 *
 * Invariant: a writable disk has no overlay.
 *
 * Source: ours.
 */
#include "devices/disk.h"

#include "emu/error.h"
#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CLUSTER_SECTORS 8
#define MAX_SECTORS (UINT64_C(1) << 48) /* what LBA48 can name */

typedef struct Cluster {
    uint64_t number; /* first member: the key of the set */
    uint8_t present; /* bit a sector */
    uint8_t data[CLUSTER_SECTORS * DEV_SECTOR_SIZE];
} Cluster;

G_STATIC_ASSERT(offsetof(Cluster, number) == 0);

struct DevDisk {
    int fd;
    uint64_t n_sectors;
    uint64_t file_len;   /* bytes; the last sector may be partial */
    GHashTable *overlay; /* set of Cluster; NULL: writable */
};

static bool check_file(int fd, const char *path, uint64_t *ret_len, GError **error)
{
    struct stat st;

    if (mem_os()->fstat(fd, &st) != 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "disk image %s: cannot be examined: %s", path,
                    g_strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "disk image %s: is %s; give a file or a block device", path,
                    S_ISDIR(st.st_mode) ? "a directory" : "not a file");
        return false;
    }

    off_t len = S_ISBLK(st.st_mode) ? mem_os()->lseek(fd, 0, SEEK_END) : st.st_size;

    if (len <= 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    len == 0 ? "disk image %s: is empty; a disk needs at least one sector"
                             : "disk image %s: its size cannot be found out",
                    path);
        return false;
    }
    if ((uint64_t)len / DEV_SECTOR_SIZE >= MAX_SECTORS) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "disk image %s: %" G_GUINT64_FORMAT " bytes are more than a disk can have",
                    path, (uint64_t)len);
        return false;
    }
    *ret_len = (uint64_t)len;
    return true;
}

DevDisk *dev_disk_open(const char *path, bool writable, GError **error)
{
    /* O_NONBLOCK: opening a pipe must fail here, not wait for its other end. */
    int fd = mem_os()->open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, 0);
    uint64_t len;

    if (fd < 0) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE, "disk image %s: cannot be opened for %s: %s",
                    path, writable ? "writing" : "reading", g_strerror(errno));
        return NULL;
    }
    if (!check_file(fd, path, &len, error)) {
        mem_os()->close(fd);
        return NULL;
    }

    DevDisk *disk = g_new0(DevDisk, 1);

    disk->fd = fd;
    disk->file_len = len;
    disk->n_sectors = (len + DEV_SECTOR_SIZE - 1) / DEV_SECTOR_SIZE;
    if (!writable) {
        disk->overlay = g_hash_table_new_full(g_int64_hash, g_int64_equal, mem_os()->free, NULL);
    }
    return disk;
}

void dev_disk_free(DevDisk *disk)
{
    if (disk == NULL) {
        return;
    }
    g_clear_pointer(&disk->overlay, g_hash_table_unref);
    mem_os()->close(disk->fd);
    g_free(disk);
}

uint64_t dev_disk_sectors(const DevDisk *disk)
{
    return disk->n_sectors;
}

/* Bytes of the file behind the last whole one read zeros; a file that shrank meanwhile is a host
 * failure. */
static bool read_file(const DevDisk *disk, uint64_t lba, uint8_t *ret_sector)
{
    uint64_t offset = lba * DEV_SECTOR_SIZE;
    size_t want = (size_t)MIN(disk->file_len - offset, (uint64_t)DEV_SECTOR_SIZE);
    size_t done = 0;

    while (done < want) {
        ssize_t n =
            mem_os()->pread(disk->fd, ret_sector + done, want - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    memset(ret_sector + want, 0, DEV_SECTOR_SIZE - want);
    return true;
}

static bool write_file(DevDisk *disk, uint64_t lba, const uint8_t *sector)
{
    uint64_t offset = lba * DEV_SECTOR_SIZE;
    size_t done = 0;

    while (done < DEV_SECTOR_SIZE) {
        ssize_t n = mem_os()->pwrite(disk->fd, sector + done, DEV_SECTOR_SIZE - done,
                                     (off_t)(offset + done));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    /* Writing a partial last sector made the file a whole number of sectors. */
    disk->file_len = MAX(disk->file_len, offset + DEV_SECTOR_SIZE);
    return true;
}

bool dev_disk_read(DevDisk *disk, uint64_t lba, uint8_t *ret_sector)
{
    if (lba >= disk->n_sectors) {
        return false;
    }
    if (disk->overlay != NULL) {
        uint64_t number = lba / CLUSTER_SECTORS;
        unsigned index = (unsigned)(lba % CLUSTER_SECTORS);
        const Cluster *cluster = g_hash_table_lookup(disk->overlay, &number);

        if (cluster != NULL && (cluster->present >> index & 1) != 0) {
            memcpy(ret_sector, cluster->data + index * DEV_SECTOR_SIZE, DEV_SECTOR_SIZE);
            return true;
        }
    }
    return read_file(disk, lba, ret_sector);
}

bool dev_disk_write(DevDisk *disk, uint64_t lba, const uint8_t *sector)
{
    if (lba >= disk->n_sectors) {
        return false;
    }
    if (disk->overlay == NULL) {
        return write_file(disk, lba, sector);
    }

    uint64_t number = lba / CLUSTER_SECTORS;
    unsigned index = (unsigned)(lba % CLUSTER_SECTORS);
    Cluster *cluster = g_hash_table_lookup(disk->overlay, &number);

    if (cluster == NULL) {
        cluster = mem_os()->try_alloc0(sizeof(Cluster));
        if (cluster == NULL) {
            return false;
        }
        cluster->number = number;
        cluster->present = 0;
        g_hash_table_add(disk->overlay, cluster);
    }
    memcpy(cluster->data + index * DEV_SECTOR_SIZE, sector, DEV_SECTOR_SIZE);
    cluster->present |= (uint8_t)(1u << index);
    return true;
}

bool dev_disk_flush(DevDisk *disk)
{
    return disk->overlay != NULL || mem_os()->fsync(disk->fd) == 0;
}
