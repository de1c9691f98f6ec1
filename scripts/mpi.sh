#!/bin/sh
# Installs Open MPI and MPICH beside each other, where the system's package manager can do so without asking, and says so
# before. Their absence is no failure: the tests of ranks that mpirun starts are skipped.
# NO_INSTALL=1: installs nothing.
there() { command -v mpirun.openmpi >/dev/null && command -v mpirun.mpich >/dev/null; }
if there; then exit 0; fi
run=""
if [ -n "${NO_INSTALL:-}" ] || ! command -v apt-get >/dev/null; then
    run=skip
elif [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then run="sudo -n"; else run=skip; fi
fi
if [ "$run" != skip ]; then
    echo "installing MPI by apt-get: openmpi-bin, mpich (NO_INSTALL=1 leaves them)"
    $run apt-get install -y -qq openmpi-bin mpich >/dev/null 2>&1 ||
        { $run apt-get update -qq >/dev/null 2>&1 && $run apt-get install -y -qq openmpi-bin mpich >/dev/null 2>&1; }
fi
there || echo "Open MPI and MPICH are not both installed; tests of ranks that mpirun starts are skipped (Debian: apt-get install openmpi-bin mpich)"
exit 0
