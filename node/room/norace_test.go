//go:build !race

package room

// histories is how many a test run tries.
const histories = 50

const raced = false
