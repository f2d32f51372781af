/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of the memory system alone: what is written after it is taken back, and only those
 * pages cost anything. Build it against an installed Quire:
 *
 *     cc snapshot.c $(pkg-config --cflags --libs quire-memsys) && ./a.out
 */
#include <quire/memsys/access.h>
#include <quire/memsys/mm.h>
#include <quire/memsys/snapshot.h>
#include <stdio.h>

int main(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Gmm) gmm = gmm_new(0, &error);
    g_autoptr(Pgm) pgm = gmm ? pgm_new(gmm, NULL, &error) : NULL;
    PgmSnapshot *snapshot = NULL;
    PgmSnapshotStats stats;

    if (!pgm || mm_register_x86(pgm, 64 << 20, 0, &error) != MEM_OK ||
        pgm_write_u32(pgm, 0x1000, 1) != MEM_OK ||
        !(snapshot = pgm_snapshot_take(pgm, "before", PGM_SNAPSHOT_DEFAULT, &error)) ||
        pgm_write_u32(pgm, 0x1000, 2) != MEM_OK || pgm_write_u32(pgm, 0x2000, 3) != MEM_OK) {
        fprintf(stderr, "%s\n", error ? error->message : "no memory");
        return 1;
    }
    pgm_snapshot_get_stats(pgm, &stats);
    printf("written since \"%s\": %u pages; now %u and %u, ", pgm_snapshot_name(snapshot),
           (unsigned)stats.n_live, pgm_read_u32(pgm, 0x1000), pgm_read_u32(pgm, 0x2000));
    pgm_snapshot_restore(snapshot);
    printf("restored %u and %u\n", pgm_read_u32(pgm, 0x1000), pgm_read_u32(pgm, 0x2000));
    pgm_snapshot_drop(snapshot);
    return 0;
}
