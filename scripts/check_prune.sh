#!/bin/sh
# The demo's run without the UI: the autopilot takes LeNet-5 to a hundredth of its weights at a test accuracy of 0.990,
# within 4 minutes.
set -eu
cd "$(dirname "$0")/../build/demo"
rm -f lenet_autopilot_* lenet_autopilot.*
start=$(date +%s)
../../bin/dns-tui train --solver ../../testdata/solvers/lenet_autopilot.prototxt --weights ../../testdata/models/lenet5_dense.caffemodel |
    tee prune.log | grep -E 'autopilot|descent|test|finished|kept .* of .*smaller'
seconds=$(($(date +%s) - start))
../../bin/dns-tui export lenet_autopilot_iter_6000.caffemodel lenet_autopilot_pruned.caffemodel
../../bin/dns-tui inspect lenet_autopilot_pruned.caffemodel
../../bin/dns-tui test --model ../../testdata/nets/lenet.prototxt --weights lenet_autopilot_pruned.caffemodel --iterations 100 | tee prune_test.log
accuracy=$(awk '/^accuracy/ { print $3 }' prune_test.log)
times=$(awk '/^  all/ { print $5 / $3 }' prune.log)
echo "$times times smaller at accuracy $accuracy after $seconds s"
awk -v a="$accuracy" -v k="$times" -v s="$seconds" 'BEGIN { if (a < 0.990 || k < 100 || s > 240) { print "wanted 100, 0.990, 240 s"; exit 1 } print "ok" }'
