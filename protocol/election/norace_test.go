//go:build !race

package election

// histories is how many a test run tries.
const histories = 10_000
