//go:build race

package room

// histories is how many a test run tries; the race detector makes them slow.
const histories = 6

const raced = true
