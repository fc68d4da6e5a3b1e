package main

import (
	"os/exec"
	"syscall"
)

// dieWithParent has a process end even when the test is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
