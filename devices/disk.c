/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A raw image and, unless it is opened for writing, an overlay of what the guest wrote
 * (devices/disk-overlay.h).
 *
 * Invariant: a writable disk has no overlay.
 *
 * Source: ours.
 */
#include "devices/disk.h"

#include "devices/disk-overlay.h"
#include "emu/error.h"
#include "memsys/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SECTORS (UINT64_C(1) << 48) /* what LBA48 can name */

struct DevDisk {
    int fd;
    char *path;
    uint64_t n_sectors;
    uint64_t file_len;   /* bytes; the last sector may be partial */
    DevOverlay *overlay; /* NULL: writable */
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

    DevOverlay *overlay = writable ? NULL : dev_overlay_new();

    if (!writable && overlay == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_FILE,
                    "disk image %s: no memory for what the guest will write", path);
        mem_os()->close(fd);
        return NULL;
    }
    DevDisk *disk = g_new0(DevDisk, 1);

    disk->fd = fd;
    disk->path = g_strdup(path);
    disk->file_len = len;
    disk->n_sectors = (len + DEV_SECTOR_SIZE - 1) / DEV_SECTOR_SIZE;
    disk->overlay = overlay;
    return disk;
}

void dev_disk_free(DevDisk *disk)
{
    if (disk == NULL) {
        return;
    }
    dev_overlay_free(disk->overlay);
    mem_os()->close(disk->fd);
    g_free(disk->path);
    g_free(disk);
}

uint64_t dev_disk_sectors(const DevDisk *disk)
{
    return disk->n_sectors;
}

/* Sectors of the image. Bytes of the last one behind the end of the file read zeros; a file that
 * shrank meanwhile is a host failure. */
static bool read_file(const DevDisk *disk, uint64_t lba, uint8_t *ret_sectors, size_t n_sectors)
{
    uint64_t offset = lba * DEV_SECTOR_SIZE;
    size_t len = n_sectors * DEV_SECTOR_SIZE;
    size_t want = (size_t)MIN(disk->file_len - offset, (uint64_t)len);
    size_t done = 0;

    while (done < want) {
        ssize_t n =
            mem_os()->pread(disk->fd, ret_sectors + done, want - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return false;
        }
        done += (size_t)n;
    }
    memset(ret_sectors + want, 0, len - want);
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
    const uint8_t *sector = disk->overlay != NULL ? dev_overlay_lookup(disk->overlay, lba) : NULL;

    if (sector != NULL) {
        memcpy(ret_sector, sector, DEV_SECTOR_SIZE);
        return true;
    }
    return read_file(disk, lba, ret_sector, 1);
}

bool dev_disk_write(DevDisk *disk, uint64_t lba, const uint8_t *sector)
{
    if (lba >= disk->n_sectors) {
        return false;
    }
    return disk->overlay != NULL ? dev_overlay_write(disk->overlay, lba, sector)
                                 : write_file(disk, lba, sector);
}

bool dev_disk_flush(DevDisk *disk)
{
    return disk->overlay != NULL || mem_os()->fsync(disk->fd) == 0;
}

/* ---- state: see emu/state-units.h */

#define IDENTITY_LEN 32
#define IDENTITY_STEP 32u                  /* sectors read at once */
#define IDENTITY_BYTES (UINT64_C(1) << 20) /* at both ends of the image */

/*
 * What tells images apart: SHA-256 of the first and the last MiB. All of an image would take
 * seconds a GiB; boot sectors, partition tables and file systems' heads lie there. False with errno
 * set if the host cannot read it.
 */
static bool identify(const DevDisk *disk, uint8_t *ret_identity)
{
    const uint64_t n = MIN(IDENTITY_BYTES / DEV_SECTOR_SIZE, disk->n_sectors);
    const uint64_t starts[] = { 0, disk->n_sectors - n };
    uint8_t sectors[IDENTITY_STEP * DEV_SECTOR_SIZE];
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize len = IDENTITY_LEN;
    bool ok = true;

    for (unsigned end = 0; end < G_N_ELEMENTS(starts) && ok; end++) {
        for (uint64_t done = 0; done < n && ok; done += IDENTITY_STEP) {
            size_t step = (size_t)MIN(n - done, (uint64_t)IDENTITY_STEP);

            ok = read_file(disk, starts[end] + done, sectors, step);
            g_checksum_update(sum, sectors, ok ? (gssize)(step * DEV_SECTOR_SIZE) : 0);
        }
    }
    int why = errno;

    g_checksum_get_digest(sum, ret_identity, &len);
    g_checksum_free(sum);
    errno = why;
    return ok;
}

void *dev_disk_take(void *user, GError **error)
{
    DevDisk *disk = user;
    DevLayer *layer = disk->overlay == NULL ? NULL : dev_overlay_freeze(disk->overlay);

    if (layer == NULL) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_UNSUPPORTED,
                    disk->overlay == NULL
                        ? "disk image %s: is open for writing; what went to the file cannot be "
                          "taken back, so there are no snapshots"
                        : "disk image %s: no memory for a snapshot",
                    disk->path);
    }
    return layer;
}

