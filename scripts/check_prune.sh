#!/bin/sh
# The demo's pruning run without the UI: at most 1 weight in 20 kept at a test accuracy of 0.990, within 5 minutes.
set -eu
cd "$(dirname "$0")/../build/demo"
rm -f lenet_dns_iter_* lenet_dns.journal
start=$(date +%s)
../../bin/dns-tui train --solver ../../testdata/solvers/lenet_dns.prototxt --weights ../../testdata/models/lenet5_dense.caffemodel |
    tee prune.log | grep -E 'test|finished|kept .* of .*smaller'
seconds=$(($(date +%s) - start))
../../bin/dns-tui export lenet_dns_iter_8000.caffemodel lenet_dns_pruned.caffemodel
../../bin/dns-tui inspect lenet_dns_pruned.caffemodel
../../bin/dns-tui test --model ../../testdata/nets/lenet.prototxt --weights lenet_dns_pruned.caffemodel --iterations 100 | tee prune_test.log
accuracy=$(awk '/^accuracy/ { print $3 }' prune_test.log)
kept=$(awk '/^  all/ { print $3 / $5 }' prune.log)
echo "kept $kept of the weights at accuracy $accuracy after $seconds s"
awk -v a="$accuracy" -v k="$kept" -v s="$seconds" 'BEGIN { if (a < 0.990 || k > 0.05 || s > 300) { print "wanted 0.05, 0.990, 300 s"; exit 1 } print "ok" }'
