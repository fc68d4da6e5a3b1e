package reach

import (
	"fmt"
	"strings"
)

// Codes of findings. A diagnosis has at most one of each group; those in the
// first column are well, or as well as they can be.
const (
	CodeNetwork   = "network"    // a way out is there
	CodeNoNetwork = "no-network" // or not

	CodeNeighbors     = "neighbors"      // nodes are connected
	CodeNobodyKnown   = "nobody-known"   // there is nobody to connect to
	CodeNobodyAnswers = "nobody-answers" // there is, but nobody answers

	CodeReachable   = "reachable"         // directly, and somebody has tried
	CodeUntried     = "reachable-untried" // directly, but nobody has tried
	CodePortMapped  = "port-mapped"       // through a port that the router keeps open
	CodeOnePort     = "one-port"          // by most who are called first: NAT, endpoint-independent mapping
	CodeManyPorts   = "changing-ports"    // by those that can be reached themselves: NAT, dependent mapping
	CodeBehind      = "behind-router"     // NAT of a kind that is not known yet
	CodeHidden      = "hidden"            // by nobody, as the person wants it
	CodeFirewall    = "firewall"          // not, though the address is the Internet's
	CodeUDPWorks    = "udp-works"
	CodeUDPBlocked  = "udp-blocked"
	CodeCircuits    = "circuits"      // others pass on what is for this node
	CodeNoCircuit   = "no-circuit"    // nobody does
	CodeNoneToRelay = "nobody-public" // because nobody could

	CodeIPv4Only = "ipv4-only"
	CodeIPv6Only = "ipv6-only"
	CodeSharing  = "shared-address" // with other nodes
	CodeServes   = "serves-circuits"

	CodeTargetDirect  = "target-direct"
	CodeTargetCircuit = "target-circuit"
	CodeTargetTheirs  = "target-theirs"  // it does not answer, and others do
	CodeTargetOurs    = "target-ours"    // nobody answers
	CodeTargetNowhere = "target-nowhere" // nothing says where it is
)

// Explain makes a diagnosis of observations. It does nothing else.
func Explain(o Observations) Diagnosis {
	d := Diagnosis{OK: true, State: o.State}
	d.add(outwards(o))
	if d.OK {
		d.add(neighbours(o))
		d.add(inwards(o))
		d.add(udp(o))
		d.add(circuitry(o))
		d.add(only(o))
		d.add(sharing(o))
		d.add(serving(o))
	}
	d.add(aim(o))
	d.Headline = d.headline()
	return d
}

func (d *Diagnosis) add(f Finding) {
	if f.Code != "" {
		d.Findings = append(d.Findings, f)
		d.OK = d.OK && f.OK
	}
}

// headline is what matters most: the first thing that is wrong, what was asked
// about, or how this node is reached.
func (d *Diagnosis) headline() string {
	for _, f := range d.Findings {
		if !f.OK {
			return f.Says
		}
	}
	for _, f := range d.Findings {
		if strings.HasPrefix(f.Code, "target-") {
			return f.Says
		}
	}
	for _, f := range d.Findings {
		switch f.Code {
		case CodeReachable, CodeUntried, CodePortMapped, CodeOnePort, CodeManyPorts, CodeBehind, CodeHidden:
			return f.Says
		}
	}
	return "All is well."
}

func outwards(o Observations) Finding {
	if !o.Route4 && !o.Route6 && o.Answering == 0 {
		return Finding{Code: CodeNoNetwork, Says: "This machine has no way out to a network.", Do: "Connect it to one, then ask again.",
			Detail: "no default route, neither IPv4 nor IPv6"}
	}
	return Finding{Code: CodeNetwork, OK: true, Says: "This machine is on a network.",
		Detail: fmt.Sprintf("route to the Internet: IPv4 %s, IPv6 %s; addresses: IPv4 %s, IPv6 %s", yes(o.Route4), yes(o.Route6), o.State.IPv4, o.State.IPv6)}
}

func neighbours(o Observations) Finding {
	switch {
	case o.Connected > 0 && o.Answering > 0:
		return Finding{Code: CodeNeighbors, OK: true, Says: fmt.Sprintf("It is connected with %s.", plural(o.Connected, "other node")),
			Detail: fmt.Sprintf("%d of them without a circuit, %d reachable from anywhere", o.Direct, o.Public)}
	case o.Connected == 0 && o.Known == 0:
		return Finding{Code: CodeNobodyKnown, Says: "This node knows no other node.", Do: "Get a link from somebody and give it to: earshot meet LINK"}
	}
	return Finding{Code: CodeNobodyAnswers, Says: "None of the nodes that this one knows answers.",
		Do:     "Try from another network; if they answer there, this one keeps programs from getting out.",
		Detail: fmt.Sprintf("%d known, %d connected, 0 answered a ping", o.Known, o.Connected)}
}

