//go:build race

package roster

// histories is how many a test run tries; the race detector makes them slow.
const histories = 2_000
