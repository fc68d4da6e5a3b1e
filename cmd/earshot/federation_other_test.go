//go:build !linux

package main

import "os/exec"

// dieWithParent has a process end even when the test is killed, where the
// system can.
func dieWithParent(*exec.Cmd) {}
