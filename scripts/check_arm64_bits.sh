#!/bin/sh
# Trains a net of many kinds of layers here and, in qemu, on arm64, and compares the bits of the weights. By rule all
# its products and convolutions go by this program's tiles and Winograd's transforms, and its softmax has a multiple of
# eight classes: so neither a library's products nor Go's exponential is in them, which differ from one processor to
# another. docs/performance.md, "Vectors".
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/net.prototxt" <<'NET'
name: "kinds"
layer { name: "mnist" type: "Data" top: "data" top: "label" transform_param { scale: 0.00390625 }
  data_param { source: "mnist1280_lmdb" batch_size: 64 backend: LMDB } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "i1"
  inner_product_param { num_output: 1600 weight_filler { type: "gaussian" std: 0.05 } } }
layer { name: "planes" type: "Reshape" bottom: "i1" top: "r"
  reshape_param { shape { dim: 0 dim: 16 dim: 10 dim: 10 } } }
layer { name: "conv1" type: "Convolution" bottom: "r" top: "c"
  convolution_param { num_output: 32 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "conv2" type: "Convolution" bottom: "c" top: "d"
  convolution_param { num_output: 32 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "pool1" type: "Pooling" bottom: "d" top: "p" pooling_param { pool: MAX kernel_size: 3 stride: 1 } }
layer { name: "pool2" type: "Pooling" bottom: "p" top: "q" pooling_param { pool: AVE kernel_size: 2 stride: 1 } }
layer { name: "lrn" type: "LRN" bottom: "q" top: "l" lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 } }
layer { name: "elu" type: "ELU" bottom: "l" top: "e" }
layer { name: "ip2" type: "InnerProduct" bottom: "e" top: "i2"
  inner_product_param { num_output: 64 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "i2" top: "i2" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip3" type: "InnerProduct" bottom: "i2" top: "i3"
  inner_product_param { num_output: 64 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "i3" bottom: "label" top: "loss" }
NET
cat >"$work/solver.prototxt" <<'SOLVER'
net: "net.prototxt"
max_iter: 4 solver_mode: CPU random_seed: 7 snapshot_prefix: "it"
type: "Adam" base_lr: 0.001 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005
SOLVER
cp -r testdata/oracle/solvers/mnist1280_lmdb "$work"

# trained BINARY EMULATOR... trains with a binary.
trained() {
	binary=$1
	shift
	(
		cd "$work" &&
			"$@" "$binary" train --device host --untuned --go-blas --solver solver.prototxt
	) >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		exit 1
	}
	mv "$work/it_iter_4.caffemodel" "$binary.caffemodel"
}
$go build -o "$work/here" ./cmd/dns-tui
CGO_ENABLED=1 GOARCH=arm64 CC=${CC_ARM64:-aarch64-linux-gnu-gcc} $go build -o "$work/arm64" ./cmd/dns-tui
trained "$work/here" env
trained "$work/arm64" env -u DNS_TUI_VECTORS qemu-aarch64-static -L /usr/aarch64-linux-gnu
if ! cmp "$work/here.caffemodel" "$work/arm64.caffemodel"; then
	echo "check_arm64_bits: weights differ after 4 iterations; wanted the same bits (with AVX2 or more)" >&2
	exit 1
fi
echo "$(uname -m) and arm64 trained to the same $(wc -c <"$work/here.caffemodel") bytes"
