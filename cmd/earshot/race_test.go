//go:build race

package main

// raced: with the race detector, under which a federation's processes run too,
// nodes may be slower than speech, so that only races and crashes are looked for.
const raced = true
