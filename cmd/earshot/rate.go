package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/node/upload"
)

// rateUnits are the units of a rate, in bits a second. Bits come in the telephone
// company's thousands; a capital B makes them bytes.
func rateUnits() map[string]float64 {
	units := map[string]float64{"": 1, "bit": 1, "bits": 1, "bps": 1, "B": 8}
	for prefix, size := range map[string]float64{"k": 1e3, "m": 1e6, "g": 1e9} {
		for _, unit := range []string{"", "bit", "bits", "bps"} {
			units[prefix+unit] = size
		}
		units[prefix+"B"] = 8 * size
	}
	return units
}

// parseRate reads a rate in bits a second: 1mbit, 500kbit/s, 2M, 250KB/s. 0 and
// none are no limit.
func parseRate(text string) (int64, error) {
	word := strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	if strings.EqualFold(word, "none") {
		return 0, nil
	}
	at := strings.IndexFunc(word, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if at < 0 {
		at = len(word)
	}
	number, err := strconv.ParseFloat(word[:at], 64)
	unit, known := rateUnits()[rateUnit(word[at:])]
	bits := number * unit
	switch {
	case err != nil || !known || bits > math.MaxInt64/1000:
		return 0, problem(fmt.Sprintf("%q is not a rate", text), "write it like 2M or 500kbit (bits a second), or 250KB (bytes a second)")
	case bits > 0 && bits < upload.Least:
		return 0, problem(fmt.Sprintf("%q is too little", text), "give 100kbit or more: with less, rooms can't be kept up; none is no limit")
	}
	return int64(bits), nil
}

// rateUnit gives a unit as rateUnits has it: only the B of bytes keeps its size.
func rateUnit(s string) string {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "/s"), "/S")
	if bytes, ok := strings.CutSuffix(s, "B"); ok {
		return strings.ToLower(bytes) + "B"
	}
	return strings.ToLower(s)
}

// rateWords is a rate as people say it.
func rateWords(bits int64) string {
	if bits >= 1_000_000 {
		return fmt.Sprintf("%.3g Mbit/s", float64(bits)/1e6)
	}
	return fmt.Sprintf("%d kbit/s", bits/1000)
}

func checkRate(v string) error {
	_, err := parseRate(v)
	return err
}
