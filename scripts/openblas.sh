#!/bin/sh
# Installs OpenBLAS where the system's package manager can do so without asking, and says so before. Its absence is no failure.
# NO_INSTALL=1: installs nothing.
there() { ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so\.0'; }
say() { echo "installing OpenBLAS by $1 (NO_INSTALL=1 leaves it)"; }
if there; then exit 0; fi
if [ "$(uname)" = Darwin ] && command -v brew >/dev/null && brew --prefix openblas >/dev/null 2>&1; then exit 0; fi
run=""
if [ -n "${NO_INSTALL:-}" ]; then
    run=skip
elif [ "$(uname)" != Darwin ] && [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then run="sudo -n"; else run=skip; fi
fi
if [ "$run" != skip ]; then
    if [ "$(uname)" = Darwin ]; then
        if command -v brew >/dev/null; then
            say "brew: openblas"
            brew install openblas >/dev/null 2>&1 && exit 0
        fi
    elif command -v apt-get >/dev/null; then
        say "apt-get: libopenblas0-pthread"
        $run apt-get install -y -qq libopenblas0-pthread >/dev/null 2>&1 ||
            { $run apt-get update -qq >/dev/null 2>&1 && $run apt-get install -y -qq libopenblas0-pthread >/dev/null 2>&1; }
    elif command -v dnf >/dev/null; then
        say "dnf: openblas-threads"
        $run dnf install -y -q openblas-threads >/dev/null 2>&1
    fi
fi
there || echo "OpenBLAS is not installed; matrices are multiplied in Go, several times slower (Debian: apt-get install libopenblas0-pthread)"
exit 0
