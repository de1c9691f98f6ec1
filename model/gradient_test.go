package model_test

import (
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
)

// noGradient are the layer types without one.
var noGradient = map[string]bool{
	"Accuracy":   true,
	"ArgMax":     true,
	"Data":       true,
	"DummyData":  true,
	"HDF5Data":   true,
	"HDF5Output": true,
	"ImageData":  true,
	"Input":      true,
	"MemoryData": true,
	"Threshold":  true,
	"WindowData": true,
}

// gradientCases have one net for each layer type and setting with a gradient. Inputs named labelN hold classes below N.
var gradientCases = []struct{ name, text string }{
	{"Convolution", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 5 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`},
	{
		"Convolution dilated, rectangular, without bias",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 7 dim: 6 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 3 kernel_h: 2 kernel_w: 3 dilation: 2 pad_h: 1 pad_w: 2 bias_term: false weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{"CConvolution", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 5 dim: 5 } } }
	  layer { name: "l" type: "CConvolution" bottom: "x" top: "y" convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "gaussian" std: 0.5 } } }`},
	{"InnerProduct", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`},
	{
		"InnerProduct transposed, axis 2",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5 axis: 2 transpose: true weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{"CInnerProduct", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 6 } } }
	  layer { name: "l" type: "CInnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.5 } } }`},
	{"Pooling MAX", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
	  layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }`},
	{"Pooling AVE", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
	  layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }`},
	{"ReLU", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 7 } } }
	  layer { name: "l" type: "ReLU" bottom: "x" top: "y" relu_param { negative_slope: 0.2 } }`},
	{"LRN across", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 7 dim: 2 dim: 3 } } }
	  layer { name: "l" type: "LRN" bottom: "x" top: "y" lrn_param { local_size: 5 alpha: 2 beta: 0.75 } }`},
	{"LRN within", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 5 dim: 4 } } }
	  layer { name: "l" type: "LRN" bottom: "x" top: "y" lrn_param { local_size: 3 alpha: 2 beta: 0.75 norm_region: WITHIN_CHANNEL } }`},
	{"BatchNorm", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 3 } } }
	  layer { name: "l" type: "BatchNorm" bottom: "x" top: "y" }`},
	{
		"BatchNorm global",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 3 } } }
	  layer { name: "l" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { use_global_stats: true eps: 0.5 } }`,
	},
	{"Scale", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Scale" bottom: "x" top: "y" scale_param { bias_term: true filler { type: "gaussian" std: 1 } } }`},
	{"Scale in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "r" type: "Flatten" bottom: "x" top: "y" flatten_param { axis: 2 } }
	  layer { name: "l" type: "Scale" bottom: "y" top: "y" scale_param { filler { type: "gaussian" std: 1 } } }`},
	{
		"Scale by a bottom",
		`layer { name: "in" type: "Input" top: "x" top: "a" input_param { shape { dim: 2 dim: 3 dim: 4 } shape { dim: 3 } } }
	  layer { name: "l" type: "Scale" bottom: "x" bottom: "a" top: "y" scale_param { axis: 1 } }`,
	},
	{"Dropout", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 11 } } }
	  layer { name: "l" type: "Dropout" bottom: "x" top: "y" dropout_param { dropout_ratio: 0.4 } }`},
	{
		"Concat",
		`layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 2 dim: 3 dim: 2 } shape { dim: 2 dim: 1 dim: 2 } } }
	  layer { name: "l" type: "Concat" bottom: "x" bottom: "z" top: "y" }`,
	},
	{"Eltwise SUM", `layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 2 dim: 5 } } }
	  layer { name: "l" type: "Eltwise" bottom: "x" bottom: "z" top: "y" eltwise_param { operation: SUM coeff: 2 coeff: -0.5 } }`},
	{
		"Eltwise PROD",
		`layer { name: "in" type: "Input" top: "x" top: "z" top: "v" input_param { shape { dim: 2 dim: 5 } } }
	  layer { name: "l" type: "Eltwise" bottom: "x" bottom: "z" bottom: "v" top: "y" eltwise_param { operation: PROD } }`,
	},
	{
		"Eltwise MAX",
		`layer { name: "in" type: "Input" top: "x" top: "z" top: "v" input_param { shape { dim: 2 dim: 9 } } }
	  layer { name: "l" type: "Eltwise" bottom: "x" bottom: "z" bottom: "v" top: "y" eltwise_param { operation: MAX } }`,
	},
	{"Flatten", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 2 } } }
	  layer { name: "l" type: "Flatten" bottom: "x" top: "y" }`},
	{"Softmax", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 5 } } }
	  layer { name: "l" type: "Softmax" bottom: "x" top: "y" }`},
	{
		"SoftmaxWithLoss",
		`layer { name: "in" type: "Input" top: "x" top: "label5" input_param { shape { dim: 6 dim: 5 } shape { dim: 6 } } }
	  layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label5" top: "y" loss_weight: 2 }`,
	},
	{
		"SoftmaxWithLoss ignoring, normalised by the batch",
		`layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 4 dim: 3 dim: 2 } shape { dim: 4 dim: 2 } } }
	  layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label3" top: "y" loss_param { ignore_label: 1 normalization: BATCH_SIZE } }`,
	},
	{"AbsVal", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "AbsVal" bottom: "x" top: "y"  }`},
	{"AbsVal in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "AbsVal" bottom: "y" top: "y"  }`},
	{"BNLL", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "BNLL" bottom: "x" top: "y"  }`},
	{"BNLL in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "BNLL" bottom: "y" top: "y"  }`},
	{"Sigmoid", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Sigmoid" bottom: "x" top: "y"  }`},
	{"Sigmoid in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Sigmoid" bottom: "y" top: "y"  }`},
	{"TanH", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "TanH" bottom: "x" top: "y"  }`},
	{"TanH in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "TanH" bottom: "y" top: "y"  }`},
	{"Clip", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Clip" bottom: "x" top: "y" clip_param { min: -0.4 max: 0.5 } }`},
	{"Clip in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Clip" bottom: "y" top: "y" clip_param { min: -0.4 max: 0.5 } }`},
	{"ELU", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "ELU" bottom: "x" top: "y" elu_param { alpha: 0.7 } }`},
	{"ELU in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "ELU" bottom: "y" top: "y" elu_param { alpha: 0.7 } }`},
	{"Exp", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Exp" bottom: "x" top: "y" exp_param { base: 2 scale: 1.5 shift: 0.5 } }`},
	{"Exp in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Exp" bottom: "y" top: "y" exp_param { base: 2 scale: 1.5 shift: 0.5 } }`},
	{"Log", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Log" bottom: "x" top: "y" log_param { base: 3 scale: 0.5 shift: 2 } }`},
	{"Log in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Log" bottom: "y" top: "y" log_param { base: 3 scale: 0.5 shift: 2 } }`},
	{"Power", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Power" bottom: "x" top: "y" power_param { power: 3 scale: 0.5 shift: 2 } }`},
	{"Power in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Power" bottom: "y" top: "y" power_param { power: 3 scale: 0.5 shift: 2 } }`},
	{"Swish", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "Swish" bottom: "x" top: "y" swish_param { beta: 1.5 } }`},
	{"Swish in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "Swish" bottom: "y" top: "y" swish_param { beta: 1.5 } }`},
	{"PReLU", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "l" type: "PReLU" bottom: "x" top: "y" prelu_param { filler { type: "uniform" min: 0.1 max: 1 } } }`},
	{"PReLU in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 dim: 2 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
	  layer { name: "l" type: "PReLU" bottom: "y" top: "y" prelu_param { filler { type: "uniform" min: 0.1 max: 1 } } }`},
	{"PReLU shared", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 } } }
	  layer { name: "l" type: "PReLU" bottom: "x" top: "y" prelu_param { channel_shared: true } }`},
	{"Deconvolution", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Deconvolution" bottom: "x" top: "y" convolution_param { num_output: 6 group: 2 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`},
	{"MVN", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 3 } } }
	  layer { name: "l" type: "MVN" bottom: "x" top: "y" }`},
	{
		"MVN across channels, mean alone",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "MVN" bottom: "x" top: "y" mvn_param { across_channels: true normalize_variance: false } }`,
	},
	{"EuclideanLoss", `layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 4 dim: 3 } } }
	  layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "z" top: "y" loss_weight: 3 }`},
	{
		"SigmoidCrossEntropyLoss",
		`layer { name: "in" type: "Input" top: "x" top: "label2" input_param { shape { dim: 4 dim: 3 } } }
	  layer { name: "l" type: "SigmoidCrossEntropyLoss" bottom: "x" bottom: "label2" top: "y" }`,
	},
	{"Slice", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 dim: 2 } } }
	  layer { name: "s" type: "Slice" bottom: "x" top: "u" top: "v" top: "w" slice_param { axis: 1 slice_point: 2 slice_point: 3 } }
	  layer { name: "q" type: "Silence" bottom: "v" }
	  layer { name: "l" type: "Eltwise" bottom: "u" bottom: "w" top: "y" eltwise_param { operation: PROD } }`},
	{"Reshape", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 6 } } }
	  layer { name: "l" type: "Reshape" bottom: "x" top: "y" reshape_param { axis: 1 shape { dim: 2 dim: -1 } } }`},
	{
		"Convolution, sides padded differently",
		`layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 2 dim: 2 dim: 4 dim: 5 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" bottom: "z" top: "y" top: "v" convolution_param { num_output: 3 kernel_size: 3 stride: 2 pad_l: 1 pad_r: 2 pad_b: 1 weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"DepthwiseConvolution",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 5 dim: 5 } } }
	  layer { name: "l" type: "DepthwiseConvolution" bottom: "x" top: "y" convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{"DNSInnerProduct", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 6 } } }
	  layer { name: "l" type: "DNSInnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.5 } } dns_inner_product_param { c_rate: 2 } }`},
	{
		"Pooling MAX, sides padded differently",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
	  layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: MAX kernel_size: 3 stride: 2 pad_l: 2 pad_t: 1 pad_b: 2 } }`,
	},
	{
		"Pooling AVE, sides padded differently",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
	  layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad_r: 1 pad_t: 2 ceil_mode: false } }`,
	},
	{"Permute", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
	  layer { name: "l" type: "Permute" bottom: "x" top: "y" permute_param { order: 0 order: 2 order: 3 order: 1 } }`},
	{"Permute of all axes", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Permute" bottom: "x" top: "y" permute_param { order: 2 order: 0 } }`},
	{
		"Permute that changes nothing",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Permute" bottom: "x" top: "y" }`,
	},
	{"Normalize", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "Normalize" bottom: "x" top: "y" norm_param { scale_filler { type: "constant" value: 2 } } }`},
	{
		"Normalize of each place, channels apart",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "Normalize" bottom: "x" top: "y" norm_param { across_spatial: false channel_shared: false eps: 0.1 scale_filler { type: "uniform" min: 1 max: 3 } } }`,
	},
	{"Normalize in place", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 6 } } }
	  layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 3 dim: -1 } } }
	  layer { name: "l" type: "Normalize" bottom: "y" top: "y" norm_param { across_spatial: false } }`},
	{"Interp larger", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
	  layer { name: "l" type: "Interp" bottom: "x" top: "y" interp_param { height: 7 width: 12 } }`},
	{
		"Interp smaller, cut",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 8 } } }
	  layer { name: "l" type: "Interp" bottom: "x" top: "y" interp_param { shrink_factor: 2 pad_beg: -1 pad_end: -1 } }`,
	},
	{"Bias", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Bias" bottom: "x" top: "y" bias_param { axis: 1 num_axes: 2 filler { type: "gaussian" std: 1 } } }`},
	{
		"Bias by a bottom, in place",
		`layer { name: "in" type: "Input" top: "x" top: "a" input_param { shape { dim: 2 dim: 3 dim: 4 } shape { dim: 3 } } }
	  layer { name: "r" type: "Flatten" bottom: "x" top: "y" flatten_param { axis: 2 } }
	  layer { name: "l" type: "Bias" bottom: "y" bottom: "a" top: "y" }`,
	},
	{"Tile", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 2 } } }
	  layer { name: "l" type: "Tile" bottom: "x" top: "y" tile_param { axis: 1 tiles: 3 } }`},
	{"Reduction SUM", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "Reduction" bottom: "x" top: "y" reduction_param { axis: 1 coeff: 0.5 } }`},
	{"Reduction MEAN", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
	  layer { name: "l" type: "Reduction" bottom: "x" top: "y" reduction_param { operation: MEAN axis: -1 } }`},
	{"Reduction ASUM", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Reduction" bottom: "x" top: "y" reduction_param { operation: ASUM axis: 1 } }`},
	{"Reduction SUMSQ", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 } } }
	  layer { name: "l" type: "Reduction" bottom: "x" top: "y" reduction_param { operation: SUMSQ axis: 1 coeff: 2 } }`},
	{
		"Crop",
		`layer { name: "in" type: "Input" top: "x" top: "label1" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 6 } shape { dim: 2 dim: 3 dim: 2 dim: 3 } } }
	  layer { name: "l" type: "Crop" bottom: "x" bottom: "label1" top: "y" crop_param { axis: 2 offset: 1 offset: 2 } }`,
	},
	{"Parameter", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
	  layer { name: "p" type: "Parameter" top: "a" parameter_param { shape { dim: 2 dim: 3 } } }
	  layer { name: "l" type: "Eltwise" bottom: "x" bottom: "a" top: "y" eltwise_param { operation: SUM coeff: 1 coeff: -2 } }`},
	{
		"HingeLoss L1",
		`layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
	  layer { name: "l" type: "HingeLoss" bottom: "x" bottom: "label3" top: "y" loss_weight: 2 }`,
	},
	{
		"HingeLoss L2",
		`layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
	  layer { name: "l" type: "HingeLoss" bottom: "x" bottom: "label3" top: "y" hinge_loss_param { norm: L2 } }`,
	},
	{"Embed", `layer { name: "in" type: "Input" top: "label3" input_param { shape { dim: 5 } } }
	  layer { name: "l" type: "Embed" bottom: "label3" top: "y" embed_param { input_dim: 3 num_output: 4 weight_filler { type: "gaussian" std: 1 } } }`},
	{
		"BatchReindex",
		`layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 3 dim: 2 } shape { dim: 5 } } }
	  layer { name: "l" type: "BatchReindex" bottom: "x" bottom: "label3" top: "y" }`,
	},
	{
		"Convolution over three axes",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 3 dim: 4 dim: 3 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 group: 2 kernel_size: 2 stride: 1 stride: 2 stride: 1 pad: 1 pad: 0 pad: 1 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"Convolution over one axis, channels first",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 9 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { axis: 0 num_output: 4 kernel_size: 3 stride: 2 dilation: 2 pad: 1 weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"Deconvolution over three axes",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 2 dim: 3 dim: 2 } } }
	  layer { name: "l" type: "Deconvolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 2 stride: 2 pad: 1 pad: 0 pad: 0 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{"Im2col", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 4 dim: 5 } } }
	  layer { name: "l" type: "Im2col" bottom: "x" top: "y" convolution_param { kernel_h: 2 kernel_w: 3 stride: 2 pad: 1 } }`},
	{
		"Pooling STOCHASTIC",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
	  layer { name: "p" type: "Power" bottom: "x" top: "u" power_param { shift: 2 } }
	  layer { name: "l" type: "Pooling" bottom: "u" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 } }`,
	},
	{"SPP MAX", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 8 dim: 7 } } }
	  layer { name: "l" type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: 3 } }`},
	{"SPP AVE", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 7 dim: 8 } } }
	  layer { name: "l" type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: 2 pool: AVE } }`},
	{
		"MultinomialLogisticLoss",
		`layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
	  layer { name: "p" type: "Power" bottom: "x" top: "u" power_param { shift: 2 } }
	  layer { name: "l" type: "MultinomialLogisticLoss" bottom: "u" bottom: "label3" top: "y" loss_weight: 2 }`,
	},
	{
		"InfogainLoss",
		`layer { name: "in" type: "Input" top: "x" top: "label3" top: "label4" input_param { shape { dim: 4 dim: 3 dim: 2 } shape { dim: 4 dim: 2 } shape { dim: 3 dim: 3 } } }
	  layer { name: "l" type: "InfogainLoss" bottom: "x" bottom: "label3" bottom: "label4" top: "y" loss_param { ignore_label: 1 } }`,
	},
	{
		"ContrastiveLoss",
		`layer { name: "in" type: "Input" top: "x" top: "z" top: "label2" input_param { shape { dim: 6 dim: 3 } shape { dim: 6 dim: 3 } shape { dim: 6 } } }
	  layer { name: "l" type: "ContrastiveLoss" bottom: "x" bottom: "z" bottom: "label2" top: "y" contrastive_loss_param { margin: 1.2 } }`,
	},
	{
		"ContrastiveLoss legacy",
		`layer { name: "in" type: "Input" top: "x" top: "z" top: "label2" input_param { shape { dim: 6 dim: 3 } shape { dim: 6 dim: 3 } shape { dim: 6 } } }
	  layer { name: "l" type: "ContrastiveLoss" bottom: "x" bottom: "z" bottom: "label2" top: "y" loss_weight: 3 contrastive_loss_param { margin: 1.2 legacy_version: true } }`,
	},
	{
		"Filter",
		`layer { name: "in" type: "Input" top: "x" top: "label2" input_param { shape { dim: 5 dim: 3 } shape { dim: 5 } } }
	  layer { name: "f" type: "Filter" bottom: "x" bottom: "label2" top: "u" }
	  layer { name: "l" type: "InnerProduct" bottom: "u" top: "y" inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"LSTM",
		`layer { name: "in" type: "Input" top: "x" top: "label2" input_param { shape { dim: 3 dim: 1 dim: 4 } shape { dim: 3 dim: 1 } } }
	  layer { name: "l" type: "LSTM" bottom: "x" bottom: "label2" top: "y" recurrent_param { num_output: 3 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"LSTM with a static input and exposed states",
		`layer { name: "in" type: "Input" top: "x" top: "label2" top: "z" top: "label3" top: "label5" input_param { shape { dim: 3 dim: 3 dim: 2 dim: 2 } shape { dim: 3 dim: 3 } shape { dim: 3 dim: 2 } shape { dim: 1 dim: 3 dim: 3 } shape { dim: 1 dim: 3 dim: 3 } } }
	  layer { name: "l" type: "LSTM" bottom: "x" bottom: "label2" bottom: "z" bottom: "label3" bottom: "label5" top: "y" top: "hT" top: "cT" recurrent_param { num_output: 3 expose_hidden: true weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"LSTMUnit",
		`layer { name: "in" type: "Input" top: "x" top: "z" top: "label2" input_param { shape { dim: 1 dim: 3 dim: 4 } shape { dim: 1 dim: 3 dim: 16 } shape { dim: 1 dim: 3 } } }
	  layer { name: "l" type: "LSTMUnit" bottom: "x" bottom: "z" bottom: "label2" top: "c" top: "y" }`,
	},
	{
		"RNN",
		`layer { name: "in" type: "Input" top: "x" top: "label2" input_param { shape { dim: 3 dim: 1 dim: 4 } shape { dim: 3 dim: 1 } } }
	  layer { name: "l" type: "RNN" bottom: "x" bottom: "label2" top: "y" recurrent_param { num_output: 3 weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{
		"RNN with a static input and an exposed state",
		`layer { name: "in" type: "Input" top: "x" top: "label2" top: "z" top: "label3" input_param { shape { dim: 3 dim: 3 dim: 4 } shape { dim: 3 dim: 3 } shape { dim: 3 dim: 2 } shape { dim: 1 dim: 3 dim: 3 } } }
	  layer { name: "l" type: "RNN" bottom: "x" bottom: "label2" bottom: "z" bottom: "label3" top: "y" top: "hT" recurrent_param { num_output: 3 expose_hidden: true weight_filler { type: "gaussian" std: 0.5 } } }`,
	},
	{"Split", `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
	  layer { name: "a" type: "ReLU" bottom: "x" top: "u" relu_param { negative_slope: 3 } }
	  layer { name: "l" type: "Eltwise" bottom: "u" bottom: "x" top: "y" eltwise_param { operation: SUM } }`},
}

// Every layer with a gradient is checked against differences: d(Σ r·y)/dx for random r.
func TestGradients(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range gradientCases {
		f, err := caffe.ParseNetPrototxt(c.name, []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range f.Net.Layer {
			covered[l.GetType()] = true
		}
		if c.name == "Split" {
			covered["Split"] = true
		}
		t.Run(c.name, func(t *testing.T) { checkGradients(t, f) })
	}
	for _, typ := range layer.Types() {
		if !covered[typ] && !noGradient[typ] {
			t.Errorf("layer type %s has no gradient check", typ)
		}
	}
}

// gradientTolerance is relative to the largest gradient of the array.
const gradientTolerance = 1e-2

func checkGradients(t *testing.T, f *caffe.NetFile) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	net, err := model.NewNet(
		f,
		model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 5, Probe: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	key := gpu.Key{Seed: 9}
	inputs := map[string]*layer.Blob{}
	for _, top := range f.Net.Layer[0].Top {
		b := net.Blob(top)
		v := make([]float32, b.Data.N)
		key.Iter++
		var classes int
		if n, _ := fmt.Sscanf(top, "label%d", &classes); n == 1 {
			for i := range v {
				v[i] = float32(i % classes)
			}
		} else {
			spread(v, key)
			inputs[top] = b
		}
		d.Upload(b.Data, v)
	}
	for _, p := range net.Params() {
		if p.Statistics {
			d.Fill(p.Data, 1) // running sums with a weight of 1
		}
	}
	y := net.Blob("y")
	before := map[string][]float32{}
	for name, b := range inputs {
		before[name] = download(d, b.Data)
	}
	if _, err := net.Forward(); err != nil { // a Filter's output has its shape from here on
		t.Fatal(err)
	}
	for name, b := range inputs {
		d.Upload(b.Data, before[name]) // a layer in place may have changed it
	}
	r := make([]float32, y.Data.N)
	key.Iter++
	for i := range r {
		r[i] = key.Uniform(i) + 0.5
	}
	isLoss := y.Data.N == 1
	objective := func() float64 {
		loss, err := net.Forward()
		if err != nil {
			t.Fatal(err)
		}
		if isLoss {
			return loss
		}
		v := download(d, y.Data)
		s := 0.0
		for i := range v {
			s += float64(v[i]) * float64(r[i])
		}
		return s
	}
	objective()
	// A layer in place, or one that shows its input in another shape, shares memory with it: the inputs' data is put
	// back before each pass, the gradient of the output comes last.
	if !isLoss {
		d.Upload(y.Diff, r)
	}
	net.Backward()
	arrays := map[string][2]*gpu.Tensor{}
	for name, b := range inputs {
		arrays[name] = [2]*gpu.Tensor{b.Data, b.Diff}
	}
	for _, p := range net.Params() {
		if p.Trained() {
			arrays[fmt.Sprintf("%s/%d", p.Layer, p.Index)] = [2]*gpu.Tensor{p.Data, p.Diff}
		}
	}
	names := make([]string, 0, len(arrays))
	start := map[string][]float32{}
	grads := map[string][]float32{}
	for name, a := range arrays {
		names = append(names, name)
		grads[name] = download(d, a[1])
	}
	sort.Strings(names)
	key.Iter = 1
	for _, top := range f.Net.Layer[0].Top {
		if b := inputs[top]; b != nil {
			v := make([]float32, b.Data.N)
			k := gpu.Key{Seed: 9, Iter: key.Iter}
			spread(v, k)
			start[top] = v
		}
		key.Iter++
	}
	for _, p := range net.Params() {
		if name := fmt.Sprintf("%s/%d", p.Layer, p.Index); p.Trained() {
			start[name] = download(d, p.Data)
		}
	}
	for _, name := range names {
		compareGradient(t, name, start, arrays, grads[name], d, objective)
	}
}

// spread sets v to distinct numbers in [-1, 1] that keep clear of zero and of each other, so that a small step crosses
// no kink of a maximum or a ReLU.
func spread(v []float32, key gpu.Key) {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return key.Uniform(order[a]) < key.Uniform(order[b]) })
	for rank, i := range order {
		v[i] = (2*float32(rank) + 1 - float32(len(v))) / float32(len(v))
		if len(v)%2 == 1 && 2*rank+1 == len(v) {
			v[i] = 0.5 / float32(len(v))
		}
		v[i] += 0.2 * float32(key.Iter) / float32(len(v)) // no equals between arrays
	}
}

func compareGradient(
	t *testing.T,
	name string,
	start map[string][]float32,
	arrays map[string][2]*gpu.Tensor,
	grad []float32,
	d gpu.Device,
	objective func() float64,
) {
	size := 1e-3
	for _, g := range grad {
		size = math.Max(size, math.Abs(float64(g)))
	}
	x := append([]float32(nil), start[name]...)
	eval := func(i int, by float32) float64 {
		for other, v := range start {
			d.Upload(arrays[other][0], v)
		}
		v := append([]float32(nil), x...)
		v[i] += by
		d.Upload(arrays[name][0], v)
		return objective()
	}
	step := float32(1e-2)
	if n := float32(len(x)); step > 0.25/n {
		step = max(0.25/n, 2e-3)
	}
	for i := range x {
		numeric := (eval(i, step) - eval(i, -step)) / (2 * float64(step))
		if e := math.Abs(numeric - float64(grad[i])); e > gradientTolerance*size {
			t.Errorf("d/d%s[%d] is %g, differences give %g", name, i, grad[i], numeric)
		}
	}
	eval(0, 0)
}

func download(d gpu.Device, t *gpu.Tensor) []float32 {
	v := make([]float32, t.N)
	d.Download(v, t)
	return v
}

// The nets that people bring build, have the published number of parameters, and train a step, with batches as small as
// batch normalisation allows.
func TestNetsTrain(t *testing.T) {
	for _, e := range modeltest.Examples {
		t.Run(e.Name, func(t *testing.T) {
			d := host.New(host.Options{})
			defer d.Close()
			s := modeltest.Solver(t, d, e.Name, 2, e.Classes)
			if n := s.Net.Count(); n != e.Params {
				t.Errorf("%d parameters, wanted %d", n, e.Params)
			}
			for step := range 2 {
				if e.Name == "vgg16" && step > 0 {
					break // its weights are half of all that this test moves
				}
				loss, err := s.Step()
				if err != nil {
					t.Fatal(err)
				}
				if !(loss > 0.01 && loss < 1000) {
					t.Errorf("the loss of step %d is %g", step, loss)
				}
			}
		})
	}
}

// Every net of testdata/nets is one of the examples.
func TestExamplesAreAll(t *testing.T) {
	files, err := filepath.Glob(modeltest.Root("nets", "*.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		modeltest.Find(t, strings.TrimSuffix(filepath.Base(f), ".prototxt"))
	}
	if len(files) != len(modeltest.Examples) {
		t.Errorf("%d files for %d examples", len(files), len(modeltest.Examples))
	}
}
