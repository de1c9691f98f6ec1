package files

import (
	"path/filepath"
	"strings"
)

// HasExt reports whether a name has an extension (".dnz"), in capitals or not: other systems, and people, write .DNZ.
func HasExt(path, ext string) bool { return strings.EqualFold(filepath.Ext(path), ext) }

// TrimExt is a name without its extension, whatever that is.
func TrimExt(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }
