// From the text of a module (sections 4 and 5) to programs.
#include <ctype.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "table.h"

namespace emulator::ptx {

typedef std::string_view View;

static const Table &table() {
	static const Table *all = [] {
		auto *t = new Table;
		add_integer(*t);
		add_floating(*t);
		add_comparison(*t);
		add_logic(*t);
		add_movement(*t);
		add_conversion(*t);
		add_memory(*t);
		add_warp(*t);
		return t;
	}();
	return *all;
}

enum {
	shared_limit = 48 << 10, // of a block
	shared_gap = 64,         // before each array, so that an access behind one is in none
};

static bool is_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.'; }
static unsigned align_up(unsigned at, unsigned to) { return (at + to - 1) / to * to; }

// Source is a module's text without comments, read from front to back.
struct Source {
	std::string text;
	size_t at = 0;
	std::vector<size_t> line_ends;

	explicit Source(const std::string &original) : text(original) {
		bool comment = false;
		for (size_t i = 0; i < text.size(); i++) {
			if (text[i] == '\n') {
				line_ends.push_back(i);
				comment = false;
				continue;
			}
			comment |= text.compare(i, 2, "//") == 0;
			if (comment) text[i] = ' ';
		}
	}
	unsigned line(size_t where) const { return (unsigned)(std::lower_bound(line_ends.begin(), line_ends.end(), where) - line_ends.begin()) + 1; }
	[[noreturn]] void refuse(size_t where, const std::string &why) const {
		throw std::runtime_error("line " + std::to_string(line(where)) + " of the PTX: " + why);
	}
	void skip_space() {
		while (at < text.size() && isspace((unsigned char)text[at])) at++;
	}
	bool ended() {
		skip_space();
		return at >= text.size();
	}
	// word reads a name, a directive or a number.
	View word() {
		skip_space();
		size_t from = at;
		while (at < text.size() && is_name(text[at])) at++;
		return View(text).substr(from, at - from);
	}
	bool take(char c) {
		skip_space();
		if (at >= text.size() || text[at] != c) return false;
		at++;
		return true;
	}
	void want(char c) {
		if (!take(c)) refuse(at, std::string("there should be a ") + c);
	}
	unsigned number() {
		View w = word();
		if (w.empty() || !std::all_of(w.begin(), w.end(), [](char c) { return isdigit((unsigned char)c); })) refuse(at, "there should be a number");
		return (unsigned)std::stoul(std::string(w));
	}
	// until reads what there is before a character, and the character.
	View until(char c) {
		size_t from = at, to = text.find(c, at);
		if (to == std::string::npos) refuse(at, std::string("no ") + c + " follows");
		at = to + 1;
		return View(text).substr(from, to - from);
	}
};

// type_bytes is the size of a type of section 5.2, or 0.
static unsigned type_bytes(View type) {
	if (type == ".pred") return 1;
	if (type.size() < 3 || type[0] != '.' || !strchr("usbf", type[1])) return 0;
	View bits = type.substr(2);
	return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
}

// declared reads .align n .type name[count] (section 5.4).
static Variable declared(Source &s) {
	Variable v{"", 0, 0, 0};
	View w = s.word();
	if (w == ".align") {
		v.align = s.number();
		w = s.word();
	}
	v.size = type_bytes(w);
	if (!v.size) s.refuse(s.at, "no type: " + std::string(w));
	if (!v.align) v.align = v.size;
	v.name = s.word();
	if (s.take('[')) {
		v.size *= s.number();
		s.want(']');
	}
	return v;
}

typedef std::map<std::string, Variable, std::less<>> Variables;

// Body is a kernel that is being read.
class Body {
	Source &source;
	const Image &image;
	Program &program;
	Variables shared; // all that the kernel may use; the program has those that it does
	unsigned shared_really = 0;
	std::unordered_map<std::string, unsigned> register_bytes; // by name, or by prefix of those declared as %r<n>
	std::unordered_map<std::string, uint32_t> places;
	std::unordered_map<std::string, uint32_t> labels;
	struct Jump { size_t instruction, where; std::string label; };
	std::vector<Jump> jumps;

