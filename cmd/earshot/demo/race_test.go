//go:build race

package demo

// raced: with the race detector seven nodes may be slower than speech, so that
// only races and leaks are looked for.
const raced = true
