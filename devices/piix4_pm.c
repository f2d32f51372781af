/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management.
 *
 * The register blocks lie where the guest puts them (PMBA, SMBBA) and only while it enables them; a
 * block that would collide with another chip's ports stays away until it is moved.
 *
 * DEVACTB comes up with APMC_EN set: firmware takes that as "system management mode is set up
 * already" and leaves out its own set-up, which needs a mode this machine does not have. In its
 * place a write of 0xF1 or 0xF0 to the APM control port sets or clears SCI_EN, as the handler
 * would.
 *
 * Invariant: PMSTS is right up to timer tick seen_ticks.
 *
 * Source: Intel 82371AB (PIIX4) datasheet, chapter 7 (function 3); ACPI 1.0, section 4.7 (fixed
 * hardware).
 */
#include "devices/piix4_pm.h"

#include "devices/port_block.h"
#include "devices/port_list.h"

#define REG_PMBA 0x40
#define REG_DEVACTB 0x58
#define DEVACTB_APMC_EN UINT32_C(0x02000000)
#define REG_PMREGMISC 0x80
#define PMREGMISC_ENABLE 0x01u
#define REG_SMBBA 0x90
#define REG_SMBHSTCFG 0xD2
#define SMBHSTCFG_ENABLE 0x01u

#define PM_LEN 64
#define SMB_LEN 16
#define PORT_APMC 0xB2
#define APMC_ACPI_ON 0xF1
#define APMC_ACPI_OFF 0xF0

/* Offsets from PMBA. */
#define PM_STS 0x00
#define PM_EN 0x02
#define PM_CNTRL 0x04
#define PM_TMR 0x08
#define PM_TIMER_MASK UINT32_C(0xFFFFFF)
#define PM_TIMER_HALF (UINT64_C(1) << 23) /* ticks between overflow events */

#define STS_TIMER 0x0001u
#define STS_ALL 0x8531u
#define EN_ALL 0x0521u
#define CNTRL_SCI_EN 0x0001u
#define CNTRL_KEPT 0x1C03u /* suspend type, BRLD_EN_BM, SCI_EN */
#define CNTRL_SUSPEND 0x2000u
#define CNTRL_TYPE(value) (((value) >> 10) & 7u)
#define TYPE_SOFT_OFF 0

/* Offsets from SMBBA. */
#define SMB_STATUS 0x00
#define SMB_CONTROL 0x02
#define SMB_START 0x40u
#define SMB_DEVICE_ERROR 0x04u
#define SMB_STATUS_CLEARABLE 0x1Eu

typedef struct State {
    uint8_t pm[PM_LEN]; /* as the guest sees them, but for the timer */
    uint8_t smb[SMB_LEN];
    uint8_t apm[2];
    uint64_t seen_ticks;
    bool pm_decoded; /* the block is where the guest put it */
    bool smb_decoded;
} State;

struct DevPiix4Pm {
    State state;
    DevPciFunction pci;
    DevPciBus *bus;
    DevPortList apm_ports;
    DevPortBlock pm;
    DevPortBlock smb;
    EmuClock *clock;
    EmuTimer *timer;
    DevPiix4PmLines lines;
};

static const EmuField fields[] = {
    EMU_FIELD_ARRAY(State, pm),   EMU_FIELD_ARRAY(State, smb),  EMU_FIELD_ARRAY(State, apm),
    EMU_FIELD(State, seen_ticks), EMU_FIELD(State, pm_decoded), EMU_FIELD(State, smb_decoded),
};