// inwards says how others come to this node.
func inwards(o Observations) Finding {
	s := o.State
	// Behind a router for IPv4, a firewall for IPv6 is as usual.
	internet := s.IPv4 == InternetAddress || s.IPv4 == NoAddress && s.IPv6 == InternetAddress
	switch {
	case o.Hidden:
		return Finding{Code: CodeHidden, OK: true, Says: "This node hides: others come to it through other nodes alone.", Detail: "(--relay-only)"}
	case s.Reach == Public && s.Confirmed:
		return Finding{Code: CodeReachable, OK: true, Says: "Others can reach this node directly.", Detail: "(public, tried from outside)"}
	case s.Reach == Public:
		return Finding{Code: CodeUntried, OK: true, Says: "This machine has an Internet address, so others can probably reach it; nobody has tried yet.",
			Detail: "(public address, no AutoNAT result yet)"}
	case s.Reach == Mapped:
		return Finding{Code: CodePortMapped, OK: true, Says: "Others can reach this node through a port that your router keeps open for it.",
			Detail: fmt.Sprintf("(port mapping; sound: %s)", places(s.Mapped))}
	case internet && s.Reach == Private:
		return Finding{Code: CodeFirewall, Says: "This machine has an Internet address, but a firewall keeps others out.",
			Do: "Let others in at the firewall of this machine or its network: " + strings.Join(o.Ports, ", ") + ".", Detail: "(AutoNAT: dialled back in vain)"}
	case s.NAT == EndpointIndependent:
		return Finding{Code: CodeOnePort, OK: true, Says: "This node is behind a router that lets in whom it has called: sound goes directly to most others.",
			Detail: "(NAT, endpoint-independent mapping; seen at " + places(s.Seen) + ")"}
	case s.NAT == Dependent:
		return Finding{Code: CodeManyPorts, OK: true,
			Says:   "The router or mobile network in front of this node changes ports: sound goes directly only to nodes that anyone can reach, and takes a detour to others.",
			Detail: "(NAT, address- or port-dependent mapping; seen at " + places(s.Seen) + ")"}
	case s.Reach == Private:
		return Finding{Code: CodeBehind, OK: true, Says: "This node is behind a router; what kind is not known yet.", Detail: "(NAT, mapping behaviour unknown)"}
	}
	return Finding{}
}

func udp(o Observations) Finding {
	switch o.State.UDP {
	case UDPWorks:
		return Finding{Code: CodeUDPWorks, OK: true, Says: "Sound gets out the quick way.", Detail: "(UDP works)"}
	case UDPBlocked:
		return Finding{Code: CodeUDPBlocked, Says: "This network blocks the quick way for sound; it goes a slower way and comes some 100 ms later.",
			Do: "Allow outgoing UDP in the firewall, or use another network.", Detail: "(UDP blocked; RTP over TCP streams)"}
	}
	return Finding{}
}

// circuitry says who passes on what is for this node, if that is needed.
func circuitry(o Observations) Finding {
	s := o.State
	switch {
	case len(s.Circuits) > 0:
		return Finding{Code: CodeCircuits, OK: true, Says: fmt.Sprintf("Those that can't reach it directly come through %s.", plural(len(s.Circuits), "other node")),
			Detail: "(circuit relay v2 reservations)"}
	case s.Reach.open() && !o.Hidden || o.Connected == 0:
		return Finding{}
	case o.Public == 0:
		return Finding{Code: CodeNoneToRelay, Says: "No node that this one is connected with can be reached by everybody, so none can pass calls on to it.",
			Do: "Have one of you open a port in the router, or run a node on a server."}
	}
	return Finding{Code: CodeNoCircuit, Says: "Nobody passes on to this node the calls of those that can't reach it directly.",
		Do: "Ask the people behind the reachable nodes whether they run with --circuits all.", Detail: fmt.Sprintf("%d public neighbours, %d of them relay", o.Public, o.Relays)}
}

func only(o Observations) Finding {
	switch {
	case o.Route4 && !o.Route6:
		return Finding{Code: CodeIPv4Only, OK: true, Says: "This network knows only the old kind of addresses, as most do.", Detail: "(IPv4 only)"}
	case o.Route6 && !o.Route4:
		return Finding{Code: CodeIPv6Only, OK: true, Says: "This network knows only the new kind of addresses: nodes without them come through others.", Detail: "(IPv6 only)"}
	}
	return Finding{}
}

func sharing(o Observations) Finding {
	if o.Sharing == 0 {
		return Finding{}
	}
	return Finding{Code: CodeSharing, OK: true, Says: fmt.Sprintf("It shares its Internet address with %s.", plural(o.Sharing, "other node")),
		Detail: "(same NAT, or a carrier's)"}
}

func serving(o Observations) Finding {
	s := o.State.Serves
	if !s.Running || s.Reservations == 0 {
		return Finding{}
	}
	return Finding{Code: CodeServes, OK: true, Says: fmt.Sprintf("It helps %s to be reached.", plural(s.Reservations, "other node")),
		Detail: fmt.Sprintf("(circuit relay v2: %d circuits open, %d bytes passed on, %d refused)", s.Circuits, s.Bytes, s.Refused)}
}

// aim says what came of looking for another node.
func aim(o Observations) Finding {
	t := o.Target
	switch {
	case t == nil:
		return Finding{}
	case t.Direct:
		return Finding{Code: CodeTargetDirect, OK: true, Says: "The node that you ask about answers directly."}
	case t.Circuit:
		return Finding{Code: CodeTargetCircuit, OK: true, Says: "The node that you ask about answers through another node.", Detail: "(by a circuit)"}
	case !t.Addresses:
		return Finding{Code: CodeTargetNowhere, Says: "Nobody here knows where the node that you ask about is.", Do: "Ask its owner for a link or an address."}
	case o.Answering > 0:
		return Finding{Code: CodeTargetTheirs, Says: "The node that you ask about does not answer, though others do: it is off, or its network keeps it in.",
			Do: "Ask its owner to run: earshot doctor", Detail: detail(t.Err)}
	}
	return Finding{Code: CodeTargetOurs, Says: "Nobody answers this node, the one that you ask about included: it is on this side.",
		Do: "Mend what is said above first.", Detail: detail(t.Err)}
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.ToValidUTF8(line[:min(len(line), 200)], "")
}

func plural(n int, one string) string {
	if n == 1 {
		return "one " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func places[T fmt.Stringer](at []T) string {
	var s []string
	for _, a := range at {
		s = append(s, a.String())
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}
