#!/bin/sh
# The report of a GPU: conformance, parity with the host over 200 iterations of LeNet with surgery, the benchmark table against
# the budgets, the kernels that take longest, PyTorch beside it where Python has it, a soak of a minute, faults, and, where
# there are several GPUs, sums over them; and what to do next. Runs in the folder that `make gpu-bundle` made; needs
# NVIDIA's driver and nothing else, and NCCL for sums. Writes report.md beside itself, and, from `make gpu-report`, into
# docs/benchmarks.md.
#
#   REPORT_QUICK=1        small sizes and few tests, for the emulator (`make check-report`)
#   DNS_TUI_BATCH=n       another batch, for the emulator
#   DNS_TUI_NET=net       of the timeline, and the only one of the table
#   REPORT_PARITY=200     iterations compared with the host
#   REPORT_SOAK=400000    steps of the soak: about a minute on an H100
#   REPORT_BENCHTIME=2s   per line of the table
#   REPORT_LINES=15       lines of the timeline for each precision
#   REPORT_PYTHON=python3 the Python that has PyTorch, or not
#   DNS_TUI_TESTDATA=dir  testdata elsewhere than beside this script
set -u
cd "$(dirname "$0")"
conform=Conformance kept='CUDA(Oracle|LeNet|Surgery|Unstable|Step|Resume)' faulty='Fault|Lost|ChannelsLast|EveryTile|TensorCores'
if [ -n "${REPORT_QUICK:-}" ]; then
    : "${DNS_TUI_BATCH:=2}" "${DNS_TUI_NET:=lenet_dns}" "${REPORT_PARITY:=2}" "${REPORT_SOAK:=3}" "${REPORT_LINES:=2}" "${REPORT_BENCHTIME:=1x}"
    export DNS_TUI_BATCH DNS_TUI_NET
    conform=Conformance/Graphs kept=CUDASurgery faulty='TestFaults/(no|a_launch|old)|Lost'
fi
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

run ./cuda.test -test.run "$conform" -test.timeout 20m; conformance=$(say $?)
run ./model.test -test.run "$kept" -test.timeout 20m; parity=$(say $?)
DNS_TUI_PARITY=${REPORT_PARITY:-200} run ./model.test -test.run CUDALongParity -test.v -test.timeout 20m; long=$(say $?)
longline=$(sed -n 's/^parity: //p' out.txt)
DNS_TUI_SOAK=${REPORT_SOAK:-400000} run ./model.test -test.run CUDASoak -test.v -test.timeout 20m; soak=$(say $?)
soakline=$(sed -n 's/^soak: //p' out.txt)
run ./cuda.test -test.run RanksOnGPUs -test.v -test.timeout 20m; ranks=$(say $?)
sums=$(sed -n 's/^.*sums: //p' out.txt)
run ./cuda.test -test.run "$faulty" -test.timeout 20m; faults=$(say $?)
run ./cuda.test -test.run 'Libraries(Plans|Algorithms|WithoutGraphs|OfTwo)' -test.v -test.timeout 20m; ways=$(say $?)
plans=$(sed -n 's/^.*go:[0-9]*: plans: //p' out.txt)
DNS_TUI_TIMELINE=${REPORT_LINES:-15} run ./model.test -test.run CUDATimeline -test.v -test.timeout 20m; timeline=$(say $?)
sed -n 's/^timeline: //p' out.txt >timeline.txt
python=${REPORT_PYTHON:-python3}
if "$python" -c 'import torch' 2>/dev/null; then
    run "$python" gpu_peers.py "$DNS_TUI_TESTDATA/nets"; peers=$(say $?)
    grep '^|' out.txt >peers.txt
else
    peers="not measured: $python has no PyTorch"
    : >peers.txt
fi
run ./model.test -test.run '^$' -test.bench CUDAStep -test.benchtime "${REPORT_BENCHTIME:-2s}" -test.timeout 20m

{
    echo "### $gpu, driver $driver, $(date -u +%Y-%m-%d)${REPORT_QUICK:+, quick: of small sizes}"
    echo
    echo "$(./dns-tui version). Matrix products: $libraries."
    echo
    echo "- conformance $conformance; Caffe's vectors and LeNet's training $parity; against the host $long: $longline; soak $soak: $soakline"
    echo
    echo "- sums over several GPUs $ranks:"
    echo "$sums" | sed 's/^/  - /'
    echo
    echo "- ways of cuDNN $ways; plans of its graphs, of a small convolution forward, of its inputs and of its weights:"
    echo "${plans:-none}" | sed 's/^/  - /'
    echo
    echo "- tiles, tensor cores, channels last, faults $faults; timeline $timeline; PyTorch $peers"
    echo
    # The budgets of docs/performance.md in images/s, for an H100; none elsewhere.
    echo "| net | precision | ms a step | images/s | budget on an H100 | PyTorch, images/s | MiB held |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"
    awk 'FILENAME == "peers.txt" { gsub(/ /, ""); split($0, cell, "|"); peer[cell[2], cell[3]] = cell[5]; next }
    BEGIN { budget["alexnet_bn", "fp32"] = 7633; budget["alexnet_bn", "tf32"] = 16703; budget["alexnet_bn", "bf16"] = 24374 }
    /^BenchmarkCUDAStep/ {
        split($1, name, "/"); sub(/-[0-9]+$/, "", name[3])
        for (i = 3; i < NF; i++) { if ($(i+1) == "ms/step") ms = $i; if ($(i+1) == "images/s") img = $i; if ($(i+1) == "MiB") mib = $i }
        net = name[2]; of = net == "lenet_dns" ? "lenet" : net
        b = (net, name[3]) in budget ? budget[net, name[3]] : "–"; p = (of, name[3]) in peer ? peer[of, name[3]] : "not measured"
        printf "| %s | %s | %.4g | %.0f | %s | %s | %.0f |\n", net, name[3], ms, img, b, p, mib
        if (b != "–" && img < b) print net, name[3], img / b >"behind.txt"
        if (p != "not measured" && img < p) print net, name[3], "PyTorch", img / p >"behind.txt"
    }' peers.txt out.txt
    echo
    echo "A training step of ${DNS_TUI_NET:-alexnet_bn}, kernel by kernel, each measured by itself:"
    echo
    echo "| precision | for | kernel | launches | blocks | µs | share |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"
    cat timeline.txt
    echo
    echo "What to do next:"
    echo
    for part in "conformance:$conformance" "parity:$parity" "long parity:$long" "soak:$soak" "faults:$faults" "ways of cuDNN:$ways"; do
        case $part in *FAILS) echo "- ${part%:*} fails: see what was printed on standard error; nothing else counts before that" ;; esac
    done
    [ ! -s behind.txt ] || while read -r net precision what part; do
        if [ "$what" = PyTorch ]; then echo "- $net in $precision reaches $part of PyTorch's images/s"
        else echo "- $net in $precision reaches $what of its budget"; fi
    done <behind.txt
    for precision in fp32 tf32 bf16; do
        sed -n "s/^| $precision | \(.*\) | \(.*\) | [0-9]* | [0-9]* | \([0-9.]*\) | \(.*\) |$/- $precision: first \2 of \1, \4 of the step (\3 µs)/p" timeline.txt | head -n 3
    done
} >report.md
cat report.md
rm -f out.txt devices.txt timeline.txt peers.txt behind.txt
exit $status