static const DevPciReg regs[] = {
    { DEV_PCI_VENDOR_ID, 2, 0x8086, 0, 0 },
    { DEV_PCI_DEVICE_ID, 2, 0x7113, 0, 0 },
    { DEV_PCI_COMMAND, 2, 0x0000, 0x0009, 0 },
    { DEV_PCI_STATUS, 2, 0x0280, 0, 0x7800 },
    { DEV_PCI_REVISION, 1, 0x03, 0, 0 },
    { DEV_PCI_CLASS, 2, 0x0680, 0, 0 },
    { DEV_PCI_INTERRUPT_LINE, 1, 0x00, 0xFF, 0 },
    { DEV_PCI_INTERRUPT_PIN, 1, 0x01, 0, 0 },
    { REG_PMBA, 4, 0x00000001, 0x0000FFC0, 0 },
    { 0x44, 4, 0, 0xFFFFFFFF, 0 }, /* CNTA */
    { 0x48, 4, 0, 0xFFFFFFFF, 0 }, /* CNTB */
    { 0x4C, 4, 0, 0xFFFFFFFF, 0 }, /* GPICTL */
    { 0x50, 4, 0, 0x00FFFFFF, 0 }, /* DEVRESD */
    { 0x54, 4, 0, 0xFFFFFFFF, 0 }, /* DEVACTA */
    { REG_DEVACTB, 4, DEVACTB_APMC_EN, 0xFFFFFFFF, 0 },
    { 0x5C, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESA */
    { 0x60, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESB */
    { 0x64, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESC */
    { 0x68, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESE */
    { 0x6C, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESF */
    { 0x70, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESG */
    { 0x74, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESH */
    { 0x78, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESI */
    { 0x7C, 4, 0, 0xFFFFFFFF, 0 }, /* DEVRESJ */
    { REG_PMREGMISC, 1, 0x00, 0x01, 0 },
    { REG_SMBBA, 4, 0x00000001, 0x0000FFF0, 0 },
    { REG_SMBHSTCFG, 1, 0x00, 0x0F, 0 },
    { 0xD3, 1, 0x00, 0xFF, 0 }, /* SMBSLVC */
    { 0xD4, 1, 0x00, 0xFF, 0 }, /* SMBSHDW1 */
    { 0xD5, 1, 0x00, 0xFF, 0 }, /* SMBSHDW2 */
};

/* What a byte of the PM block lets the guest do. */
typedef struct PmByteRule {
    uint8_t offset;
    uint8_t writable;
    uint8_t write_clears;
} PmByteRule;

static const PmByteRule pm_rules[] = {
    { PM_STS, 0, STS_ALL & 0xFF },
    { PM_STS + 1, 0, STS_ALL >> 8 },
    { PM_EN, EN_ALL & 0xFF, 0 },
    { PM_EN + 1, EN_ALL >> 8, 0 },
    { PM_CNTRL, CNTRL_KEPT & 0xFF, 0 },
    { PM_CNTRL + 1, CNTRL_KEPT >> 8, 0 },
    { 0x0C, 0, 0x8D }, /* GPSTS */
    { 0x0D, 0, 0x0F },
    { 0x0E, 0x01, 0 }, /* GPEN */
    { 0x0F, 0x0F, 0 },
    { 0x10, 0x1E, 0 }, /* PCNTRL */
    { 0x11, 0x3E, 0 },
    { 0x12, 0x07, 0 },
    { 0x18, 0, 0xFF }, /* GLBSTS */
    { 0x1C, 0, 0xFF }, /* DEVSTS */
    { 0x1D, 0, 0xFF },
    { 0x1E, 0, 0xFF },
    { 0x1F, 0, 0x3F },
    { 0x20, 0xFF, 0 }, /* GLBEN */
    { 0x21, 0x0F, 0 },
    { 0x28, 0xFF, 0 }, /* GLBCTL */
    { 0x29, 0xFF, 0 },
    { 0x2A, 0x0F, 0 },
    { 0x2C, 0xFF, 0 }, /* DEVCTL */
    { 0x2D, 0xFF, 0 },
    { 0x2E, 0xFF, 0 },
    { 0x2F, 0xFF, 0 },
    { 0x34, 0xFF, 0 }, /* GPOREG */
    { 0x35, 0xFF, 0 },
    { 0x36, 0xFF, 0 },
    { 0x37, 0x7F, 0 },
};

static unsigned get16(const State *state, unsigned offset)
{
    return state->pm[offset] | (unsigned)state->pm[offset + 1] << 8;
}

static uint64_t now_ticks(const DevPiix4Pm *pm)
{
    return emu_clock_ticks(pm->clock, DEV_PM_TIMER_HZ);
}

/* Bit 23 of the timer changed since anybody looked: the overflow status. */
static void note_overflow(DevPiix4Pm *pm)
{
    uint64_t now = now_ticks(pm);

    if (now / PM_TIMER_HALF != pm->state.seen_ticks / PM_TIMER_HALF) {
        pm->state.pm[PM_STS] |= STS_TIMER;
    }
    pm->state.seen_ticks = now;
}

/* The SCI line, and the timer for the overflow that would raise it. */
static void update(DevPiix4Pm *pm)
{
    unsigned enabled = get16(&pm->state, PM_EN);
    bool sci_on = (get16(&pm->state, PM_CNTRL) & CNTRL_SCI_EN) != 0;
    bool pending = (get16(&pm->state, PM_STS) & enabled) != 0;

    emu_line_set(&pm->lines.sci, sci_on && pending);
    if (!sci_on || pending || (enabled & STS_TIMER) == 0) {
        emu_timer_cancel(pm->timer);
        return;
    }

    uint64_t next = (now_ticks(pm) / PM_TIMER_HALF + 1) * PM_TIMER_HALF;

    emu_timer_set(pm->timer, emu_clock_ns_of_ticks(next, DEV_PM_TIMER_HZ));
}

static void timer_fired(void *user)
{
    DevPiix4Pm *pm = user;

    note_overflow(pm);
    update(pm);
}

static uint8_t pm_read_byte(const DevPiix4Pm *pm, unsigned offset, uint32_t timer)
{
    if (offset >= PM_TMR && offset < PM_TMR + 4) {
        return (uint8_t)(timer >> (8 * (offset - PM_TMR)));
    }
    return pm->state.pm[offset];
}

static uint32_t pm_read(void *user, uint16_t port, unsigned size)
{
    DevPiix4Pm *pm = user;
    uint32_t timer = now_ticks(pm) & PM_TIMER_MASK;
    uint32_t value = 0;

    note_overflow(pm);
    for (unsigned i = 0; i < size; i++) {
        /* An access that reaches over the end of the block finds nobody there. */
        unsigned offset = (unsigned)(port - pm->pm.base) + i;
        uint8_t byte = offset < PM_LEN ? pm_read_byte(pm, offset, timer) : 0xFF;

        value |= (uint32_t)byte << (8 * i);
    }
    return value;
}

static void pm_write_byte(DevPiix4Pm *pm, unsigned offset, uint8_t byte)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(pm_rules); i++) {
        const PmByteRule *rule = &pm_rules[i];

        if (rule->offset == offset) {
            uint8_t *at = &pm->state.pm[offset];

            *at = (uint8_t)((*at & ~rule->writable & ~(byte & rule->write_clears)) |
                            (byte & rule->writable));
            return;
        }
    }
}

static void pm_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPiix4Pm *pm = user;
    unsigned first = (unsigned)(port - pm->pm.base);
    bool suspend = false;

    note_overflow(pm);
    for (unsigned i = 0; i < size && first + i < PM_LEN; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        pm_write_byte(pm, first + i, byte);
        if (first + i == PM_CNTRL + 1 && (byte & (CNTRL_SUSPEND >> 8)) != 0) {
            suspend = true;
        }
    }
    update(pm);
    /* The sleeping states need what this machine does not have; only off is offered. */
    if (suspend && CNTRL_TYPE(get16(&pm->state, PM_CNTRL)) == TYPE_SOFT_OFF) {
        emu_line_pulse(&pm->lines.power_off);
    }
}

static uint32_t smb_read(void *user, uint16_t port, unsigned size)
{
    DevPiix4Pm *pm = user;

    (void)size;
    return pm->state.smb[(port - pm->smb.base) % SMB_LEN];
}

static void smb_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPiix4Pm *pm = user;
    unsigned offset = (unsigned)(port - pm->smb.base) % SMB_LEN;
    uint8_t byte = (uint8_t)value;

    (void)size;
    if (offset == SMB_STATUS) {
        pm->state.smb[SMB_STATUS] &= (uint8_t) ~(byte & SMB_STATUS_CLEARABLE);
        return;
    }
    pm->state.smb[offset] = byte;
    if (offset == SMB_CONTROL && (byte & SMB_START) != 0) {
        /* Nobody acknowledges the address. */
        pm->state.smb[SMB_CONTROL] &= (uint8_t)~SMB_START;
        pm->state.smb[SMB_STATUS] |= SMB_DEVICE_ERROR;
    }
}

static uint32_t apm_read(void *user, uint16_t port, unsigned size)
{
    DevPiix4Pm *pm = user;

    (void)size;
    return pm->state.apm[port - PORT_APMC];
}

static void apm_write(void *user, uint16_t port, unsigned size, uint32_t value)
{
    DevPiix4Pm *pm = user;

    (void)size;
    pm->state.apm[port - PORT_APMC] = (uint8_t)value;
    if (port != PORT_APMC) {
        return;
    }
    note_overflow(pm);
    if (value == APMC_ACPI_ON) {
        pm->state.pm[PM_CNTRL] |= CNTRL_SCI_EN;
    } else if (value == APMC_ACPI_OFF) {
        pm->state.pm[PM_CNTRL] &= (uint8_t)~CNTRL_SCI_EN;
    }
    update(pm);
}

static const EmuPortOps pm_ops = { .read = pm_read, .write = pm_write, .sizes = 7 };
static const EmuPortOps smb_ops = { .read = smb_read, .write = smb_write, .sizes = 1 };
static const EmuPortOps apm_ops = { .read = apm_read, .write = apm_write, .sizes = 1 };
static const DevPortRange apm_ranges[] = { { PORT_APMC, 2, &apm_ops } };

/* Where the guest wants the blocks; 0: nowhere. */
static uint16_t pm_place(const DevPiix4Pm *pm)
{
    bool on = (pm->pci.config[REG_PMREGMISC] & PMREGMISC_ENABLE) != 0;

    return on ? (uint16_t)(dev_pci_get(&pm->pci, REG_PMBA, 2) & 0xFFC0) : 0;
}

static uint16_t smb_place(const DevPiix4Pm *pm)
{
    bool on = (pm->pci.config[REG_SMBHSTCFG] & SMBHSTCFG_ENABLE) != 0;

    return on ? (uint16_t)(dev_pci_get(&pm->pci, REG_SMBBA, 2) & 0xFFF0) : 0;
}

/* Both leave before one takes a new place: that may be the other's old one. */
static void place_blocks(DevPiix4Pm *pm)
{
    dev_port_block_leave(&pm->pm, pm_place(pm));
    dev_port_block_leave(&pm->smb, smb_place(pm));
    pm->state.pm_decoded = dev_port_block_take(&pm->pm, pm_place(pm));
    pm->state.smb_decoded = dev_port_block_take(&pm->smb, smb_place(pm));
}

static void written(void *user, unsigned offset, unsigned len)
{
    (void)offset;
    (void)len;
    place_blocks(user);
}

DevPiix4Pm *dev_piix4_pm_new(DevPciBus *bus, EmuPorts *ports, EmuClock *clock,
                             const DevPiix4PmLines *lines, GError **error)
{
    DevPiix4Pm *pm = g_new0(DevPiix4Pm, 1);

    if (!dev_port_list_add(&pm->apm_ports, ports, apm_ranges, G_N_ELEMENTS(apm_ranges), pm,
                           "piix4-pm", error)) {
        g_free(pm);
        return NULL;
    }
    pm->bus = bus;
    pm->clock = clock;
    pm->lines = *lines;
    pm->pm = (DevPortBlock) {
        .ports = ports, .ops = &pm_ops, .user = pm, .device = "piix4-pm", .len = PM_LEN
    };
    pm->smb = (DevPortBlock) {
        .ports = ports, .ops = &smb_ops, .user = pm, .device = "piix4-pm", .len = SMB_LEN
    };
    pm->timer = emu_timer_new(clock, "piix4-pm", timer_fired, pm);
    dev_pci_function_init(&pm->pci, "piix4-pm", regs, G_N_ELEMENTS(regs), written, pm);
    dev_pci_bus_add(bus, DEV_PCI_DEVFN(1, 3), &pm->pci);
    dev_piix4_pm_reset(pm);
    return pm;
}

void dev_piix4_pm_free(DevPiix4Pm *pm)
{
    if (pm == NULL) {
        return;
    }
    dev_pci_bus_remove(pm->bus, DEV_PCI_DEVFN(1, 3));
    dev_piix4_pm_leave(pm);
    dev_port_list_clear(&pm->apm_ports);
    emu_timer_free(pm->timer);
    g_free(pm);
}

void dev_piix4_pm_reset(void *user)
{
    DevPiix4Pm *pm = user;

    pm->state = (State) { .seen_ticks = now_ticks(pm) };
    dev_pci_function_reset(&pm->pci);
    place_blocks(pm);
    update(pm);
}

static bool state_is_valid(const void *loaded)
{
    const State *state = loaded;

    return (get16(state, PM_STS) & ~STS_ALL) == 0 && (get16(state, PM_EN) & ~EN_ALL) == 0 &&
           (get16(state, PM_CNTRL) & ~CNTRL_KEPT) == 0;
}

const EmuStateDesc dev_piix4_pm_state_desc = {
    .name = "piix4-pm ports",
    .version = 2,
    .size = sizeof(State),
    .fields = fields,
    .n_fields = G_N_ELEMENTS(fields),
    .is_valid = state_is_valid,
};

void dev_piix4_pm_save(const DevPiix4Pm *pm, GByteArray *out)
{
    dev_pci_function_save(&pm->pci, out);
    emu_state_save(&dev_piix4_pm_state_desc, &pm->state, out);
}

bool dev_piix4_pm_load(DevPiix4Pm *pm, const uint8_t *bytes, size_t len, size_t *pos,
                       GError **error)
{
    DevPciFunction pci = pm->pci;
    size_t at = *pos;

    if (!dev_pci_function_load(&pci, bytes, len, &at, error) ||
        !emu_state_load(&dev_piix4_pm_state_desc, &pm->state, bytes, len, &at, error)) {
        return false;
    }
    pm->pci = pci;
    *pos = at;
    dev_piix4_pm_leave(pm);
    dev_piix4_pm_loaded(pm);
    update(pm);
    return true;
}

unsigned dev_piix4_pm_parts(void *user, EmuStatePart *ret_parts)
{
    DevPiix4Pm *pm = user;

    ret_parts[0] = dev_pci_function_part(&pm->pci);
    ret_parts[1] = (EmuStatePart) { .desc = dev_piix4_pm_state_desc, .state = &pm->state };
    return 2;
}

void dev_piix4_pm_leave(void *user)
{
    DevPiix4Pm *pm = user;

    dev_port_block_leave(&pm->pm, 0);
    dev_port_block_leave(&pm->smb, 0);
}

/* A block that was nowhere stays there until the guest writes: somebody else had its place. */
void dev_piix4_pm_loaded(void *user)
{
    DevPiix4Pm *pm = user;

    if (pm->state.pm_decoded) {
        (void)dev_port_block_take(&pm->pm, pm_place(pm));
    }
    if (pm->state.smb_decoded) {
        (void)dev_port_block_take(&pm->smb, smb_place(pm));
    }
}
