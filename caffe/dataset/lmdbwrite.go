package dataset

import (
	"fmt"
	"os"

	"github.com/PowerDNS/lmdb-go/lmdb"
)

// WriteLMDB makes a database at path, which must not exist, from the n records that next returns; keys are
// the record's number in eight digits, as Caffe's converters write them.
func WriteLMDB(path string, n int, next func(i int) (*Datum, error)) (err error) {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s: exists already; remove it, or name another", path)
	}
	// Made beside its place and renamed, so that a half-written database never has the name.
	tmp := path + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(tmp)
		}
	}()
	if err := fillLMDB(tmp, n, next); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(tmp, path)
}

func fillLMDB(path string, n int, next func(i int) (*Datum, error)) error {
	env, err := lmdb.NewEnv()
	if err != nil {
		return err
	}
	defer env.Close()
	// The map is address space, not memory; the file grows as it is filled.
	if err := env.SetMapSize(1 << 40); err != nil {
		return err
	}
	if err := env.Open(path, lmdb.NoSync, 0o644); err != nil {
		return err
	}
	const perTxn = 1000
	var buf []byte
	for lo := 0; lo < n; lo += perTxn {
		err := env.Update(func(txn *lmdb.Txn) error {
			dbi, err := txn.OpenRoot(lmdb.Create)
			if err != nil {
				return err
			}
			for i := lo; i < min(lo+perTxn, n); i++ {
				d, err := next(i)
				if err != nil {
					return err
				}
				buf = d.Append(buf[:0])
				if err := txn.Put(dbi, fmt.Appendf(nil, "%08d", i), buf, lmdb.Append); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return env.Sync(true)
}
