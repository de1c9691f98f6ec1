package session

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/packages"
)

// Each part of a session keeps to itself: a file touches the unexported fields of the types that it declares, and the
// Trainer's, whose files these are.
func TestPartsKeepToThemselves(t *testing.T) {
	all, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedExportFile,
	}, ".")
	if err != nil || len(all) != 1 || len(all[0].Errors) > 0 {
		t.Fatalf("%v, %v", err, all)
	}
	p := all[0]
	looked := 0
	for i, f := range p.Syntax {
		file := filepath.Base(p.CompiledGoFiles[i])
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			sel := p.TypesInfo.Selections[s]
			if sel == nil || sel.Kind() != types.FieldVal || sel.Obj().Exported() || sel.Obj().Pkg() != p.Types {
				return true
			}
			looked++
			declared := filepath.Base(p.Fset.Position(sel.Obj().Pos()).Filename)
			if declared != file && types.TypeString(deref(sel.Recv()), types.RelativeTo(p.Types)) != "Trainer" {
				t.Errorf("%s touches %s.%s of %s", p.Fset.Position(s.Pos()), sel.Recv(), sel.Obj().Name(), declared)
			}
			return true
		})
	}
	if looked < 100 {
		t.Errorf("%d fields were looked at: the test sees nothing", looked)
	}
}

func deref(t types.Type) types.Type {
	if p, ok := t.(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}