	// An Operand is a piece of an instruction between commas, braces and brackets.
	struct Operand { View text; int64_t offset; };

	uint32_t place(unsigned width) {
		program.register_bytes = align_up(program.register_bytes, 64);
		uint32_t at = program.register_bytes;
		program.register_bytes += lanes * width;
		return at;
	}

	unsigned width_of(View name) const {
		auto it = register_bytes.find(std::string(name));
		if (it == register_bytes.end()) {
			size_t end = name.size();
			while (end > 0 && isdigit((unsigned char)name[end - 1])) end--;
			if (end == name.size()) return 0;
			it = register_bytes.find(std::string(name.substr(0, end)) + "<");
		}
		return it == register_bytes.end() ? 0 : it->second;
	}

	uint32_t constant(uint64_t bits, unsigned width) {
		auto [it, is_new] = places.try_emplace("=" + std::to_string(bits) + "/" + std::to_string(width), 0);
		if (is_new) {
			it->second = place(width);
			program.constants.push_back({it->second, (uint8_t)width, bits});
		}
		return it->second;
	}

	// number reads a constant of section 4.5: 12, -1, 0x7F, 0f3F800000, 0d3FF0000000000000.
	uint32_t number(size_t where, View text, unsigned width) {
		std::string s(text);
		if (s.back() == 'U') s.pop_back();
		bool single = s.compare(0, 2, "0f") == 0 || s.compare(0, 2, "0F") == 0, twice = s.compare(0, 2, "0d") == 0 || s.compare(0, 2, "0D") == 0;
		if ((single && width != 4) || (twice && width != 8)) source.refuse(where, s + " where a number of " + std::to_string(width) + " bytes is wanted");
		size_t read = 0;
		uint64_t bits = 0;
		try {
			if (single || twice) bits = std::stoull(s.substr(2), &read, 16), read += 2;
			else if (s[0] == '-') bits = (uint64_t)std::stoll(s, &read, 0);
			else bits = std::stoull(s, &read, 0);
		} catch (const std::logic_error &) {
		}
		if (read != s.size()) source.refuse(where, "no operand: " + s);
		if (width == 1) bits = bits != 0;
		return constant(bits, width);
	}

	uint32_t special(size_t where, View name, unsigned width) {
		static const std::unordered_map<std::string, Special> all{{"%tid.x", Special::tid_x}, {"%tid.y", Special::tid_y}, {"%tid.z", Special::tid_z},
			{"%ntid.x", Special::ntid_x}, {"%ntid.y", Special::ntid_y}, {"%ntid.z", Special::ntid_z}, {"%ctaid.x", Special::ctaid_x},
			{"%ctaid.y", Special::ctaid_y}, {"%ctaid.z", Special::ctaid_z}, {"%nctaid.x", Special::nctaid_x}, {"%nctaid.y", Special::nctaid_y},
			{"%nctaid.z", Special::nctaid_z}, {"%laneid", Special::laneid}};
		auto found = all.find(std::string(name));
		if (found == all.end() || width != 4) source.refuse(where, "no register of " + std::to_string(width) + " bytes: " + std::string(name));
		auto [it, is_new] = places.try_emplace(std::string(name), 0);
		if (is_new) {
			it->second = place(4);
			program.specials.push_back({found->second, it->second});
		}
		return it->second;
	}

	// address is where a variable lies in its space.
	uint32_t address(size_t where, View name, unsigned width) {
		for (auto *all : {&program.params, &program.shared})
			for (auto &v : *all)
				if (v.name == name) return constant(v.at, width);
		auto it = shared.find(name);
		if (it == shared.end()) source.refuse(where, "no operand: " + std::string(name));
		Variable v = it->second;
		v.at = align_up(program.shared_bytes + shared_gap, std::max(v.align, 16u));
		program.shared.push_back(v);
		program.shared_bytes = v.at + v.size;
		shared_really = align_up(shared_really, v.align) + v.size;
		if (shared_really > shared_limit) source.refuse(where, "the kernel has more than " + std::to_string(shared_limit) + " bytes of shared memory");
		return constant(v.at, width);
	}

