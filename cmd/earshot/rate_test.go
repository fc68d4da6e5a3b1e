package main

import "testing"

func TestParseRate(t *testing.T) {
	for text, want := range map[string]int64{
		"1mbit": 1_000_000, "500kbit": 500_000, "2M": 2_000_000, "2m": 2_000_000, "1.5 Mbit/s": 1_500_000, "10Mbps": 10_000_000, "1G": 1_000_000_000,
		"250KB": 2_000_000, "250kB/s": 2_000_000, "1MB/s": 8_000_000, "100k": 100_000, "100000": 100_000, "12500B": 100_000,
		"0": 0, "none": 0, "None": 0, "0M": 0,
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "fast", "-1M", "1e9", "2MM", "1.2.3M", "99kbit", "1", "M", "2 apples", "1Mbit/h", "99999999999999999999G", "NaN", "Inf", "."} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
}

func TestRateWords(t *testing.T) {
	for bits, want := range map[int64]string{0: "0 kbit/s", 999_999: "999 kbit/s", 1_000_000: "1 Mbit/s", 12_345_678: "12.3 Mbit/s"} {
		if got := rateWords(bits); got != want {
			t.Errorf("%d: %s, want %s", bits, got, want)
		}
	}
}

func FuzzRate(f *testing.F) {
	for _, s := range []string{"1mbit", "250KB/s", "none", "0", "1.5 Mbit/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseRate(s); err == nil && got != 0 && got < 100_000 {
			t.Errorf("%q is %d bit/s", s, got)
		}
	})
}
