#!/bin/sh
# Trains LeNet from scratch by Caffe's own solver and wants a test accuracy of 0.990 (Caffe: 0.9904).
set -eu
cd "$(dirname "$0")/../build/demo"
rm -f lenet_iter_* lenet.journal
../../bin/dns-tui train --solver ../../testdata/solvers/lenet.prototxt | tee lenet.log | grep -E 'test|finished'
grep 'test  accuracy' lenet.log | tail -n 1 | awk '{ if ($5 + 0 < 0.990) { print "accuracy " $5 ", wanted 0.990"; exit 1 } print "ok: accuracy " $5 }'
