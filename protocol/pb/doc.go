// Package pb is the wire in Go, made from earshot.proto, which says what each
// message is:
//
//	protoc --go_out=. --go_opt=module=github.com/earshot-audio/earshot protocol/pb/earshot.proto
package pb
