//go:build !race

package roster

// histories is how many a test run tries.
const histories = 100_000
