package human

import (
	"math"
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 7: "7", -7: "-7", 999: "999", 1000: "1,000", -1000: "-1,000", 431080: "431,080",
		138357544:     "138,357,544",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, wanted %s", n, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64][2]string{
		0: {"0 B", "0 B"}, 45: {"45 B", "45 B"}, 999: {"999 B", "999 B"}, 1000: {"1000 B", "1.0 K"},
		1023: {"1023 B", "1.0 K"},
		1024: {"1.0 KiB", "1.0 K"}, 1536: {"1.5 KiB", "1.5 K"}, 99 << 10: {"99.0 KiB", "99.0 K"},
		512 << 10: {"512 KiB", "512.0 K"}, 1<<20 - 1: {"1.0 MiB", "1.0 M"}, 1<<30 - 1: {"1.0 GiB", "1.0 G"},
		78 << 30: {"78.0 GiB", "78.0 G"}, 5 << 40: {"5.0 TiB", "5.0 T"}, 2000 << 40: {"2000 TiB", "2000.0 T"},
	} {
		if got := Bytes(n); got != want[0] {
			t.Errorf("%d: %s, wanted %s", n, got, want[0])
		}
		if got := ShortBytes(n); got != want[1] {
			t.Errorf("%d, short: %s, wanted %s", n, got, want[1])
		}
	}
	if got := Bytes(-3 << 20); got != "-3.0 MiB" {
		t.Errorf("negative: %s", got)
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0:00"}, {56 * time.Second, "0:56"}, {723 * time.Second, "12:03"}, {59*time.Minute +
			59600*time.Millisecond, "1:00:00"},
		{11045 * time.Second, "3:04:05"},
	} {
		if got := Clock(c.d); got != c.want {
			t.Errorf("%v: %s, wanted %s", c.d, got, c.want)
		}
	}
}
