// Pooling, local response normalisation, im2col: the parts of gpu.Spatial that are no matrix products. One thread an output,
// so that what several windows share is added in one order without atomics.
#include "spatial.cuh"

// Place is an element of a plane.
struct PlaceOf {
	int plane, row, column;
};
__device__ __forceinline__ PlaceOf output_at(const Pool &g, int i) {
	unsigned q, plane, row, column;
	g.by_out_w.divmod(i, q, column);
	g.by_out_h.divmod(q, plane, row);
	return {(int)plane, (int)row, (int)column};
}
__device__ __forceinline__ PlaceOf input_at(const Pool &g, int i) {
	unsigned q, plane, row, column;
	g.by_w.divmod(i, q, column);
	g.by_h.divmod(q, plane, row);
	return {(int)plane, (int)row, (int)column};
}

// y = the maximum of each window, at = its place in the plane, the first of equals. Moves in + 2·out.
KERNEL(256, max_pool, const float *x, float *y, float *at, Pool g) {
	START;
	EACH(i, g.planes * g.out_h * g.out_w) {
		PlaceOf o = output_at(g, i);
		Window v = window_of(g, o.row, o.column);
		const float *p = x + (long long)o.plane * g.h * g.w;
		float best = -3.402823466e+38f;
		int place = -1;
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u = p[h * g.w + w];
				if (u > best || u != u) {
					best = u;
					place = h * g.w + w;
				}
			}
		y[i] = best;
		at[i] = (float)place;
	}
}

// dx = Σ dy over the windows whose maximum it is. Moves in + 2·out.
KERNEL(256, max_pool_backward, const float *dy, const float *at, float *dx, Pool g) {
	START;
	EACH(i, g.planes * g.h * g.w) {
		PlaceOf p = input_at(g, i);
		float place = (float)(p.row * g.w + p.column), t = 0;
		int h1 = last_window(p.row, g.ph, g.sh, g.out_h), w1 = last_window(p.column, g.pw, g.sw, g.out_w);
		for (int h = first_window(p.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window(p.column, g.pw, g.kw, g.sw); w <= w1; w++) {
				int o = (p.plane * g.out_h + h) * g.out_w + w;
				if (at[o] == place) t += dy[o];
			}
		dx[i] = t;
	}
}

// y = the sum of each window over its size. Moves in + out.
KERNEL(256, ave_pool, const float *x, float *y, Pool g) {
	START;
	EACH(i, g.planes * g.out_h * g.out_w) {
		PlaceOf o = output_at(g, i);
		Window v = window_of(g, o.row, o.column);
		const float *p = x + (long long)o.plane * g.h * g.w;
		float t = 0;
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) t += p[h * g.w + w];
		y[i] = t / (float)v.size;
	}
}

// Its gradient. Moves in + out.
KERNEL(256, ave_pool_backward, const float *dy, float *dx, Pool g) {
	START;
	EACH(i, g.planes * g.h * g.w) {
		PlaceOf p = input_at(g, i);
		float t = 0;
		int h1 = last_window(p.row, g.ph, g.sh, g.out_h), w1 = last_window(p.column, g.pw, g.sw, g.out_w);
		for (int h = first_window(p.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window(p.column, g.pw, g.kw, g.sw); w <= w1; w++)
				t += dy[(p.plane * g.out_h + h) * g.out_w + w] / (float)window_of(g, h, w).size;
		dx[i] = t;
	}
}

// y = one element of each window, x with probability x/Σx; at = its place. Moves in + 2·out.
KERNEL(256, stochastic_pool, const float *x, float *y, float *at, const Key *key, Pool g) {
	START;
	Key k = *key;
	EACH(i, g.planes * g.out_h * g.out_w) {
		PlaceOf o = output_at(g, i);
		Window v = window_of(g, o.row, o.column);
		const float *p = x + (long long)o.plane * g.h * g.w;
		int place = -1;
		if (v.h0 < v.h1 && v.w0 < v.w1) {
			float t = 0;
			for (int h = v.h0; h < v.h1; h++)
				for (int w = v.w0; w < v.w1; w++) t = __fadd_rn(t, p[h * g.w + w]);
			float limit = __fmul_rn(uniform(k, i), t);
			place = v.h0 * g.w + v.w0;
			t = 0;
			bool found = false;
			for (int h = v.h0; h < v.h1 && !found; h++)
				for (int w = v.w0; w < v.w1 && !found; w++) {
					t = __fadd_rn(t, p[h * g.w + w]);
					if (t >= limit) {
						found = true;
						place = h * g.w + w;
					}
				}
		}
		y[i] = place < 0 ? 0.0f : p[place];
		at[i] = (float)place;
	}
}

// y = Σx²/Σx of each window, 0 where Σx is not positive. Moves in + out.
KERNEL(256, expected_pool, const float *x, float *y, Pool g) {
	START;
	EACH(i, g.planes * g.out_h * g.out_w) {
		PlaceOf o = output_at(g, i);
		Window v = window_of(g, o.row, o.column);
		const float *p = x + (long long)o.plane * g.h * g.w;
		float t = 0, q = 0;
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u = p[h * g.w + w];
				t += u;
				q += u * u;
			}
		y[i] = t > 0 ? q / t : 0.0f;
	}
}

