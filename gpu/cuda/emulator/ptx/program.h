// A kernel of PTX, decoded so that a warp can run it. Sections are those of NVIDIA's "PTX ISA 7.8".
//
// A register is an array of 32 numbers, one a lane, of 1 (a predicate), 2, 4 or 8 bytes each. A warp has its registers in
// one piece of memory, and constants and special registers beside them as registers that nothing writes: so an operand is
// a place in that memory, whatever it was in the text, and an instruction is a loop over lanes.
#pragma once
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "../kernel.h"

namespace emulator::ptx {

enum { lanes = 32, max_operands = 16 };

struct Warp;
struct Instruction;

// An Action does what an instruction does, for the lanes in a mask.
typedef void (*Action)(Warp &, const Instruction &, uint32_t mask);

// How a warp goes on behind an instruction. Those that have no action are in block.cpp.
enum class Flow : uint8_t {
	next,
	branch,  // bra
	leave,   // ret, exit
	barrier, // bar.sync: all threads of the block
	meet,    // shfl.sync, mma.sync: all lanes of the warp, and then the action
};

struct Instruction {
	Action action = nullptr;
	Flow flow = Flow::next;
	bool guarded = false, unless = false; // @p, @!p
	uint32_t guard = 0;                   // p's place
	uint32_t operands[max_operands] = {}; // places, in the order of the text, braces and brackets taken off
	int64_t offset = 0;                   // of the address [base+offset]
	uint32_t target = 0;                  // of a branch: an index of the code
	unsigned line = 0;
	const char *text = ""; // in the module, up to its semicolon
};

// A Variable is a parameter of the kernel or an array in shared memory.
struct Variable {
	std::string name;
	unsigned at, size, align;
};

// What a place has before a kernel starts: the same bits in each lane, or what a special register (section 10) has.
enum class Special : uint8_t { none, tid_x, tid_y, tid_z, ntid_x, ntid_y, ntid_z, ctaid_x, ctaid_y, ctaid_z, nctaid_x, nctaid_y, nctaid_z, laneid };
struct Constant {
	uint32_t place;
	uint8_t width;
	uint64_t bits;
};

struct Program : Kernel {
	std::vector<Instruction> code;
	uint32_t register_bytes = 0; // of a warp
	std::vector<Constant> constants;
	std::vector<std::pair<Special, uint32_t>> specials;
	std::vector<Variable> params, shared;
	unsigned param_bytes = 0, shared_bytes = 0;
	mutable std::atomic<bool> ran{false};
	// How often warps went to shared memory, and how often it took a cycle more because two lanes met in a bank.
	mutable std::atomic<long> accesses{0}, conflicts{0};
};

// An Image is a module, with its text.
struct Image {
	std::string text;
	std::map<std::string, Program> kernels;
};

// parse reads a module. It throws a std::runtime_error with the line of what it does not know.
void parse(Image &image);

} // namespace emulator::ptx
