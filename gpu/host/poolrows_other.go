//go:build !amd64

package host

// hasPoolRows reports that there is no pooling by rows here.
func hasPoolRows() bool { return false }

func maxRow(*poolRow)    { panic("gpu: there is no pooling by rows") }
func sumRow(*poolRow)    { panic("gpu: there is no pooling by rows") }
func spreadRow(*poolRow) { panic("gpu: there is no pooling by rows") }
