// All kernels, as one module.
#include "channel.cu"
#include "classify.cu"
#include "conv.cu"
#include "gemm.cu"
#include "recurrent.cu"
#include "spatial.cu"
#include "train.cu"
#include "vector.cu"
