package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Codes of what doctor finds where no node runs; node/reach has those of a node.
// What keeps a node from opening its home or API has its problem's code, with
// dashes: api-taken, home-in-use, home-damaged, home-newer.
const (
	codeNoNode         = "no-node"
	codeNetwork        = "network"
	codeNoNetwork      = "no-network"
	codeAPIFree        = "api-free"
	codeAPIUnfit       = "api-unfit" // no address of this machine alone
	codeHomeNew        = "home-new"
	codeHomeUnreadable = "home-unreadable"
	codeHomeFree       = "home-free" // no node has it, and it can be opened
	codeHomeWritable   = "home-writable"
	codeHomeUnwritable = "home-unwritable"
	codeDiskFull       = "disk-full"
	codeClock          = "clock"
	codeClockBehind    = "clock-behind"
)

const (
	// spaceTried is what is written to the home, and taken away again, to see
	// whether there is room, bytes.
	spaceTried = 1 << 20
	// clockOff is by how much a file may be from the future: file systems over a
	// network have a clock of their own.
	clockOff = time.Hour
)

// examine finds what would keep a node from running here; none is why it is
// known that none does.
func (p *program) examine(none *protocol.Problem, now time.Time) web.Diagnosis {
	home := p.settings.home()
	addrs := ownAddresses()
	findings := []web.Finding{
		{Code: codeNoNode, Says: sentence(none.Message), Do: capital(none.Hint)},
		networkFinding(addrs),
		apiFinding(p.settings.text("api"), p.settings.value("api").set()),
	}
	findings = append(findings, homeFindings(home, now)...)
	wrong := 0
	for _, f := range findings[1:] {
		if !f.OK {
			wrong++
		}
	}
	headline := "No node runs here. Nothing was found that would keep one from running."
	switch {
	case wrong == 1:
		headline = "No node runs here, and something is in the way of one."
	case wrong > 1:
		headline = "No node runs here, and several things are in the way of one."
	}
	four, six := families(addrs)
	untried := web.Reach{Reach: "unknown", NAT: "unknown", UDP: "unknown", IPv4: four, IPv6: six,
		Addresses: []string{}, Seen: []string{}, Mapped: []string{}, Circuits: []string{}}
	return web.Diagnosis{Headline: headline, Findings: findings, Reach: untried, Seconds: time.Since(now).Seconds()}
}

// ownAddresses gives this machine's addresses that others could answer to.
func ownAddresses() (own []netip.Addr) {
	addrs, _ := net.InterfaceAddrs() // without an answer there is no address
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().IsGlobalUnicast() {
			own = append(own, prefix.Addr().Unmap())
		}
	}
	return own
}

// families gives the widest address in IPv4 and in IPv6: none, private or public.
func families(addrs []netip.Addr) (four, six string) {
	four, six = "none", "none"
	for _, a := range addrs {
		family := &six
		if a.Is4() {
			family = &four
		}
		shared := netip.MustParsePrefix("100.64.0.0/10").Contains(a) // of a provider's router (RFC 6598)
		if !a.IsPrivate() && !shared {
			*family = "public"
		} else if *family == "none" {
			*family = "private"
		}
	}
	return four, six
}

// networkFinding tells whether this machine is on a network.
func networkFinding(addrs []netip.Addr) web.Finding {
	if len(addrs) == 0 {
		return web.Finding{Code: codeNoNetwork, Says: "This computer is on no network.", Do: "Connect it, by cable or by Wi-Fi."}
	}
	kinds := "IPv4 and IPv6"
	if four, six := families(addrs); six == "none" {
		kinds = "IPv4 alone"
	} else if four == "none" {
		kinds = "IPv6 alone"
	}
	shown := make([]string, len(addrs))
	for i, a := range addrs {
		shown[i] = a.String()
	}
	return web.Finding{Code: codeNetwork, OK: true, Detail: strings.Join(shown, ", "),
		Says: "This computer is on a network (" + kinds + "); whether that leads to the Internet was not tried."}
}

