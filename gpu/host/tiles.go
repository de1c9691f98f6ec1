package host

import "dns-tui/gpu"

// canTile reports whether a product of matrices can be made of tiles (panels.go).
func canTile(o *gpu.Gemm) bool {
	return o.Alpha == 1 && (o.Beta == 0 || o.Beta == 1) && !(o.TransA && o.TransB) && o.M*o.N*o.K > 0
}

func (d *back) gemmTiles(o *gpu.Gemm) {
	p := product{groups: 1, runs: 1, sets: o.Beta == 0, m: o.M, n: o.N, k: o.K}
	p.a, p.b, p.c = plain(slice(o.A), o.K), plain(slice(o.B), o.N), plain(slice(o.C), o.N)
	if p.alongA = !o.TransA; o.TransA {
		p.a.step = o.M
	}
	if p.alongB = o.TransB; o.TransB {
		p.b.step = o.K
	}
	p.ends = ends{slice(o.Bias), o.Then}
	d.multiply(p, p.alongA)
}

func ceil(n, of int) int { return (n + of - 1) / of }
