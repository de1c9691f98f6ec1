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
	look := func(at ast.Node, of types.Type, field types.Object, file string) {
		if v, ok := field.(*types.Var); !ok || !v.IsField() || v.Exported() || v.Pkg() != p.Types {
			return
		}
		looked++
		declared := filepath.Base(p.Fset.Position(field.Pos()).Filename)
		if declared != file && types.TypeString(deref(of), types.RelativeTo(p.Types)) != "Trainer" {
			t.Errorf("%s touches %s.%s of %s", p.Fset.Position(at.Pos()), of, field.Name(), declared)
		}
	}
	for i, f := range p.Syntax {
		file := filepath.Base(p.CompiledGoFiles[i])
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if s := p.TypesInfo.Selections[n]; s != nil && s.Kind() == types.FieldVal {
					look(n, s.Recv(), s.Obj(), file)
				}
			case *ast.CompositeLit:
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						if key, ok := kv.Key.(*ast.Ident); ok {
							look(n, p.TypesInfo.TypeOf(n), p.TypesInfo.Uses[key], file)
						}
					}
				}
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
