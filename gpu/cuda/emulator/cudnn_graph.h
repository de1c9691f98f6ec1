// cuDNN's graph interface, as much as convolutions with a bias and a ReLU take: descriptors with attributes, which are
// checked as cuDNN's documentation says: an attribute that a descriptor does not have, of another type or count, or that is
// missing when the descriptor is finalized, is refused. EMULATOR_DNN_GRAPHS=none refuses every descriptor, =wrong makes what
// a plan computes wrong.
// Included by cudnn.cpp.
#include <map>
#include <memory>
#include <string>

namespace graph {

enum { ok = 0, bad_param = 2000, not_finalized = 2004, attribute_type = 2010, not_supported = 3000 };
enum Kind {
	pointwise = 0, convolution = 1, engine = 2, config = 3, heuristics = 4, plan = 5, knob_choice = 7, forward = 10, backward_filter = 11, backward_data = 12, operation_pointwise = 13,
	operation_graph = 15, variant_pack = 16, tensor = 17,
};
enum Type { handle_type = 0, data_type = 1, boolean = 2, int64 = 3, float32 = 4, pointer = 6, mode_type = 7, heuristic_type = 8, knob_type = 9, note_type = 11, pointwise_type = 14, descriptor_type = 15 };

// An Attribute may be set: of a type, with so many elements; or, where count is 0, only be read.
struct Attribute { int name, type, least, most; bool required; };
static const std::map<int, std::vector<Attribute>> attributes = {
	{pointwise, {{0, pointwise_type, 1, 1, true}, {1, data_type, 1, 1, true}, {3, float32, 1, 1, false}, {5, float32, 1, 1, false}}},
	{convolution, {{100, data_type, 1, 1, true}, {101, mode_type, 1, 1, true}, {102, int64, 1, 8, true}, {103, int64, 1, 8, true}, {104, int64, 1, 8, true}, {105, int64, 1, 8, true}, {106, int64, 1, 1, true}}},
	{heuristics, {{200, heuristic_type, 1, 1, true}, {201, descriptor_type, 1, 1, true}}},
	{plan, {{400, handle_type, 1, 1, true}, {401, descriptor_type, 1, 1, true}}},
	{forward, {{700, float32, 1, 1, true}, {701, float32, 1, 1, true}, {702, descriptor_type, 1, 1, true}, {703, descriptor_type, 1, 1, true}, {704, descriptor_type, 1, 1, true}, {705, descriptor_type, 1, 1, true}}},
	{backward_data, {{706, float32, 1, 1, true}, {707, float32, 1, 1, true}, {708, descriptor_type, 1, 1, true}, {709, descriptor_type, 1, 1, true}, {710, descriptor_type, 1, 1, true}, {711, descriptor_type, 1, 1, true}}},
	{backward_filter, {{712, float32, 1, 1, true}, {713, float32, 1, 1, true}, {714, descriptor_type, 1, 1, true}, {715, descriptor_type, 1, 1, true}, {716, descriptor_type, 1, 1, true}, {717, descriptor_type, 1, 1, true}}},
	{operation_pointwise, {{750, descriptor_type, 1, 1, true}, {751, descriptor_type, 1, 1, true}, {752, descriptor_type, 1, 1, false}, {753, descriptor_type, 1, 1, true}}},
	{operation_graph, {{800, handle_type, 1, 1, true}, {801, descriptor_type, 1, 3, true}}},
	{tensor, {{900, int64, 1, 1, true}, {901, data_type, 1, 1, true}, {902, int64, 1, 8, true}, {903, int64, 1, 8, true}, {906, int64, 1, 1, true}, {907, boolean, 1, 1, false}}},
	{variant_pack, {{1000, int64, 1, 16, true}, {1001, pointer, 1, 16, true}, {1003, pointer, 1, 1, true}}},
	{engine, {}}, {config, {}}, {knob_choice, {}},
};

static size_t size_of(int type) {
	switch (type) {
	case boolean: return 1;
	case handle_type: case int64: case pointer: case descriptor_type: return 8;
	}
	return 4;
}

// Convolution is what a graph comes to.
struct Convolution { int kind; Tensor x, w, y; Conv conv; float beta; bool bias, relu; float slope; int64_t first, second, out, bias_id; };

struct Descriptor {
	int kind;
	bool final = false;
	std::map<int, std::string> set; // the bytes of each attribute
	std::shared_ptr<Convolution> what; // of a graph, and what is made of it
	int engine = -1, knob = 0;
	bool has(int name) const { return set.count(name); }
	template <class T> T one(int name) const { T v; memcpy(&v, set.at(name).data(), sizeof v); return v; }
	template <class T> std::vector<T> all(int name) const { std::vector<T> v(set.at(name).size() / sizeof(T)); memcpy(v.data(), set.at(name).data(), set.at(name).size()); return v; }
	const Descriptor &at(int name) const { return *one<Descriptor *>(name); }
};

// The engines: the notes of each, and its workspace.
struct Engine { std::vector<int> notes; size_t workspace; };
static const Engine engines[] = {{{4}, 0}, {{}, 4096}, {{5}, 1 << 20}, {{0}, 512}, {{}, (size_t)1 << 40}, {{0, 1}, 0}};

static bool is_final(const Descriptor &d, int name, int kind) { return d.at(name).final && d.at(name).kind == kind; }

// tensor_of returns a tensor as loops take it; false where its strides are of neither layout, or its type is not theirs.
static bool tensor_of(const Descriptor &d, Tensor *t) {
	auto n = d.all<int64_t>(902), s = d.all<int64_t>(903);
	int type = d.one<int>(901);
	if (n.size() != 4) return false;
	std::vector<int64_t> first = {n[1] * n[2] * n[3], n[2] * n[3], n[3], 1}, last = {n[1] * n[2] * n[3], 1, n[3] * n[1], n[1]};
	// Where an array is the same in both layouts it is taken as with channels last: its first two strides tell.
	*t = {(int)n[0], (int)n[1], (int)n[2], (int)n[3], s == last, type == 9};
	return (s == last || s == first) && (type == 0 || (type == 9 && t->last));
}

static int finalize_tensor(const Descriptor &d) {
	auto n = d.all<int64_t>(902), s = d.all<int64_t>(903);
	if (n.size() != s.size()) return bad_param;
	for (size_t i = 0; i < n.size(); i++)
		if (n[i] < 1 || s[i] < 1) return bad_param;
	int size = d.one<int>(901) == 9 ? 2 : 4;
	return d.one<int64_t>(900) % size ? bad_param : ok;
}

static int finalize_convolution(const Descriptor &d) {
	size_t n = d.one<int64_t>(106);
	for (int a : {102, 103, 104, 105})
		if (d.set.at(a).size() != 8 * n) return bad_param;
	return ok;
}

// finalize_operation checks that x, w and y are those of a convolution. The four attributes are those of it, w, x and y.
static int finalize_operation(const Descriptor &d, int conv, int w, int x, int y) {
	if (!is_final(d, conv, convolution)) return not_finalized;
	for (int a : {w, x, y})
		if (!is_final(d, a, tensor)) return not_finalized;
	auto nx = d.at(x).all<int64_t>(902), nw = d.at(w).all<int64_t>(902), ny = d.at(y).all<int64_t>(902);
	const Descriptor &c = d.at(conv);
	auto dil = c.all<int64_t>(102), stride = c.all<int64_t>(103), post = c.all<int64_t>(104), pre = c.all<int64_t>(105);
	if (nx.size() != 4 || nw.size() != 4 || ny.size() != 4 || dil.size() != 2) return not_supported;
	if (nx[0] != ny[0] || nw[0] != ny[1] || nx[1] % nw[1] || nw[0] % (nx[1] / nw[1])) return bad_param;
	for (int i = 0; i < 2; i++)
		if ((nx[2 + i] + pre[i] + post[i] - (dil[i] * (nw[2 + i] - 1) + 1)) / stride[i] + 1 != ny[2 + i]) return bad_param;
	return ok;
}

static int finalize_pointwise(const Descriptor &d) {
	if (!is_final(d, 750, pointwise) || !is_final(d, 751, tensor) || !is_final(d, 753, tensor)) return not_finalized;
	int mode = d.at(750).one<int>(0);
	auto x = d.at(751).all<int64_t>(902), y = d.at(753).all<int64_t>(902);
	if (x != y) return bad_param;
	if (mode != 0) return d.has(752) ? bad_param : ok; // of one operand
	if (!d.has(752)) return bad_param;
	if (!is_final(d, 752, tensor)) return not_finalized;
	auto b = d.at(752).all<int64_t>(902);
	for (size_t i = 0; i < b.size(); i++)
		if (b.size() != x.size() || (b[i] != 1 && b[i] != x[i])) return bad_param;
	return ok;
}

// finalize_graph finds which convolution the operations are: one, and for forward a bias and a ReLU behind it.
static int finalize_graph(Descriptor &d) {
	auto ops = d.all<Descriptor *>(801);
	for (Descriptor *o : ops)
		if (!o->final) return not_finalized;
	Descriptor &c = *ops[0];
	auto v = std::make_shared<Convolution>();
	v->kind = c.kind;
	int base = c.kind == forward ? 700 : c.kind == backward_data ? 706 : c.kind == backward_filter ? 712 : 0;
	if (!base || c.one<float>(base) != 1) return not_supported;
	v->beta = c.one<float>(base + 1);
	int x = c.kind == forward ? 704 : c.kind == backward_data ? 710 : 716, w = c.kind == forward ? 703 : c.kind == backward_data ? 709 : 715, y = c.kind == forward ? 705 : c.kind == backward_data ? 711 : 717;
	if (!tensor_of(c.at(x), &v->x) || !tensor_of(c.at(w), &v->w)) return not_supported;
	const Descriptor &cv = c.at(base + 2);
	auto dil = cv.all<int64_t>(102), stride = cv.all<int64_t>(103), post = cv.all<int64_t>(104), pre = cv.all<int64_t>(105);
	if (pre != post || cv.one<int>(101) != 1 || cv.one<int>(100) != 0) return not_supported;
	v->conv = {(int)pre[0], (int)pre[1], (int)stride[0], (int)stride[1], (int)dil[0], (int)dil[1], v->x.c / v->w.c};
	Descriptor *end = c.one<Descriptor *>(y);
	for (size_t i = 1; i < ops.size(); i++) {
		Descriptor &o = *ops[i];
		bool linked = o.kind == operation_pointwise && o.one<Descriptor *>(751) == end && end->has(907) && end->one<bool>(907);
		if (c.kind != forward || !linked || v->relu) return not_supported;
		int mode = o.at(750).one<int>(0);
		if (mode == 0 && !v->bias) {
			v->bias = true, v->bias_id = o.at(752).one<int64_t>(906);
			if (o.at(752).one<int>(901) != 0) return not_supported;
		} else if (mode == 100) v->relu = true, v->slope = o.at(750).has(5) ? o.at(750).one<float>(5) : 0;
		else return not_supported;
		end = o.one<Descriptor *>(753);
	}
	if (end->has(907) && end->one<bool>(907)) return bad_param; // the result is nowhere
	if (!tensor_of(*end, &v->y) || v->x.half != v->y.half) return not_supported;
	if (v->w.half != v->x.half && (c.kind != backward_filter || v->w.half)) return not_supported; // a gradient of weights may be float32
	v->first = c.at(c.kind == backward_data ? y : x).one<int64_t>(906);
	v->second = c.at(c.kind == backward_filter ? y : w).one<int64_t>(906);
	v->out = c.kind == forward ? end->one<int64_t>(906) : c.at(c.kind == backward_data ? x : w).one<int64_t>(906);
	d.what = v;
	return ok;
}

static int finalize(Descriptor &d) {
	switch (d.kind) {
	case tensor: return finalize_tensor(d);
	case convolution: return finalize_convolution(d);
	case forward: return finalize_operation(d, 702, 703, 704, 705);
	case backward_data: return finalize_operation(d, 708, 709, 710, 711);
	case backward_filter: return finalize_operation(d, 714, 715, 716, 717);
	case operation_pointwise: return finalize_pointwise(d);
	case operation_graph: return finalize_graph(d);
	case heuristics:
		if (!is_final(d, 201, operation_graph)) return not_finalized;
		d.what = d.at(201).what;
		return ok;
	case plan:
		if (!is_final(d, 401, config)) return not_finalized;
		d.what = d.at(401).what, d.engine = d.at(401).engine;
		return ok;
	case variant_pack: return d.set.at(1000).size() == d.set.at(1001).size() ? ok : bad_param;
	case pointwise: return ok;
	}
	return not_supported; // what is only read
}

// fill makes a descriptor that was created for it one that is read.
static void fill(Descriptor *d, const Descriptor &from, int engine) { d->final = true, d->what = from.what, d->engine = engine, d->knob = engine % 3; }

static int execute(void *handle, const Descriptor &p, const Descriptor &pack) {
	auto ids = pack.all<int64_t>(1000);
	auto pointers = pack.all<void *>(1001);
	Convolution v = *p.what;
	auto of = [&](int64_t id) -> void * {
		for (size_t i = 0; i < ids.size(); i++)
			if (ids[i] == id) return pointers[i];
		return nullptr;
	};
	void *first = of(v.first), *second = of(v.second), *out = of(v.out), *bias = v.bias ? of(v.bias_id) : nullptr;
	if (!first || !second || !out || (v.bias && !bias) || ids.size() != 3u + v.bias) return bad_param;
	reads("a plan's workspace", pack.one<void *>(1003), engines[p.engine].workspace / 4);
	bool wrong = getenv("EMULATOR_DNN_GRAPHS") && !strcmp(getenv("EMULATOR_DNN_GRAPHS"), "wrong");
	for (int note : engines[p.engine].notes)
		if (note == 4) wrong = true; // no run is to be like another
	return later(((Handle *)handle)->stream, [=] {
		const Tensor &result = v.kind == forward ? v.y : v.kind == backward_data ? v.x : v.w;
		std::vector<float> x, w, y, b;
		auto get = [&](std::vector<float> &to, const Tensor &t, const void *at) { reads("a plan's tensor", at, t.bytes() / 4), to = floats(t, at); };
		get(x, v.x, v.kind == backward_data ? out : first);
		get(w, v.w, v.kind == backward_filter ? out : second);
		get(y, v.y, v.kind == forward ? out : v.kind == backward_data ? first : second);
		std::vector<float> &r = v.kind == forward ? y : v.kind == backward_data ? x : w;
		for (float &e : r) e = v.beta == 0 ? 0 : v.beta * e;
		each(v.x, v.w, v.y, v.conv, [&](size_t i, size_t k, size_t o) {
			if (v.kind == forward) y[o] += x[i] * w[k];
			else if (v.kind == backward_data) x[i] += y[o] * w[k];
			else w[k] += y[o] * x[i];
		});
		if (v.bias) reads("a plan's bias", bias, v.y.c);
		for (int n = 0; n < v.y.n && (v.bias || v.relu); n++)
			for (int c = 0; c < v.y.c; c++)
				for (int h = 0; h < v.y.h; h++)
					for (int i = 0; i < v.y.w; i++) {
						float &e = y[v.y.at(n, c, h, i)];
						if (v.bias) e += ((const float *)bias)[c];
						if (v.relu && !(e > 0)) e *= v.slope;
					}
		if (wrong) r[0] += 1000;
		stored(result, r, out);
	});
}

} // namespace graph

