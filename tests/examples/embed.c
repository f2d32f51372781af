/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory system alone, in another program: 16 MiB of RAM laid out as in a PC, one device, a few
 * accesses. Build it against an installed Quire:
 *
 *     cc embed.c $(pkg-config --cflags --libs quire-memsys) && ./a.out
 */
#include <inttypes.h>
#include <quire/memsys/access.h>
#include <quire/memsys/mm.h>
#include <quire/memsys/mmio.h>
#include <stdio.h>

/* A device with one 32-bit register that counts how often it is read. */
static MemStatus counter_read(void *user, uint64_t offset, unsigned size, uint64_t *ret_value)
{
    uint32_t *n_reads = user;

    (void)offset, (void)size; /* min_size and max_size below: always an aligned 4 */
    *ret_value = ++*n_reads;
    return MEM_OK;
}

int main(void)
{
    static const PgmMmioOps counter = { .read = counter_read, .min_size = 4, .max_size = 4 };
    uint32_t n_reads = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(Gmm) gmm = gmm_new(0, &error);                      /* pages of this process */
    g_autoptr(Pgm) pgm = gmm ? pgm_new(gmm, NULL, &error) : NULL; /* one machine's memory */
    PgmMmio *mmio = NULL;

    if (!pgm || mm_register_x86(pgm, 16 << 20, 0, &error) != MEM_OK ||
        !(mmio = pgm_mmio_new(pgm, 4096, &counter, &n_reads, "demo", "counter", &error)) ||
        pgm_mmio_map(mmio, 0xfed00000, &error) != MEM_OK) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }

    MemStatus status = pgm_write_u32(pgm, 0x1000, 0x12345678); /* host memory appears here */
    PgmStats stats;

    pgm_get_stats(pgm, &stats);
    printf("%s: 0x%08" PRIx32 ", never written: 0x%" PRIx32 ", nowhere: 0x%" PRIx32 "\n",
           mem_status_name(status), pgm_read_u32(pgm, 0x1000), pgm_read_u32(pgm, 0x200000),
           pgm_read_u32(pgm, 0xa0000));
    pgm_read_u32(pgm, 0xfed00000);
    printf("device, read twice: %" PRIu32 "\n", pgm_read_u32(pgm, 0xfed00000));
    printf("pages: %" PRIu64 " zero, %" PRIu64 " private\n", stats.pages.zero,
           stats.pages.private_pages);
    pgm_mmio_free(mmio);
    return 0;
}
