# Writes variants_*.h5: the same numbers in each way that libhdf5 stores them (h5py 3, numpy).
import h5py
import numpy as np

n = np.arange(35).reshape(5, 7)
for version, name in ("earliest", "earliest"), ("v108", "v108"):
    with h5py.File(f"variants_{name}.h5", "w", libver=(version, "v108")) as f:
        f = f.create_group("a")  # groups: one of more than eight links would have them in a fractal heap in v108
        f4 = n.astype("<f4")
        f.create_dataset("chunked", data=f4, chunks=(2, 3))
        f.create_dataset("gzip", data=f4, chunks=(2, 3), compression="gzip")
        f.create_dataset("gzip_shuffle", data=f4, chunks=(2, 3), compression="gzip", shuffle=True)
        f.create_dataset("fletcher", data=f4, chunks=(2, 3), fletcher32=True)
        f.create_dataset("gzip_shuffle_fletcher", data=f4, chunks=(4, 4), compression="gzip", shuffle=True, fletcher32=True)
        f = f.parent.create_group("b")
        f.create_dataset("contiguous", data=f4)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(n.shape)
        d = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, plist)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, f4)
        f = f.parent.create_group("c")
        for key, dtype, shift in ("f16", "<f2", 0), ("f64", "<f8", 0), ("f32be", ">f4", 0), ("i16", "<i2", -17), ("i16be", ">i2", -17), ("u8", "<u1", 0), ("i64", "<i8", -17):
            f.create_dataset(key, data=(n + shift).astype(dtype))