// apiFinding tells whether a node could serve its API.
func apiFinding(api string, given bool) web.Finding {
	listener, err := web.Listen(api, true)
	if err == nil {
		_ = listener.Close() // nothing was sent
		return web.Finding{Code: codeAPIFree, OK: true, Says: "The page's address is free: " + api + "."}
	}
	f := obstacle(err)
	switch taken := asProblem(err).Code == protocol.CodeAPITaken; {
	case !taken:
		f.Code = codeAPIUnfit
	case !given:
		f.OK, f.Do = true, ""
		f.Says += " A node would take the next free port."
	}
	return f
}

// homeFindings tells whether a node could live in the home.
func homeFindings(home string, now time.Time) []web.Finding {
	const another = "or take another home with --home DIR."
	files, err := os.ReadDir(home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []web.Finding{{Code: codeHomeNew, OK: true, Says: "The home is not there yet; earshot up makes it.", Detail: home}}
	case err != nil:
		return []web.Finding{{Code: codeHomeUnreadable, Says: fmt.Sprintf("The home can't be read: %s.", bare(err)),
			Do: "Make it yours to read, " + another, Detail: home}}
	}
	return []web.Finding{storeFinding(home), spaceFinding(home, another), clockFinding(files, now)}
}

// storeFinding tells whether the home's database is free and sound.
func storeFinding(home string) web.Finding {
	there, err := store.Examine(home)
	switch {
	case err == nil && there:
		return web.Finding{Code: codeHomeFree, OK: true, Says: "No other node is using the home, and what it keeps can be opened.", Detail: home}
	case err == nil:
		return web.Finding{Code: codeHomeNew, OK: true, Says: "No node has lived in the home yet.", Detail: home}
	}
	f := obstacle(err)
	if asProblem(err).Code == protocol.CodeHomeInUse {
		f.Says = "A node that does not answer is using the home."
	}
	f.Detail = home
	return f
}

// obstacle is a finding of what would keep a node from running.
func obstacle(err error) web.Finding {
	what := asProblem(err)
	return web.Finding{Code: strings.ReplaceAll(what.Code, "_", "-"), Says: sentence(what.Message), Do: capital(what.Hint)}
}

// spaceFinding writes to the home, and takes it away again.
func spaceFinding(home, another string) web.Finding {
	err := tryWriting(home)
	switch {
	case err == nil:
		return web.Finding{Code: codeHomeWritable, OK: true, Says: "The home can be written, and the disk has room."}
	case diskFull(err):
		return web.Finding{Code: codeDiskFull, Says: "The disk is full.", Do: "Make room on it, " + another, Detail: home}
	}
	return web.Finding{Code: codeHomeUnwritable, Says: fmt.Sprintf("The home can't be written: %s.", bare(err)),
		Do: "Make it yours to write, " + another, Detail: home}
}

func tryWriting(home string) error {
	f, err := os.CreateTemp(home, "doctor.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, spaceTried))
	return errors.Join(err, f.Sync(), f.Close())
}

// diskFull tells that a write failed for want of room.
func diskFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	// ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL
	return runtime.GOOS == "windows" && (errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112)))
}

// clockFinding compares the clock with the files of the home: none can have
// been written later than now.
func clockFinding(files []fs.DirEntry, now time.Time) web.Finding {
	var newest time.Time
	for _, file := range files {
		if info, err := file.Info(); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if newest.Sub(now) <= clockOff {
		return web.Finding{Code: codeClock, OK: true, Says: "The clock is not behind the files in the home."}
	}
	return web.Finding{Code: codeClockBehind, Says: fmt.Sprintf("The clock says %s, but the home has a file of %s.", now.Format(time.DateTime), newest.In(now.Location()).Format(time.DateTime)),
		Do: "Set this computer's clock; sound does not need it, the times that are shown do."}
}

// sentence makes one of a problem's message.
func sentence(message string) string { return capital(message) + "." }

// capital begins as a sentence does.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
