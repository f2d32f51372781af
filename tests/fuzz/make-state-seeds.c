/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-state-seeds FOLDER: saved states of the small machine of fuzz-state.c: untouched, written
 * to, and cut off.
 */
#include "tests/fuzz/state-machine.h"

#include "memsys/access.h"

static void save(Pgm *pgm, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 0, NULL);

    fuzz_check(writer != NULL, "cannot write %s", path);
    pgm_save(pgm, writer);
    fuzz_check(mem_state_writer_commit(writer, NULL), "cannot write %s", path);
}

int main(int argc, char **argv)
{
    fuzz_check(argc == 2 && g_mkdir_with_parents(argv[1], 0777) == 0, "give a folder");

    Gmm *gmm = gmm_new(UINT64_C(64) << 20, NULL);
    Pgm *pgm = state_machine_new(gmm);

    save(pgm, argv[1], "state-00");
    /* Without bytes of pages, so that the few others are hit. */
    (void)pgm_rom_protect(pgm, STATE_ROM, STATE_PAGE, PGM_ROM_READ_ROM_WRITE_RAM);
    save(pgm, argv[1], "state-03");
    (void)pgm_write_u32(pgm, 0x1000, 0x12345678);
    (void)pgm_fill(pgm, 0x3000, 0x55, 0x2000, MEM_ORIGIN_LOADER);
    (void)pgm_rom_protect(pgm, STATE_ROM, STATE_PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    (void)pgm_write_u32(pgm, STATE_ROM, 0xCAFE);
    save(pgm, argv[1], "state-01");

    g_autofree char *cut = g_build_filename(argv[1], "state-02", NULL);

    fuzz_check(g_file_set_contents(cut, "\x89QS", 3, NULL), "cannot write %s", cut);
    pgm_free(pgm);
    gmm_free(gmm);
    return 0;
}