void dev_disk_restore(void *user, void *taken)
{
    DevDisk *disk = user;

    if (disk->overlay != NULL) {
        dev_overlay_go_to(disk->overlay, taken);
    }
}

void dev_disk_drop(void *user, void *taken)
{
    DevDisk *disk = user;

    dev_layer_unref(taken);
    if (disk->overlay != NULL) {
        dev_overlay_merge(disk->overlay);
    }
}

static void put_cluster(uint64_t number, const uint8_t *const *sectors, void *user)
{
    MemStateWriter *writer = user;
    uint8_t present = 0;

    for (unsigned i = 0; i < DEV_CLUSTER_SECTORS; i++) {
        present |= (uint8_t)((sectors[i] != NULL) << i);
    }
    mem_state_put_u64(writer, number);
    mem_state_put_u8(writer, present);
    for (unsigned i = 0; i < DEV_CLUSTER_SECTORS; i++) {
        if (sectors[i] != NULL) {
            mem_state_put(writer, sectors[i], DEV_SECTOR_SIZE);
        }
    }
}

/* name string | sectors u64 | identity | clusters u64 | each: number u64, present u8, sectors */
void dev_disk_put(void *user, MemStateWriter *writer)
{
    DevDisk *disk = user;
    uint8_t identity[IDENTITY_LEN];

    if (!identify(disk, identity)) {
        mem_state_writer_fail(writer, "disk image %s: cannot be read: %s", disk->path,
                              g_strerror(errno));
        return;
    }
    mem_state_put_string(writer, disk->path);
    mem_state_put_u64(writer, disk->n_sectors);
    mem_state_put(writer, identity, sizeof(identity));
    if (disk->overlay == NULL) {
        mem_state_put_u64(writer, 0);
        return;
    }
    mem_state_put_u64(writer, dev_overlay_each(disk->overlay, NULL, NULL));
    dev_overlay_each(disk->overlay, put_cluster, writer);
}

static bool check_image(const DevDisk *disk, MemStateReader *reader, GError **error)
{
    g_autofree char *name = mem_state_get_string(reader, 65536, error);
    uint8_t want[IDENTITY_LEN], have[IDENTITY_LEN];
    uint64_t n_sectors;

    if (name == NULL || !mem_state_get_u64(reader, &n_sectors, error) ||
        !mem_state_get(reader, want, sizeof(want), error)) {
        return false;
    }
    if (n_sectors != disk->n_sectors) {
        return mem_state_bad(reader, error,
                             "it needs disk image %s of %" G_GUINT64_FORMAT
                             " sectors; here is %s of %" G_GUINT64_FORMAT,
                             name, n_sectors, disk->path, disk->n_sectors);
    }
    if (!identify(disk, have)) {
        return mem_state_bad(reader, error, "disk image %s: cannot be read: %s", disk->path,
                             g_strerror(errno));
    }
    return memcmp(want, have, sizeof(want)) == 0 ||
           mem_state_bad(reader, error,
                         "it needs disk image %s as it was; %s has another first or last MiB", name,
                         disk->path);
}

static bool get_cluster(const DevDisk *disk, MemStateReader *reader, DevLayer *layer,
                        GError **error)
{
    uint8_t sector[DEV_SECTOR_SIZE];
    uint64_t number;
    uint8_t present;

    if (!mem_state_get_u64(reader, &number, error) || !mem_state_get_u8(reader, &present, error)) {
        return false;
    }
    for (unsigned i = 0; i < DEV_CLUSTER_SECTORS; i++) {
        uint64_t lba = number * DEV_CLUSTER_SECTORS + i;

        if ((present >> i & 1) == 0) {
            continue;
        }
        if (number >= MAX_SECTORS || lba >= disk->n_sectors) {
            return mem_state_bad(reader, error, "a sector lies behind the end of the disk");
        }
        if (!mem_state_get(reader, sector, sizeof(sector), error)) {
            return false;
        }
        if (!dev_layer_write(layer, lba, sector)) {
            return mem_state_bad(reader, error, "no memory for what the guest wrote to %s",
                                 disk->path);
        }
    }
    return true;
}

void *dev_disk_get(void *user, MemStateReader *reader, uint32_t version, GError **error)
{
    DevDisk *disk = user;
    uint64_t n;

    (void)version;
    if (!check_image(disk, reader, error) || !mem_state_get_u64(reader, &n, error)) {
        return NULL;
    }
    if (n > 0 && disk->overlay == NULL) {
        mem_state_bad(reader, error, "the guest wrote to an overlay, but %s is open for writing",
                      disk->path);
        return NULL;
    }
    DevLayer *layer = dev_layer_new();
    bool ok = layer != NULL || mem_state_bad(reader, error, "no memory for %s", disk->path);

    for (uint64_t i = 0; i < n && ok; i++) {
        ok = get_cluster(disk, reader, layer, error);
    }
    if (!ok) {
        dev_layer_unref(layer);
        return NULL;
    }
    return layer;
}
