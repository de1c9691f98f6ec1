#!/bin/sh
# The report of a GPU: conformance, parity with the host over 200 iterations of LeNet with surgery, the benchmark table, a soak
# of a minute, and, where there are several GPUs, sums over them. Runs in the folder that `make gpu-bundle` made; needs
# NVIDIA's driver and nothing else, and NCCL for sums. Writes report.md beside itself, and, from `make gpu-report`, into
# docs/benchmarks.md.
#
#   DNS_TUI_BATCH=n       another batch, for the emulator
#   REPORT_PARITY=200     iterations compared with the host
#   REPORT_SOAK=400000    steps of the soak: about a minute on an H100
#   REPORT_BENCHTIME=2s   per line of the table
#   DNS_TUI_TESTDATA=dir  testdata elsewhere than beside this script
set -u
cd "$(dirname "$0")"
export DNS_TUI_TESTDATA="${DNS_TUI_TESTDATA:-$PWD/testdata}" DNS_TUI_NEED_CUDA=1
# The host device wants OpenBLAS; it serves without.
status=0
run() {
    echo "== $*" >&2
    "$@" >out.txt 2>&1
    s=$?
    cat out.txt >&2
    [ $s = 0 ] || { status=1; echo "FAILED ($s): $*" >&2; }
    return $s
}
say() { if [ "$1" = 0 ]; then echo "passes"; else echo "FAILS"; fi; }

./dns-tui devices >devices.txt 2>&1
cat devices.txt >&2
gpu=$(sed -n 's/^cuda 0: //p' devices.txt)
[ -n "$gpu" ] || { echo "no GPU" >&2; exit 1; }
driver=$(sed -n 's/^  driver: //p' devices.txt | head -n 1)
libraries=$(sed -n 's/^  matrix products: //p' devices.txt | tail -n 1)

run ./cuda.test -test.run Conformance -test.timeout 20m; conformance=$(say $?)
run ./model.test -test.run 'CUDA(Oracle|LeNet|Surgery|Unstable|Step|Resume)' -test.timeout 20m; parity=$(say $?)
DNS_TUI_PARITY=${REPORT_PARITY:-200} run ./model.test -test.run CUDALongParity -test.v -test.timeout 20m; long=$(say $?)
longline=$(sed -n 's/^parity: //p' out.txt)
DNS_TUI_SOAK=${REPORT_SOAK:-400000} run ./model.test -test.run CUDASoak -test.v -test.timeout 20m; soak=$(say $?)
soakline=$(sed -n 's/^soak: //p' out.txt)
run ./cuda.test -test.run RanksOnGPUs -test.v -test.timeout 20m; ranks=$(say $?)
sums=$(sed -n 's/^.*sums: //p' out.txt)
run ./model.test -test.run '^$' -test.bench CUDAStep -test.benchtime "${REPORT_BENCHTIME:-2s}" -test.timeout 20m

{
    echo "### $gpu, driver $driver, $(date -u +%Y-%m-%d)"
    echo
    echo "$(./dns-tui version). Matrix products: $libraries."
    echo
    echo "- conformance $conformance; Caffe's vectors and LeNet's training $parity; against the host $long: $longline; soak $soak: $soakline"
    echo
    echo "- sums over several GPUs $ranks:"
    echo "$sums" | sed 's/^/  - /'
    echo
    echo "| net | precision | ms a step | images/s | MiB held |"
    echo "| --- | --- | --- | --- | --- |"
    awk '/^BenchmarkCUDAStep/ {
        split($1, name, "/"); sub(/-[0-9]+$/, "", name[3])
        for (i = 3; i < NF; i++) { if ($(i+1) == "ms/step") ms = $i; if ($(i+1) == "images/s") img = $i; if ($(i+1) == "MiB") mib = $i }
        printf "| %s | %s | %.4g | %.0f | %.0f |\n", name[2], name[3], ms, img, mib
    }' out.txt
} >report.md
cat report.md
rm -f out.txt devices.txt
exit $status
