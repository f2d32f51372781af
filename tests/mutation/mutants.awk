# SPDX-License-Identifier: GPL-2.0-or-later
# Lists the mutants of a C file: FILE, line, what was done and the changed line, separated by tabs.
# One small fault each. Left out: comments, strings, assertions (in right code a weaker assertion is
# the same program) and whatever spans lines.

function emit(what, text) {
    print FILENAME "\t" FNR "\t" what "\t" text
}

# One mutant for each place where @from stands.
function swap(from, to,    at, i) {
    at = 1
    while ((i = index(substr($0, at), from)) > 0) {
        at += i - 1
        emit(from " to " to, substr($0, 1, at - 1) to substr($0, at + length(from)))
        at += length(from)
    }
}

# Decimal numbers become one more.
function numbers(    at, i, n) {
    at = 1
    while ((i = match(substr($0, at), /[^A-Za-z0-9_.][0-9]+[^A-Za-z0-9_.]/)) > 0) {
        n = substr($0, at + i, RLENGTH - 2)
        emit(n " to " n + 1, substr($0, 1, at + i - 1) n + 1 substr($0, at + i + length(n)))
        at += i + length(n)
    }
}

function balanced(text,    i, c, depth) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        depth += (c == "(") - (c == ")")
        if (depth < 0) {
            return 0
        }
    }
    return depth == 0
}

function conditions(    head, inner) {
    if (!match($0, /^ *(} else )?(if|while) \(/) || $0 !~ /\) \{$/) {
        return
    }
    head = substr($0, 1, RLENGTH)
    inner = substr($0, RLENGTH + 1, length($0) - RLENGTH - 3)
    if (balanced(inner)) {
        emit("negated", head "!(" inner ")) {")
    }
}

function is_declaration() {
    return $0 ~ /^ *(const|static|struct|unsigned|uint[0-9]+_t|int|bool|size_t|void|char) / ||
        $0 ~ /^ *[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]* \**[a-z_0-9]+( =|;|\[)/
}

function statements(    at) {
    if ($0 ~ /^ +[A-Za-z_*(+][^{}]*;$/ && previous ~ /[;{}:]$/ && balanced($0) && !is_declaration() &&
        $0 !~ /^ *(return|break|continue|goto|case|default|for)/) {
        at = match($0, /[^ ]/)
        emit("removed " substr($0, at), substr($0, 1, at - 1) ";")
    }
}

function results() {
    if ($0 ~ /return MEM_OK;/) {
        swap("MEM_OK", "MEM_ERR_NO_MEMORY")
    } else if ($0 ~ /return MEM_ERR_[A-Z_]*;/) {
        emit("return MEM_OK", substr($0, 1, match($0, /return/) - 1) "return MEM_OK;")
    }
}

FNR == 1 { previous = "" }
/^ *\/\*/ { in_comment = 1 }
in_comment {
    if (/\*\//) {
        in_comment = 0
    }
    next
}
/^#/ || /"/ || /g_assert|G_STATIC_ASSERT/ || /^$/ || /^[a-zA-Z]/ || /^ *(case|default)/ { previous = $0; next }
{
    swap(" < ", " <= ")
    swap(" <= ", " < ")
    swap(" > ", " >= ")
    swap(" >= ", " > ")
    swap(" == ", " != ")
    swap(" != ", " == ")
    swap(" && ", " || ")
    swap(" || ", " && ")
    swap(" + ", " - ")
    swap(" - ", " + ")
    swap(" & ", " | ")
    swap(" | ", " & ")
    swap(" |= ", " &= ")
    swap(" << ", " >> ")
    swap(" >> ", " << ")
    swap("++", "--")
    swap("true", "false")
    swap("false", "true")
    swap("MIN(", "MAX(")
    swap("MAX(", "MIN(")
    numbers()
    conditions()
    statements()
    results()
    previous = $0
}