	uint32_t operand(size_t where, View text, unsigned width) {
		if (text == "_") return place(width); // section 4.4: nobody reads it
		if (isdigit((unsigned char)text[0]) || text[0] == '-') return number(where, text, width);
		unsigned bytes = width_of(text);
		if (!bytes) return text[0] == '%' ? special(where, text, width) : address(where, text, width);
		if (bytes != width)
			source.refuse(where, std::string(text) + " has " + std::to_string(bytes) + " bytes, and " + std::to_string(width) + " are wanted");
		auto [it, is_new] = places.try_emplace(std::string(text), 0);
		if (is_new) it->second = place(width);
		return it->second;
	}

	std::vector<Operand> split(size_t where, View text) {
		std::vector<Operand> all;
		for (size_t i = 0; i < text.size();) {
			if (isspace((unsigned char)text[i]) || strchr(",{}[]|", text[i])) {
				i++;
				continue;
			}
			size_t end = text.find_first_of(" \t\n,{}[]|", i);
			View one = text.substr(i, end == View::npos ? end : end - i);
			i += one.size();
			size_t plus = one.find('+');
			Operand o{one.substr(0, plus), 0};
			if (plus != View::npos) o.offset = std::stoll(std::string(one.substr(plus + 1)));
			if (o.text.empty()) source.refuse(where, "no operand: " + std::string(one));
			all.push_back(o);
		}
		return all;
	}

	// entry finds the instruction, with the suffix that table.h names.
	const Entry *entry(const std::string &name, View rest, const std::vector<Operand> &operands) const {
		if (name.compare(0, 4, "mov.") == 0 && rest.find('{') != View::npos)
			return table().find(name + (rest.find('{') < rest.find(',') ? "/unpack" : "/pack"));
		if (name.compare(0, 3, "ld.") && name.compare(0, 3, "st.")) return table().find(name);
		size_t value = name[0] == 'l' ? 0 : 1;
		unsigned width = value < operands.size() ? width_of(operands[value].text) : 0;
		if (!width) width = std::max(2u, type_bytes(View(name).substr(name.rfind('.'))));
		return table().find(name + "/" + std::to_string(width));
	}

	void instruction(size_t where, View text) {
		Instruction i;
		i.line = source.line(where);
		i.text = image.text.data() + where;
		size_t at = 0;
		auto word = [&] {
			while (at < text.size() && isspace((unsigned char)text[at])) at++;
			size_t from = at;
			while (at < text.size() && !isspace((unsigned char)text[at])) at++;
			return text.substr(from, at - from);
		};
		View name = word();
		if (name[0] == '@') {
			i.guarded = true;
			i.unless = name[1] == '!';
			i.guard = operand(where, name.substr(i.unless ? 2 : 1), 1);
			name = word();
		}
		View rest = text.substr(at);
		auto operands = split(where, rest);
		std::string full(name);
		if (full.compare(0, 5, "shfl.") == 0 && rest.find('|') == View::npos && !operands.empty()) operands.insert(operands.begin() + 1, {"_", 0});
		const Entry *e = entry(full, rest, operands);
		if (!e) source.refuse(where, "an instruction that the emulator does not have: " + std::string(text));
		i.action = e->action;
		i.flow = e->flow;
		if (e->flow == Flow::branch) {
			if (operands.size() != 1) source.refuse(where, "a branch wants a label");
			jumps.push_back({program.code.size(), where, std::string(operands[0].text)});
		} else {
			if (operands.size() != e->widths.size())
				source.refuse(where, full + " has " + std::to_string(operands.size()) + " operands, and " + std::to_string(e->widths.size()) + " are wanted");
			for (size_t k = 0; k < operands.size(); k++) {
				i.operands[k] = operand(where, operands[k].text, e->widths[k]);
				if (operands[k].offset) i.offset = operands[k].offset;
			}
		}
		if (e->flow == Flow::barrier && operands[0].text != "0") source.refuse(where, "a barrier other than 0");
		program.code.push_back(i);
	}

