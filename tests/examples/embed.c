/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory system alone, in another program: 16 MiB of RAM laid out as in a PC, and a few
 * accesses. Build it against an installed Quire:
 *
 *     cc embed.c $(pkg-config --cflags --libs quire-memsys) && ./a.out
 */
#include <quire/memsys/access.h>
#include <quire/memsys/mm.h>
#include <stdio.h>

int main(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Gmm) gmm = gmm_new(0, &error);                      /* pages of this process */
    g_autoptr(Pgm) pgm = gmm ? pgm_new(gmm, NULL, &error) : NULL; /* one machine's memory */
    PgmStats stats;

    if (!pgm || mm_register_x86(pgm, 16 << 20, 0, &error) != MEM_OK) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    if (pgm_write_u32(pgm, 0x1000, 0x12345678) != MEM_OK) { /* host memory appears here */
        return 1;
    }
    pgm_get_stats(pgm, &stats);
    printf("written 0x%x, never written 0x%x, nowhere 0x%x; pages: %u private, %u zero\n",
           pgm_read_u32(pgm, 0x1000), pgm_read_u32(pgm, 0x200000), pgm_read_u32(pgm, 0xa0000),
           (unsigned)stats.pages.private_pages, (unsigned)stats.pages.zero);
    return 0;
}
