#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# Over an input of ones, a kernel of 2 gives 0.25 at the corner and 1 inside (Caffe's row is .5 .5), one of 3 gives 4 inside.
cat > n.prototxt <<N
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 1 dim: 4 dim: 4 } data_filler { type: "constant" value: 1 } } }
layer { name: "k2" type: "Deconvolution" bottom: "data" top: "k2" convolution_param { num_output: 1 kernel_size: 2 bias_term: false weight_filler { type: "bilinear" } } }
layer { name: "s2" type: "Reduction" bottom: "k2" top: "s2" }
layer { name: "k3" type: "Deconvolution" bottom: "data" top: "k3" convolution_param { num_output: 1 kernel_size: 3 bias_term: false weight_filler { type: "bilinear" } } }
layer { name: "s3" type: "Reduction" bottom: "k3" top: "s3" loss_weight: 1 }
N
cp n.prototxt m.prototxt; solver s.prototxt n.prototxt t 0
dns train --solver s.prototxt > o.txt 2>&1 || { cat o.txt; bad "does not train"; }
dns test --model n.prototxt --weights t_iter_0.caffemodel --iterations 1 > o.txt 2>&1; cat o.txt
# 16 places times the kernel's sum: (0.5+0.5)^2 and (0.5+1+0.5)^2
grep -q 's2 = 16$' o.txt && grep -q 's3 = 64 ' o.txt && ok "Caffe's kernels" || bad "other kernels"
