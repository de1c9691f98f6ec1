package hdf5

import (
	"bytes"
	"maps"
	"slices"
)

// The header messages that are read.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgLink         = 0x06
	msgLayout       = 0x08
	msgFilters      = 0x0B
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
)

// maxParts bounds the pieces of one structure, whatever a damaged file says.
const maxParts = 1 << 16

type message struct {
	typ    uint16
	shared bool
	data   []byte
}

// header reads the messages of an object.
func (f *File) header(addr uint64) ([]message, error) {
	b, err := f.bytes("an object header", addr, 16)
	if err != nil {
		return nil, err
	}
	if string(b[:4]) == "OHDR" {
		return f.header2(addr)
	}
	d := &decoder{f: f, b: b, what: "an object header"}
	if v := d.u8(); v != 1 {
		return nil, f.errorf("is damaged: an object header of version %d; wanted 1 or 2", v)
	}
	d.skip(1)
	count := int(d.u16())
	d.skip(4)
	first := part{addr + 16, uint64(d.u32())}
	return f.messages([]part{first}, count, func(d *decoder) (m message) {
		m.typ = d.u16()
		n := int(d.u16())
		m.shared = d.u8()&2 != 0
		d.skip(3)
		m.data = d.take(n)
		return m
	}, 8, 0)
}

// part is a block of a header.
type part struct{ addr, n uint64 }

// header2 reads a header of version 2.
func (f *File) header2(addr uint64) ([]message, error) {
	b, err := f.bytes("an object header", addr, min(64, f.size-min(f.size, f.base+addr)))
	if err != nil {
		return nil, err
	}
	d := &decoder{f: f, b: b, what: "an object header"}
	d.expect("OHDR")
	if v := d.u8(); d.err == nil && v != 2 {
		return nil, f.errorf("is damaged: an object header of version %d; wanted 1 or 2", v)
	}
	flags := d.u8()
	if flags&0x20 != 0 {
		d.skip(16)
	}
	if flags&0x10 != 0 {
		d.skip(4)
	}
	n := d.uint(1 << (flags & 3))
	if d.err != nil {
		return nil, d.err
	}
	head := 4
	if flags&4 != 0 {
		head += 2
	}
	return f.messages([]part{{addr + uint64(d.at), n}}, maxParts, func(d *decoder) (m message) {
		m.typ = uint16(d.u8())
		n := int(d.u16())
		m.shared = d.u8()&2 != 0
		if flags&4 != 0 {
			d.skip(2)
		}
		m.data = d.take(n)
		return m
	}, head, 4)
}

// messages reads the messages in parts, and in those that continue them. A message has at least head bytes; what
// continues a header of version 2 has a signature, and a checksum of sum bytes at its end.
func (f *File) messages(parts []part, count int, next func(*decoder) message, head, sum int) ([]message, error) {
	var out []message
	for i := 0; i < len(parts); i++ {
		if i >= maxParts {
			return nil, f.errorf("is damaged: an object header without an end")
		}
		b, err := f.bytes("a part of an object header", parts[i].addr, parts[i].n)
		if err != nil {
			return nil, err
		}
		d := &decoder{f: f, b: b, what: "an object header"}
		if i > 0 && sum > 0 {
			d.expect("OCHK")
			d.b = d.b[:max(d.at, len(d.b)-sum)]
		}
		for d.err == nil && d.left() >= head && len(out) < count {
			m := next(d)
			if d.err != nil {
				break
			}
			if m.typ == msgContinuation {
				c := &decoder{f: f, b: m.data, what: "a continuation"}
				parts = append(parts, part{c.addr(), c.length()})
				if c.err != nil {
					return nil, c.err
				}
			}
			out = append(out, m)
		}
		if d.err != nil {
			return nil, d.err
		}
	}
	return out, nil
}

// Group is a folder of a file.
type Group struct {
	f     *File
	name  string
	links map[string]uint64 // object headers
}

// Root returns the root group.
func (f *File) Root() (*Group, error) { return f.group("/", f.root) }

func (f *File) group(name string, addr uint64) (*Group, error) {
	msgs, err := f.header(addr)
	if err != nil {
		return nil, err
	}
	g := &Group{f: f, name: name, links: map[string]uint64{}}
	isGroup := false
	for _, m := range msgs {
		d := &decoder{f: f, b: m.data, what: "a link of " + name}
		switch m.typ {
		case msgSymbolTable:
			isGroup = true
			if err := g.symbolTable(d.addr(), d.addr()); err != nil {
				return nil, err
			}
		case msgLink:
			isGroup = true
			g.link(d)
		case msgLinkInfo:
			isGroup = true
			if d.u8(); d.u8()&1 != 0 {
				d.skip(8)
			}
			if d.addr() != undefined {
				return nil, f.errorf(
					"group %s keeps its links in a fractal heap (more than eight, written for HDF5 1.8 or later "+
						"alone), which is not read; "+
						"h5repack IN OUT converts the file",
					name,
				)
			}
		}
		if d.err != nil {
			return nil, d.err
		}
	}
	if !isGroup {
		return nil, f.errorf("%s is not a group", name)
	}
	return g, nil
}