	// registers reads .reg .b32 %r<9>, or names.
	void registers(size_t where, View text) {
		size_t end = text.find_first_of(" \t");
		unsigned bytes = type_bytes(text.substr(0, end));
		if (!bytes) source.refuse(where, "registers of an unknown type: " + std::string(text));
		for (auto &o : split(where, text.substr(end))) {
			size_t open = o.text.find('<');
			register_bytes[std::string(open == View::npos ? o.text : o.text.substr(0, open + 1))] = bytes;
		}
	}

public:
	Body(Source &s, const Image &i, Program &p, const Variables &of_module) : source(s), image(i), program(p), shared(of_module) {}

	void read() {
		for (int depth = 1; depth > 0;) {
			source.skip_space();
			size_t where = source.at;
			if (source.take('{')) depth++;
			else if (source.take('}')) depth--;
			else statement(where);
		}
		Instruction end; // of a kernel whose last instruction is not ret
		end.flow = Flow::leave;
		program.code.push_back(end);
		for (auto &j : jumps) {
			auto it = labels.find(j.label);
			if (it == labels.end()) source.refuse(j.where, "no label " + j.label);
			program.code[j.instruction].target = it->second;
		}
		program.register_bytes = align_up(program.register_bytes, 64);
	}

private:
	void statement(size_t where) {
		View w = source.word();
		if (!w.empty() && source.take(':')) {
			labels[std::string(w)] = (uint32_t)program.code.size();
			return;
		}
		if (w == ".shared") {
			Variable v = declared(source);
			source.want(';');
			shared[v.name] = v;
			return;
		}
		if (w == ".reg") {
			source.skip_space();
			registers(where, source.until(';'));
			return;
		}
		if (w == ".pragma") {
			source.until(';');
			return;
		}
		if (!w.empty() && w[0] == '.') source.refuse(where, "a directive that the emulator does not have: " + std::string(w));
		source.at = where;
		instruction(where, source.until(';'));
	}
};

// kernel reads an entry behind its .entry (section 5.4.1 has the parameters).
static void kernel(Source &s, Image &image, const Variables &shared) {
	size_t where = s.at;
	std::string name(s.word());
	auto [it, is_new] = image.kernels.try_emplace(name);
	if (!is_new) s.refuse(where, "a second kernel " + name);
	Program &p = it->second;
	p.name = it->first.c_str();
	p.threads = 1024;
	s.want('(');
	while (!s.take(')')) {
		if (s.word() != ".param") s.refuse(s.at, "there should be a parameter");
		Variable v = declared(s);
		v.at = align_up(p.param_bytes, v.align);
		p.param_bytes = v.at + v.size;
		if (p.count == max_params) s.refuse(s.at, "too many parameters");
		p.sizes[p.count++] = v.size;
		p.params.push_back(v);
		s.take(',');
	}
	while (!s.take('{')) {
		View w = s.word();
		if (w != ".maxntid" && w != ".minnctapersm") s.refuse(s.at, "a directive that the emulator does not have: " + std::string(w));
		int n = (int)s.number();
		while (s.take(',')) n *= (int)s.number();
		if (w == ".maxntid") p.threads = n;
	}
	Body(s, image, p, shared).read();
}

void parse(Image &image) {
	Source s(image.text);
	Variables shared;
	while (!s.ended()) {
		size_t where = s.at;
		View w = s.word();
		if (w == ".version" || w == ".target" || w == ".address_size") {
			do s.word();
			while (s.take(','));
		} else if (w == ".visible") {
			continue;
		} else if (w == ".shared") {
			Variable v = declared(s);
			s.want(';');
			shared[v.name] = v;
		} else if (w == ".entry") {
			kernel(s, image, shared);
		} else {
			s.refuse(where, "a directive that the emulator does not have: " + std::string(w));
		}
	}
}

} // namespace emulator::ptx
