#!/bin/sh
# Installs OpenBLAS where the system's package manager can do so without asking. Its absence is no failure.
if ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so\.0'; then exit 0; fi
if [ "$(uname)" = Darwin ]; then
    if command -v brew >/dev/null && ! brew --prefix openblas >/dev/null 2>&1; then brew install openblas >/dev/null 2>&1; fi
    exit 0
fi
run=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then run="sudo -n"; else run="skip"; fi
fi
if [ "$run" != skip ]; then
    if command -v apt-get >/dev/null; then
        echo "installing OpenBLAS (libopenblas0-pthread)"
        $run apt-get install -y -qq libopenblas0-pthread >/dev/null 2>&1 ||
            { $run apt-get update -qq >/dev/null 2>&1 && $run apt-get install -y -qq libopenblas0-pthread >/dev/null 2>&1; }
    elif command -v dnf >/dev/null; then
        $run dnf install -y -q openblas-threads >/dev/null 2>&1
    fi
fi
ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so\.0' ||
    echo "OpenBLAS is not installed; matrices are multiplied in Go, several times slower (Debian: apt-get install libopenblas0-pthread)"
exit 0