// link reads a link message.
func (g *Group) link(d *decoder) {
	if v := d.u8(); d.err == nil && v != 1 {
		d.err = g.f.errorf("is damaged: a link of version %d in %s; wanted 1", v, g.name)
	}
	flags, typ := d.u8(), uint8(0)
	if flags&8 != 0 {
		typ = d.u8()
	}
	if flags&4 != 0 {
		d.skip(8)
	}
	if flags&16 != 0 {
		d.skip(1)
	}
	name := string(d.take(int(min(d.uint(1<<(flags&3)), 1<<30))))
	if d.err == nil && typ == 0 { // others are links to a path or to another file
		g.links[name] = d.addr()
	}
}

// symbolTable reads the links from a B-tree of symbol table nodes, with their names in a local heap.
func (g *Group) symbolTable(tree, heap uint64) error {
	f := g.f
	b, err := f.bytes("a local heap", heap, uint64(8+2*f.lens+f.offs))
	if err != nil {
		return err
	}
	d := &decoder{f: f, b: b, what: "a local heap"}
	d.expect("HEAP")
	d.skip(4)
	n := d.length()
	d.length()
	at := d.addr()
	if d.err != nil {
		return d.err
	}
	names, err := f.bytes("the names of a group", at, n)
	if err != nil {
		return err
	}
	return f.tree(tree, 0, f.lens, func(_ *decoder, node uint64) error { return g.symbols(node, names) })
}

// tree calls leaf for the entries of a B-tree of version 1, in order. A key takes keyBytes.
func (f *File) tree(addr uint64, typ uint8, keyBytes int, leaf func(key *decoder, child uint64) error) error {
	seen := map[uint64]bool{}
	var walk func(addr uint64, above int) error
	walk = func(addr uint64, above int) error {
		if seen[addr] || len(seen) >= maxParts {
			return f.errorf("is damaged: a B-tree that leads back to itself")
		}
		seen[addr] = true
		b, err := f.bytes("a B-tree", addr, uint64(8+2*f.offs))
		if err != nil {
			return err
		}
		d := &decoder{f: f, b: b, what: "a B-tree"}
		d.expect("TREE")
		t, level, used := d.u8(), int(d.u8()), int(d.u16())
		if d.err == nil && (t != typ || above >= 0 && level != above-1) {
			return f.errorf(
				"is damaged: a B-tree node of type %d, level %d under level %d; wanted type %d",
				t,
				level,
				above,
				typ,
			)
		}
		if d.err != nil {
			return d.err
		}
		if b, err = f.bytes("a B-tree", addr+uint64(len(b)), uint64(used*(keyBytes+f.offs))); err != nil {
			return err
		}
		for i := range used {
			entry := b[i*(keyBytes+f.offs):]
			key := &decoder{f: f, b: entry[:keyBytes], what: "a key of a B-tree"}
			child := (&decoder{f: f, b: entry[keyBytes:][:f.offs], what: "a B-tree"}).addr()
			if level > 0 {
				err = walk(child, level)
			} else {
				err = leaf(key, child)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk(addr, -1)
}

// symbols reads one symbol table node.
func (g *Group) symbols(addr uint64, names []byte) error {
	f := g.f
	b, err := f.bytes("a symbol table", addr, 8)
	if err != nil {
		return err
	}
	d := &decoder{f: f, b: b, what: "a symbol table"}
	d.expect("SNOD")
	d.skip(2)
	n := int(d.u16())
	if d.err != nil {
		return d.err
	}
	entry := 2*f.offs + 24
	if b, err = f.bytes("a symbol table", addr+8, uint64(n*entry)); err != nil {
		return err
	}
	for i := range n {
		d := &decoder{f: f, b: b[i*entry:][:entry], what: "a symbol"}
		name, object, cache := d.addr(), d.addr(), d.u32()
		if name >= uint64(len(names)) {
			return f.errorf("is damaged: a name of group %s at %d of %d bytes", g.name, name, len(names))
		}
		if s, _, ok := bytes.Cut(names[name:], []byte{0}); ok && cache != 2 { // 2: a link to a path
			g.links[string(s)] = object
		}
	}
	return nil
}

// Names lists what the group holds, sorted.
func (g *Group) Names() []string { return slices.Sorted(maps.Keys(g.links)) }

// Has reports whether the group holds a name.
func (g *Group) Has(name string) bool { _, ok := g.links[name]; return ok }

func (g *Group) find(kind, name string) (path string, addr uint64, err error) {
	if path = g.name + name; g.name != "/" {
		path = g.name + "/" + name
	}
	addr, ok := g.links[name]
	if !ok {
		return path, 0, g.f.errorf("has no %s %s; %s holds %q", kind, path, g.name, g.Names())
	}
	return path, addr, nil
}

// Group opens a group in this one.
func (g *Group) Group(name string) (*Group, error) {
	path, addr, err := g.find("group", name)
	if err != nil {
		return nil, err
	}
	return g.f.group(path, addr)
}