// LRN is gpu.LRNGeometry.
struct LRN {
	int n, c, plane, size;
	float alpha, beta, k;
	Divisor by_plane, by_c;
};
__device__ __forceinline__ int lrn_channel(const LRN &g, int i) {
	unsigned q, c;
	g.by_c.divmod(g.by_plane.div(i), q, c);
	return (int)c;
}

// scale = k + alpha/size · Σ_window x², y = x·scale^-beta. Moves 3n; the window's other reads come from the caches.
KERNEL(256, lrn, const float *x, float *scale, float *y, LRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = g.alpha / (float)g.size;
	EACH(i, g.n * g.c * g.plane) {
		int c = lrn_channel(g, i), from = max(0, c - half) - c, to = min(g.c - 1, c + half) - c;
		float t = g.k;
		for (int d = from; d <= to; d++) {
			float u = x[i + d * g.plane];
			t += f * u * u;
		}
		scale[i] = t;
		y[i] = x[i] * power_of_scale(t, g.beta);
	}
}

// dx = dy·scale^-beta - 2·alpha·beta/size · x · Σ_window dy·y/scale. Moves 5n.
KERNEL(256, lrn_backward, const float *x, const float *y, const float *scale, const float *dy, float *dx, LRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = 2 * g.alpha * g.beta / (float)g.size;
	EACH(i, g.n * g.c * g.plane) {
		int c = lrn_channel(g, i), from = max(0, c - half) - c, to = min(g.c - 1, c + half) - c;
		float t = 0;
		for (int d = from; d <= to; d++) {
			int j = i + d * g.plane;
			t += dy[j] * y[j] / scale[j];
		}
		dx[i] = dy[i] * power_of_scale(scale[i], g.beta) - f * x[i] * t;
	}
}

// Col is gpu.ColGeometry: any number of spatial axes, at most eight.
struct Col {
	int channels, axes, taps, places, plane;
	int in[8], kernel[8], stride[8], pad[8], dilation[8], out[8];
};

// col = what each place of the output sees, 0 in the padding. Moves the columns twice.
KERNEL(256, im2col, const float *x, float *col, Col g) {
	START;
	EACH(i, g.channels * g.taps * g.places) {
		int place = i % g.places, row = i / g.places, tap = row % g.taps, c = row / g.taps;
		int at = 0, step = 1;
		bool inside = true;
		for (int a = g.axes - 1; a >= 0; a--) {
			int p = place % g.out[a] * g.stride[a] + tap % g.kernel[a] * g.dilation[a] - g.pad[a];
			place /= g.out[a];
			tap /= g.kernel[a];
			inside = inside && p >= 0 && p < g.in[a];
			at += p * step;
			step *= g.in[a];
		}
		col[i] = inside ? x[c * g.plane + at] : 0.0f;
	}
}

// x = the sums of what im2col takes from each place, in the order of the rows. Moves the columns once.
KERNEL(256, col2im, const float *col, float *x, Col g) {
	START;
	EACH(i, g.channels * g.plane) {
		int c = i / g.plane;
		float t = 0;
		for (int tap = 0; tap < g.taps; tap++) {
			int rest = tap, p = i % g.plane, place = 0, step = 1;
			bool inside = true;
			for (int a = g.axes - 1; a >= 0; a--) {
				int d = p % g.in[a] + g.pad[a] - rest % g.kernel[a] * g.dilation[a];
				p /= g.in[a];
				rest /= g.kernel[a];
				int o = d / g.stride[a];
				inside = inside && d >= 0 && d % g.stride[a] == 0 && o < g.out[a];
				place += o * step;
				step *= g.out[a];
			}
			if (inside) t += col[(c * g.taps + tap) * g.places + place];
		}
		x[i] = t;
	}
}
