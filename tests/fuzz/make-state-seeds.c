/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-state-seeds FOLDER: saved states of the small machine of fuzz-state.c: untouched, with each
 * type of record, and cut off.
 */
#include "tests/fuzz/state-machine.h"

#include "memsys/access.h"
#include "memsys/balloon.h"

static void save(Pgm *pgm, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(MemStateWriter) writer = mem_state_writer_new(path, 0, NULL);

    fuzz_check(writer != NULL, "cannot write %s", path);
    pgm_save(pgm, writer);
    fuzz_check(mem_state_writer_commit(writer, NULL), "cannot write %s", path);
}

/* Little but one kind of record, so that the few bytes that matter are hit. */
static void save_single(Gmm *gmm, const char *folder)
{
    StateMachine m;
    const GPhys gpas[] = { 9 * STATE_PAGE, 10 * STATE_PAGE, 11 * STATE_PAGE };

    state_machine_init(&m, gmm);
    save(m.pgm, folder, "state-00");
    (void)pgm_rom_protect(m.pgm, STATE_ROM, 2 * STATE_PAGE, PGM_ROM_READ_ROM_WRITE_RAM);
    save(m.pgm, folder, "state-01");
    (void)pgm_rom_protect(m.pgm, STATE_ROM, 2 * STATE_PAGE, PGM_ROM_READ_ROM_WRITE_IGNORE);
    (void)pgm_balloon_inflate(m.pgm, gpas, G_N_ELEMENTS(gpas));
    save(m.pgm, folder, "state-02");
    (void)pgm_balloon_deflate(m.pgm, gpas, G_N_ELEMENTS(gpas));
    (void)pgm_mmio2_map(m.mmio2, 4 * STATE_PAGE, NULL);
    (void)pgm_mmio_map(m.mmio, STATE_ROM + 8 * STATE_PAGE, NULL);
    save(m.pgm, folder, "state-03");
    (void)pgm_mmio_alias(m.mmio, STATE_PAGE, m.mmio2, 0);
    (void)pgm_mmio_alias(m.mmio, 2 * STATE_PAGE, m.mmio2, STATE_PAGE);
    (void)pgm_handler_page_off(m.handler, STATE_HANDLER);
    save(m.pgm, folder, "state-04");
    state_machine_clear(&m);
}

/* Pages: bytes, zeros that were written, the same bytes twice, RAM behind the ROM. */
static void save_pages(Gmm *gmm, const char *folder)
{
    StateMachine m;
    const GPhys gpas[] = { 12 * STATE_PAGE, 13 * STATE_PAGE };

    state_machine_init(&m, gmm);
    (void)pgm_write_u32(m.pgm, 0x1000, 0x12345678);
    save(m.pgm, folder, "state-05");
    (void)pgm_fill(m.pgm, 0x3000, 0x55, 0x2000, MEM_ORIGIN_LOADER);
    (void)pgm_write_u32(m.pgm, 0x6000, 1);
    (void)pgm_write_u32(m.pgm, 0x6000, 0);
    (void)pgm_balloon_inflate(m.pgm, gpas, G_N_ELEMENTS(gpas));
    (void)pgm_rom_protect(m.pgm, STATE_ROM, STATE_PAGE, PGM_ROM_READ_RAM_WRITE_RAM);
    (void)pgm_write_u32(m.pgm, STATE_ROM, 0xCAFE);
    pgm_mmio2_host(m.mmio2)[STATE_PAGE] = 7;
    (void)pgm_mmio2_reduce(m.mmio2, 2 * STATE_PAGE);
    (void)pgm_mmio2_map(m.mmio2, STATE_ROM + 20 * STATE_PAGE, NULL);
    (void)pgm_mmio_map(m.mmio, 2 * STATE_PAGE, NULL);
    (void)pgm_mmio_alias(m.mmio, 0, m.mmio2, STATE_PAGE);
    save(m.pgm, folder, "state-06");
    state_machine_clear(&m);
}

int main(int argc, char **argv)
{
    fuzz_check(argc == 2 && g_mkdir_with_parents(argv[1], 0777) == 0, "give a folder");

    Gmm *gmm = gmm_new(UINT64_C(64) << 20, NULL);
    g_autofree char *cut = g_build_filename(argv[1], "state-07", NULL);

    save_single(gmm, argv[1]);
    save_pages(gmm, argv[1]);
    fuzz_check(g_file_set_contents(cut, "\x89QS", 3, NULL), "cannot write %s", cut);
    gmm_free(gmm);
    return 0;
}
