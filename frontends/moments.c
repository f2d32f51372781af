/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of --until; see moments.h. Watching for them is moment-watch.c.
 */
#include "moments.h"

#include "grammar.h"

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

FeMoment *fe_moment_parse(const char *text, GError **error)
{
    if (g_str_has_prefix(text, "text:")) {
        return parse_words(FE_MOMENT_TEXT, text, text + 5, error);
    }
    if (g_str_has_prefix(text, "time:")) {
        return parse_number(FE_MOMENT_TIME, text + 5, error);
    }
    if (g_str_has_prefix(text, "addr:")) {
        return parse_number(FE_MOMENT_ADDRESS, text + 5, error);
    }
    if (g_str_has_prefix(text, "sym:")) {
        return parse_words(FE_MOMENT_SYMBOL, text, text + 4, error);
    }
    if (g_str_has_prefix(text, "port:")) {
        return parse_port(text + 5, error);
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
