// The cell of a long short-term memory: gpu.Recurrent. One thread a cell.
#include "common.cuh"

__device__ __forceinline__ float gate(float x) { return 1.0f / (1.0f + expf(-x)); }

// c = cont·σ(f)·before + σ(i)·tanh(g), h = σ(o)·tanh(c); x becomes what the gates let through. Moves 11·n·size.
KERNEL(256, lstm_unit, int n, int size, const float *before, float *x, const float *cont, float *c, float *h, Divisor by_size) {
	START;
	EACH(k, n * size) {
		unsigned s, j;
		by_size.divmod(k, s, j);
		float *u = x + (long long)s * 4 * size + j;
		float go = cont[s];
		float i = gate(u[0]), f = go != 0 ? go * gate(u[size]) : 0.0f, o = gate(u[2 * size]), g = tanhf(u[3 * size]);
		u[0] = i;
		u[size] = f;
		u[2 * size] = o;
		u[3 * size] = g;
		float v = f * before[k] + i * g;
		c[k] = v;
		h[k] = o * tanhf(v);
	}
}

// Its gradient. Moves 13·n·size.
KERNEL(256, lstm_unit_backward, int n, int size, const float *before, const float *gates, const float *c, const float *dc, const float *dh, float *dbefore, float *dx,
	Divisor by_size) {
	START;
	EACH(k, n * size) {
		unsigned s, j;
		by_size.divmod(k, s, j);
		long long at = (long long)s * 4 * size + j;
		float i = gates[at], f = gates[at + size], o = gates[at + 2 * size], g = gates[at + 3 * size];
		float t = tanhf(c[k]), e = dh[k], d = dc[k] + e * o * (1 - t * t), b = before[k];
		dbefore[k] = d * f;
		dx[at] = d * g * i * (1 - i);
		dx[at + size] = d * b * f * (1 - f);
		dx[at + 2 * size] = e * t * o * (1 - o);
		dx[at + 3 * size] = d * i * (1 - g * g);
	}
}
