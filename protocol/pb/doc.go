// Package pb is the wire in Go, made from earshot.proto, which says what each
// message is. How it is made, docs/CONTRIBUTING.md tells.
package pb
