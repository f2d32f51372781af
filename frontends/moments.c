/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of --until; see moments.h. Watching for them is moment-watch.c.
 */
#include "moments.h"

#include "emu/error.h"
#include "fail.h"
#include "grammar.h"
#include "slips.h"

#include <string.h>

static FeMoment *moment_new(FeMomentKind kind)
{
    FeMoment *moment = g_new0(FeMoment, 1);

    moment->kind = kind;
    return moment;
}

void fe_moment_free(FeMoment *moment)
{
    if (moment != NULL) {
        g_free(moment->text);
        g_free(moment);
    }
}

static FeMoment *parse_words(FeMomentKind kind, const char *whole, const char *words,
                             GError **error)
{
    if (words[0] == '\0') {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID, "moment '%s' is empty: for example %s",
                    whole, kind == FE_MOMENT_TEXT ? "text:login:" : "sym:main");
        return NULL;
    }

    FeMoment *moment = moment_new(kind);

    moment->text = g_strdup(words);
    return moment;
}

static FeMoment *parse_number(FeMomentKind kind, const char *words, GError **error)
{
    uint64_t value = 0;

    if (kind == FE_MOMENT_TIME ? !fe_parse_seconds(words, &value, error)
                               : !fe_parse_address(words, &value, error)) {
        return NULL;
    }

    FeMoment *moment = moment_new(kind);

    moment->value = value;
    return moment;
}

static FeMoment *parse_port(const char *words, GError **error)
{
    const char *sign = strchr(words, '=');
    g_autofree char *port_text = sign ? g_strndup(words, (size_t)(sign - words)) : g_strdup(words);
    uint64_t port = 0;
    uint64_t value = 0;

    if (!fe_parse_address(port_text, &port, error) ||
        (sign != NULL && !fe_parse_address(sign + 1, &value, error))) {
        g_prefix_error(error, "moment 'port:%s': ", words);
        return NULL;
    }
    if (port > UINT16_MAX || value > UINT32_MAX) {
        g_set_error(error, EMU_ERROR, EMU_ERROR_INVALID,
                    "moment 'port:%s': a port is at most FFFF, its value at most FFFFFFFF; for "
                    "example port:80=AA",
                    words);
        return NULL;
    }

    FeMoment *moment = moment_new(FE_MOMENT_PORT);

    moment->port = (uint16_t)port;
    moment->value = value;
    moment->any_value = sign == NULL;
    return moment;
}

static const struct {
    const char *name;
    FeMomentKind kind;
} kinds[] = {
    { "text", FE_MOMENT_TEXT },  { "time", FE_MOMENT_TIME }, { "addr", FE_MOMENT_ADDRESS },
    { "sym", FE_MOMENT_SYMBOL }, { "port", FE_MOMENT_PORT },
};

/* The word for a kind that somebody missed by one slip: "tmie:0.01". Consoles say "test: ok" and
 * "test:" too, but what follows a kind is no space, and something. */
static const char *missed_kind(const char *text)
{
    size_t len = strcspn(text, ":");

    if (text[len] == '\0' || text[len + 1] == '\0' || g_ascii_isspace(text[len + 1])) {
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (fe_slips(text, len, kinds[i].name) == 1) {
            return kinds[i].name;
        }
    }
    return NULL;
}

static FeMoment *parse_kind(FeMomentKind kind, const char *whole, const char *words, GError **error)
{
    switch (kind) {
    case FE_MOMENT_TIME:
    case FE_MOMENT_ADDRESS:
        return parse_number(kind, words, error);
    case FE_MOMENT_PORT:
        return parse_port(words, error);
    case FE_MOMENT_TEXT:
    case FE_MOMENT_SYMBOL:
        break;
    }
    return parse_words(kind, whole, words, error);
}

FeMoment *fe_moment_parse(const char *text, GError **error)
{
    const char *missed = missed_kind(text);
    size_t len = strcspn(text, ":");

    for (unsigned i = 0; text[len] == ':' && i < G_N_ELEMENTS(kinds); i++) {
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, text, len) == 0) {
            return parse_kind(kinds[i].kind, text, text + len + 1, error);
        }
    }
    if (missed != NULL) {
        fe_fail(error, "moment '%s': did you mean %s%s? As a text it is text:%s", text, missed,
                text + len, text);
        return NULL;
    }
    return parse_words(FE_MOMENT_TEXT, text, text, error);
}

char *fe_moment_format(const FeMoment *moment)
{
    g_autofree char *number = NULL;

    switch (moment->kind) {
    case FE_MOMENT_TEXT:
        return g_strconcat("text:", moment->text, NULL);
    case FE_MOMENT_SYMBOL:
        return g_strconcat("sym:", moment->text, NULL);
    case FE_MOMENT_TIME:
        number = fe_format_seconds(moment->value);
        return g_strconcat("time:", number, NULL);
    case FE_MOMENT_ADDRESS:
        number = fe_format_address(moment->value);
        return g_strconcat("addr:", number, NULL);
    case FE_MOMENT_PORT:
        break;
    }
    if (moment->any_value) {
        return g_strdup_printf("port:%X", moment->port);
    }
    return g_strdup_printf("port:%X=%X", moment->port, (unsigned)moment->value);
}
