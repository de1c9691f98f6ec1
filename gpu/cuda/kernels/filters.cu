// Copies of forward weights that are not current: something else wrote the weights than update and surgery, which write
// their copies, too (train.cu).
#include "filters.cuh"

// A block does 1024 elements. Moves 2n of bf16, 3n of float32.
KERNEL(256, copy_filters, int n, const float *w, FilterCopy copy) {
	START;
	copy.write(w, (int)blockIdx.x, n);
}
