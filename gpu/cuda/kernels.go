//go:build cuda

package cuda

// kernelID is a kernel: its place in kernelNames.
type kernelID int

// The kernels. Of a product's, the tile's size is part of the name, and kernels of one product are in order of it.
const (
	kAddBias kernelID = iota
	kScale
	kPrelu
	kSumBias
	kSumBiasColumns
	kScaleBackward
	kPreluBackward
	kBatchStats
	kNormalize
	kNormalizeScale
	kNormalizeMeans
	kNormalizeBackward
	kNormalizeGlobalBackward
	kSoftmaxColumns
	kSoftmaxRows
	kSoftmaxBackwardColumns
	kSoftmaxBackwardRows
	kSoftmaxLoss
	kSoftmaxWithLoss
	kSoftmaxLossBackward
	kSigmoidLoss
	kSigmoidLossBackward
	kHingeLoss
	kHingeLossBackward
	kLogLoss
	kLogLossBackward
	kInfogainLoss
	kInfogainLossBackward
	kContrastiveLoss
	kContrastiveLossBackward
	kArgMax
	kCountHits
	kAccuracy
	kConv32
	kConv64
	kConv128
	kConvBackwardData32
	kConvBackwardData64
	kConvBackwardData128
	kConvBackwardWeights32
	kConvBackwardWeights64
	kConvBackwardWeights128
	kGemmNn32
	kGemmNt32
	kGemmTn32
	kGemmTt32
	kGemmNn64
	kGemmNt64
	kGemmTn64
	kGemmTt64
	kGemmNn128
	kGemmNt128
	kGemmTn128
	kGemmTt128
	kLstmUnit
	kLstmUnitBackward
	kMaxPool
	kMaxPoolBackward
	kAvePool
	kAvePoolBackward
	kStochasticPool
	kExpectedPool
	kLrn
	kLrnBackward
	kIm2col
	kCol2im
	kUpdate
	kSurgeryMeasure
	kSurgeryRedraw
	kReach
	kFill
	kCopy
	kAx
	kAxpby
	kMul
	kMaxUpdate
	kMaxBackward
	kPower
	kUnary
	kUnaryBackward
	kCopy2d
	kGather
	kScatterAdd
	kRelu
	kReluBackward
	kDropout
	kDot
	kSumSquares
	kCountBad

	// Of the module for tensor cores: the kernels of a kind of number and a tile, in the order of the enumeration
	// product.
	kGemmNnTf3264
	kGemmNtTf3264
	kGemmTnTf3264
	kGemmTtTf3264
	kConvTf3264
	kConvBackwardDataTf3264
	kConvBackwardWeightsTf3264
	kGemmNnTf32128
	kGemmNtTf32128
	kGemmTnTf32128
	kGemmTtTf32128
	kConvTf32128
	kConvBackwardDataTf32128
	kConvBackwardWeightsTf32128
	kGemmNnBf1664
	kGemmNtBf1664
	kGemmTnBf1664
	kGemmTtBf1664
	kConvBf1664
	kConvBackwardDataBf1664
	kConvBackwardWeightsBf1664
	kGemmNnBf16128
	kGemmNtBf16128
	kGemmTnBf16128
	kGemmTtBf16128
	kConvBf16128
	kConvBackwardDataBf16128
	kConvBackwardWeightsBf16128
	kernelCount
)

// firstTensor is the first kernel of the module for tensor cores.
const firstTensor = kGemmNnTf3264

// kernelNames are their names in the module.
var kernelNames = [kernelCount]string{
	kAddBias:                    "add_bias",
	kScale:                      "scale",
	kPrelu:                      "prelu",
	kSumBias:                    "sum_bias",
	kSumBiasColumns:             "sum_bias_columns",
	kScaleBackward:              "scale_backward",
	kPreluBackward:              "prelu_backward",
	kBatchStats:                 "batch_stats",
	kNormalize:                  "normalize",
	kNormalizeScale:             "normalize_scale",
	kNormalizeMeans:             "normalize_means",
	kNormalizeBackward:          "normalize_backward",
	kNormalizeGlobalBackward:    "normalize_global_backward",
	kSoftmaxColumns:             "softmax_columns",
	kSoftmaxRows:                "softmax_rows",
	kSoftmaxBackwardColumns:     "softmax_backward_columns",
	kSoftmaxBackwardRows:        "softmax_backward_rows",
	kSoftmaxLoss:                "softmax_loss",
	kSoftmaxWithLoss:            "softmax_with_loss",
	kSoftmaxLossBackward:        "softmax_loss_backward",
	kSigmoidLoss:                "sigmoid_loss",
	kSigmoidLossBackward:        "sigmoid_loss_backward",
	kHingeLoss:                  "hinge_loss",
	kHingeLossBackward:          "hinge_loss_backward",
	kLogLoss:                    "log_loss",
	kLogLossBackward:            "log_loss_backward",
	kInfogainLoss:               "infogain_loss",
	kInfogainLossBackward:       "infogain_loss_backward",
	kContrastiveLoss:            "contrastive_loss",
	kContrastiveLossBackward:    "contrastive_loss_backward",
	kArgMax:                     "arg_max",
	kCountHits:                  "count_hits",
	kAccuracy:                   "accuracy",
	kConv32:                     "conv_32",
	kConv64:                     "conv_64",
	kConv128:                    "conv_128",
	kConvBackwardData32:         "conv_backward_data_32",
	kConvBackwardData64:         "conv_backward_data_64",
	kConvBackwardData128:        "conv_backward_data_128",
	kConvBackwardWeights32:      "conv_backward_weights_32",
	kConvBackwardWeights64:      "conv_backward_weights_64",
	kConvBackwardWeights128:     "conv_backward_weights_128",
	kGemmNn32:                   "gemm_nn_32",
	kGemmNt32:                   "gemm_nt_32",
	kGemmTn32:                   "gemm_tn_32",
	kGemmTt32:                   "gemm_tt_32",
	kGemmNn64:                   "gemm_nn_64",
	kGemmNt64:                   "gemm_nt_64",
	kGemmTn64:                   "gemm_tn_64",
	kGemmTt64:                   "gemm_tt_64",
	kGemmNn128:                  "gemm_nn_128",
	kGemmNt128:                  "gemm_nt_128",
	kGemmTn128:                  "gemm_tn_128",
	kGemmTt128:                  "gemm_tt_128",
	kLstmUnit:                   "lstm_unit",
	kLstmUnitBackward:           "lstm_unit_backward",
	kMaxPool:                    "max_pool",
	kMaxPoolBackward:            "max_pool_backward",
	kAvePool:                    "ave_pool",
	kAvePoolBackward:            "ave_pool_backward",
	kStochasticPool:             "stochastic_pool",
	kExpectedPool:               "expected_pool",
	kLrn:                        "lrn",
	kLrnBackward:                "lrn_backward",
	kIm2col:                     "im2col",
	kCol2im:                     "col2im",
	kUpdate:                     "update",
	kSurgeryMeasure:             "surgery_measure",
	kSurgeryRedraw:              "surgery_redraw",
	kReach:                      "reach",
	kFill:                       "fill",
	kCopy:                       "copy",
	kAx:                         "ax",
	kAxpby:                      "axpby",
	kMul:                        "mul",
	kMaxUpdate:                  "max_update",
	kMaxBackward:                "max_backward",
	kPower:                      "power",
	kUnary:                      "unary",
	kUnaryBackward:              "unary_backward",
	kCopy2d:                     "copy2d",
	kGather:                     "gather",
	kScatterAdd:                 "scatter_add",
	kRelu:                       "relu",
	kReluBackward:               "relu_backward",
	kDropout:                    "dropout",
	kDot:                        "dot",
	kSumSquares:                 "sum_squares",
	kCountBad:                   "count_bad",
	kGemmNnTf3264:               "gemm_nn_tf32_64",
	kGemmNtTf3264:               "gemm_nt_tf32_64",
	kGemmTnTf3264:               "gemm_tn_tf32_64",
	kGemmTtTf3264:               "gemm_tt_tf32_64",
	kConvTf3264:                 "conv_tf32_64",
	kConvBackwardDataTf3264:     "conv_backward_data_tf32_64",
	kConvBackwardWeightsTf3264:  "conv_backward_weights_tf32_64",
	kGemmNnTf32128:              "gemm_nn_tf32_128",
	kGemmNtTf32128:              "gemm_nt_tf32_128",
	kGemmTnTf32128:              "gemm_tn_tf32_128",
	kGemmTtTf32128:              "gemm_tt_tf32_128",
	kConvTf32128:                "conv_tf32_128",
	kConvBackwardDataTf32128:    "conv_backward_data_tf32_128",
	kConvBackwardWeightsTf32128: "conv_backward_weights_tf32_128",
	kGemmNnBf1664:               "gemm_nn_bf16_64",
	kGemmNtBf1664:               "gemm_nt_bf16_64",
	kGemmTnBf1664:               "gemm_tn_bf16_64",
	kGemmTtBf1664:               "gemm_tt_bf16_64",
	kConvBf1664:                 "conv_bf16_64",
	kConvBackwardDataBf1664:     "conv_backward_data_bf16_64",
	kConvBackwardWeightsBf1664:  "conv_backward_weights_bf16_64",
	kGemmNnBf16128:              "gemm_nn_bf16_128",
	kGemmNtBf16128:              "gemm_nt_bf16_128",
	kGemmTnBf16128:              "gemm_tn_bf16_128",
	kGemmTtBf16128:              "gemm_tt_bf16_128",
	kConvBf16128:                "conv_bf16_128",
	kConvBackwardDataBf16128:    "conv_backward_data_bf16_128",
	kConvBackwardWeightsBf16128: "conv_backward_weights_bf16_128",
}
