// Package human writes numbers and sizes as people read them. It is the one place for it: what a screen, a report, a
// log and an error say of one number is the same text.
package human

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// Count writes a number with commas: 431,080.
func Count(n int) string { return humanize.Comma(int64(n)) }

// Bytes writes a size in binary units, with a decimal below 100: 1.5 GiB, 23.4 MiB, 512 KiB. (humanize.IBytesN has
// 45.0 B for 45 bytes, and 1024 MiB for what is a GiB but for rounding.)
func Bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v := float64(n)
	for len(units) > 1 && (v >= 1023.5 || v <= -1023.5) {
		v, units = v/1024, units[1:]
	}
	if units[0] == "B" || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}

// ShortBytes writes a size, not negative, in at most seven columns: 45 B, 1.2 G, 999.9 M.
func ShortBytes(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "K", "M", "G"} {
		if v < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1f T", v)
}

// Milliseconds is how long something took, in milliseconds: three digits, or all of those before the point.
func Milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 100:
		return Count(int(ms + 0.5))
	case ms >= 10:
		return fmt.Sprintf("%.1f", ms)
	case ms >= 1:
		return fmt.Sprintf("%.2f", ms)
	}
	return fmt.Sprintf("%.3f", ms)
}

// Clock is a duration as a clock counts it, to the second: 0:56, 12:03, 3:04:05.
func Clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
