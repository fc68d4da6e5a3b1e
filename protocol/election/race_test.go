//go:build race

package election

// histories is how many a test run tries; the race detector makes them slow.
const histories = 300