extern "C" {

int cudnnBackendCreateDescriptor(int kind, graph::Descriptor **d) {
	const char *e = getenv("EMULATOR_DNN_GRAPHS");
	if ((e && !strcmp(e, "none")) || !graph::attributes.count(kind)) return graph::not_supported;
	*d = new graph::Descriptor{kind};
	handles++;
	return 0;
}
int cudnnBackendDestroyDescriptor(graph::Descriptor *d) { delete d; handles--; return 0; }

int cudnnBackendSetAttribute(graph::Descriptor *d, int name, int type, int64_t count, const void *values) {
	if (d->final) return graph::bad_param;
	for (const graph::Attribute &a : graph::attributes.at(d->kind)) {
		if (a.name != name) continue;
		if (a.type != type) return graph::attribute_type;
		if (count < a.least || count > a.most || !values) return graph::bad_param;
		d->set[name] = std::string((const char *)values, count * graph::size_of(type));
		return 0;
	}
	return graph::not_supported;
}

int cudnnBackendFinalize(graph::Descriptor *d) {
	if (d->final) return graph::bad_param;
	for (const graph::Attribute &a : graph::attributes.at(d->kind))
		if (a.required && !d->has(a.name)) return graph::bad_param;
	int status = graph::finalize(*d);
	d->final = status == 0;
	return status;
}

int cudnnBackendGetAttribute(graph::Descriptor *d, int name, int type, int64_t wanted, int64_t *count, void *to) {
	if (!d->final) return graph::not_finalized;
	auto **list = (graph::Descriptor **)to;
	auto number = [&](int kind, int of, auto v) {
		if (type != of) return (int)graph::attribute_type;
		*count = 1;
		if (wanted > 0) memcpy(to, &v, sizeof v);
		return d->kind == kind ? 0 : (int)graph::not_supported;
	};
	switch (name) {
	case 202: { // a heuristic's configurations: mode A has the first engines, B the next, and the last is the fallback
		if (d->kind != graph::heuristics || type != graph::descriptor_type) return graph::attribute_type;
		int mode = d->one<int>(200), from = mode == 3 ? 0 : mode == 1 ? 3 : 1, n = mode == 3 ? 3 : mode == 1 ? 3 : 1;
		*count = n;
		for (int i = 0; i < n && i < wanted; i++) graph::fill(list[i], *d, from + i);
		return 0;
	}
	case 300: // a configuration's engine
		if (d->kind != graph::config || type != graph::descriptor_type) return graph::attribute_type;
		*count = 1;
		if (wanted > 0) graph::fill(list[0], *d, d->engine);
		return 0;
	case 302: // its choices of knobs
		if (d->kind != graph::config || type != graph::descriptor_type) return graph::attribute_type;
		*count = 1;
		if (wanted > 0) graph::fill(list[0], *d, d->engine);
		return 0;
	case 600: return number(graph::knob_choice, graph::knob_type, (int)2);
	case 601: return number(graph::knob_choice, graph::int64, (int64_t)d->knob);
	case 402: return number(graph::plan, graph::int64, (int64_t)graph::engines[d->engine].workspace);
	case 1301: return number(graph::engine, graph::int64, (int64_t)d->engine);
	case 1303: {
		if (d->kind != graph::engine || type != graph::note_type) return graph::attribute_type;
		auto &notes = graph::engines[d->engine].notes;
		*count = notes.size();
		for (size_t i = 0; i < notes.size() && (int64_t)i < wanted; i++) ((int *)to)[i] = notes[i];
		return 0;
	}
	}
	return graph::not_supported;
}

int cudnnBackendExecute(void *handle, graph::Descriptor *plan, graph::Descriptor *pack) {
	if (plan->kind != graph::plan || pack->kind != graph::variant_pack || !plan->final || !pack->final) return graph::not_finalized;
	return graph::execute(handle, *plan, *pack);
}

} // extern "C"
