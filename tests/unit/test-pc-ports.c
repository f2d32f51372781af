/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pci.h"
#include "emu/saved_state.h"
#include "emu/snapshot.h"
#include "pc-fixture.h"

#include <unistd.h>

#define PM_DEVFN DEV_PCI_DEVFN(1, 3)
#define NIC_DEVFN DEV_PCI_DEVFN(3, 0)

#define MARK_PM 0x5A  /* in GPOREG */
#define MARK_SMB 0xA1 /* in the slave address */

static void build_with_nic(void)
{
    DevPcConfig config = config_with(64 * KIB);

    config.nic = "e1000";
    build(&config);
}

static void place_pm(uint16_t at)
{
    pci_write(PM_DEVFN, 0x40, 4, at);
    pci_write(PM_DEVFN, 0x80, 1, 1);
}

static void place_smb(uint16_t at)
{
    pci_write(PM_DEVFN, 0x90, 4, at);
    pci_write(PM_DEVFN, 0xD2, 1, 1);
}

static void place_nic(uint16_t at)
{
    pci_write(NIC_DEVFN, 0x18, 4, at);
    pci_write(NIC_DEVFN, 4, 2, 1);
}

static void mark(uint16_t pm, uint16_t smb)
{
    out8((uint16_t)(pm + 0x34), MARK_PM);
    out8((uint16_t)(smb + 4), MARK_SMB);
}

/* ---- the guest, before and after a state is taken */

static void pm_600_nic_c000(void)
{
    place_pm(0x600);
    place_smb(0x700);
    place_nic(0xC000);
    mark(0x600, 0x700);
}

static void nic_goes_to_600(void)
{
    pci_write(PM_DEVFN, 0x80, 1, 0);
    place_nic(0x600);
    ck_assert_str_eq(emu_ports_owner(emu_machine_ports(machine), 0x600), "e1000");
}

static void nic_has_600_and_pm_wants_it(void)
{
    place_smb(0x700);
    place_nic(0x600);
    place_pm(0x600);
    mark(0x640, 0x700);
}

static void pm_gets_it(void)
{
    place_nic(0xC000);
    place_pm(0x600);
    ck_assert_str_eq(emu_ports_owner(emu_machine_ports(machine), 0x600), "piix4-pm");
}

static void pm_has_600_and_nic_wants_it(void)
{
    place_smb(0x700);
    place_pm(0x600);
    place_nic(0x600);
    mark(0x600, 0x700);
}

static void nic_gets_it(void)
{
    pci_write(PM_DEVFN, 0x80, 1, 0);
    place_nic(0x600);
    ck_assert_str_eq(emu_ports_owner(emu_machine_ports(machine), 0x600), "e1000");
}

static void pm_and_smb_are_swapped(void)
{
    place_pm(0x700);
    place_smb(0x600);
    ck_assert_uint_eq(in8(0x734), MARK_PM);
    ck_assert_uint_eq(in8(0x604), MARK_SMB);
}

static const struct {
    void (*before)(void);
    void (*after)(void);
    const char *at_600; /* owner */
    const char *at_c000;
} moves[] = {
    { pm_600_nic_c000, nic_goes_to_600, "piix4-pm", "e1000" },
    { pm_600_nic_c000, pm_and_smb_are_swapped, "piix4-pm", "e1000" },
    { nic_has_600_and_pm_wants_it, pm_gets_it, "e1000", NULL },
    { pm_has_600_and_nic_wants_it, nic_gets_it, "piix4-pm", NULL },
};

static void check_owners(int i)
{
    EmuPorts *ports = emu_machine_ports(machine);

    ck_assert_pstr_eq(emu_ports_owner(ports, 0x600), moves[i].at_600);
    ck_assert_pstr_eq(emu_ports_owner(ports, 0xC000), moves[i].at_c000);
    ck_assert_pstr_eq(emu_ports_owner(ports, 0x700), "piix4-pm");
    ck_assert_uint_eq(in8(0x704), MARK_SMB);
    if (strcmp(moves[i].at_600, "piix4-pm") == 0) {
        ck_assert_uint_eq(in8(0x634), MARK_PM);
    }
}

START_TEST(a_snapshot_knows_who_had_which_ports)
{
    build_with_nic();
    moves[_i].before();
    check_owners(_i);

    EmuSnapshot *snapshot = emu_snapshot_take(machine, NULL, true, NULL);

    ck_assert_ptr_nonnull(snapshot);
    for (unsigned n = 0; n < 2; n++) {
        moves[_i].after();
        emu_snapshot_restore(snapshot);
        check_owners(_i);
        ck_assert_uint_eq(emu_snapshot_check(snapshot, NULL), 0);
    }
    emu_snapshot_drop(snapshot);
}
END_TEST

/* Into a machine that was just switched on, and into one whose guest has moved things. */
START_TEST(a_saved_state_knows_who_had_which_ports)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("quire-pc-ports-XXXXXX", &path, NULL);

    ck_assert_int_ge(fd, 0);
    close(fd);
    build_with_nic();
    moves[_i].before();
    ck_assert(emu_save(machine, path, NULL, NULL));
    for (unsigned n = 0; n < 2; n++) {
        g_autoptr(GError) error = NULL;
        MemStateReader *reader = mem_state_reader_new(path, NULL);

        ck_assert_ptr_nonnull(reader);
        teardown();
        setup();
        build_with_nic();
        if (n == 1) {
            moves[_i].before();
            moves[_i].after();
        }
        ck_assert_msg(emu_restore(machine, reader, NULL, &error), "%s",
                      error != NULL ? error->message : "no message");
        mem_state_reader_free(reader);
        check_owners(_i);
    }
    g_unlink(path);
}
END_TEST

/* What was nowhere comes when its place is free and the guest writes. */
START_TEST(who_had_to_wait_still_waits)
{
    build_with_nic();
    nic_has_600_and_pm_wants_it();

    EmuSnapshot *snapshot = emu_snapshot_take(machine, NULL, false, NULL);

    pm_gets_it();
    emu_snapshot_restore(snapshot);
    place_nic(0xC000);
    ck_assert_ptr_null(emu_ports_owner(emu_machine_ports(machine), 0x600));
    pci_write(PM_DEVFN, 0x80, 1, 1);
    ck_assert_str_eq(emu_ports_owner(emu_machine_ports(machine), 0x600), "piix4-pm");
    emu_snapshot_drop(snapshot);
}
END_TEST

/* As BARs: one write frees the place and the block that waits for it takes it. */
START_TEST(blocks_of_a_chip_make_room_for_each_other)
{
    build_with_nic();
    pm_600_nic_c000();
    pci_write(PM_DEVFN, 0x40, 4, 0x700); /* where the other still is */
    ck_assert_ptr_null(emu_ports_owner(emu_machine_ports(machine), 0x600));
    pci_write(PM_DEVFN, 0x90, 4, 0x600);
    ck_assert_uint_eq(in8(0x734), MARK_PM);
    ck_assert_uint_eq(in8(0x604), MARK_SMB);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pc-ports");
    TCase *tcase = tcase_create("pc-ports");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_snapshot_knows_who_had_which_ports, 0, G_N_ELEMENTS(moves));
    tcase_add_loop_test(tcase, a_saved_state_knows_who_had_which_ports, 0, G_N_ELEMENTS(moves));
    tcase_add_test(tcase, who_had_to_wait_still_waits);
    tcase_add_test(tcase, blocks_of_a_chip_make_room_for_each_other);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
