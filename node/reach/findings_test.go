package reach

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestExplain(t *testing.T) {
	up := Observations{Route4: true, Known: 4, Connected: 4, Direct: 4, Answering: 4, Public: 2, Relays: 2, Ports: []string{"UDP 41642", "TCP 41641"},
		State: State{Reach: Private, NAT: NATUnknown, UDP: UDPWorks, IPv4: PrivateAddress, IPv6: NoAddress, Circuits: make([]Circuit, 2)}}
	but := func(edit func(*Observations)) Observations { o := up; edit(&o); return o }
	for name, c := range map[string]struct {
		o    Observations
		ok   bool
		want []string // codes
	}{
		"reachable": {but(func(o *Observations) {
			o.State = State{Reach: Public, Confirmed: true, NAT: NATNone, UDP: UDPWorks, IPv4: InternetAddress, IPv6: NoAddress}
		}), true, []string{CodeReachable, CodeUDPWorks, CodeIPv4Only}},
		"reachable, untried": {but(func(o *Observations) {
			o.State = State{Reach: Public, NAT: NATNone, UDP: UDPWorks, IPv4: InternetAddress}
		}), true,
			[]string{CodeUntried}},
		"a mapped port": {but(func(o *Observations) {
			o.State.Reach, o.State.Confirmed, o.State.Circuits = Mapped, true, nil
			o.State.Mapped = []netip.AddrPort{netip.MustParseAddrPort("11.0.0.2:41642")}
		}), true, []string{CodePortMapped}},
		"a home router":             {but(func(o *Observations) { o.State.NAT = EndpointIndependent }), true, []string{CodeOnePort, CodeCircuits}},
		"a mobile network":          {but(func(o *Observations) { o.State.NAT = Dependent }), true, []string{CodeManyPorts, CodeCircuits}},
		"a router of unknown kind":  {up, true, []string{CodeBehind, CodeCircuits}},
		"UDP blocked":               {but(func(o *Observations) { o.State.UDP = UDPBlocked }), false, []string{CodeUDPBlocked, CodeCircuits}},
		"no network":                {Observations{State: State{Reach: Unknown}, Known: 3}, false, []string{CodeNoNetwork}},
		"a cable pulled just now":   {but(func(o *Observations) { o.Route4, o.Route6, o.Answering = false, false, 0 }), false, []string{CodeNoNetwork}},
		"nobody known":              {Observations{State: up.State, Route4: true}, false, []string{CodeNetwork, CodeNobodyKnown}},
		"nobody answers":            {Observations{State: State{Reach: Private, IPv4: PrivateAddress}, Route4: true, Known: 3}, false, []string{CodeNobodyAnswers}},
		"connected, but all silent": {but(func(o *Observations) { o.Answering = 0 }), false, []string{CodeNobodyAnswers}},
		"nobody public":             {but(func(o *Observations) { o.Public, o.Relays, o.State.Circuits = 0, 0, nil }), false, []string{CodeNoneToRelay}},
		"nobody relays":             {but(func(o *Observations) { o.Relays, o.State.Circuits = 0, nil }), false, []string{CodeNoCircuit}},
		"a firewall": {but(func(o *Observations) { o.State.IPv4, o.State.Confirmed = InternetAddress, true }), false,
			[]string{CodeFirewall, CodeCircuits}},
		"a firewall for IPv6 behind a router": {but(func(o *Observations) {
			o.State.IPv6, o.State.NAT, o.Route6 = InternetAddress, EndpointIndependent, true
		}), true,
			[]string{CodeOnePort}},
		"hidden": {but(func(o *Observations) { o.Hidden, o.State.Reach = true, Public }), true, []string{CodeHidden, CodeCircuits}},
		"hidden, and nobody helps": {but(func(o *Observations) {
			o.Hidden, o.State.Reach, o.State.Circuits, o.Public, o.Relays = true, Public, nil, 0, 0
		}), false, []string{CodeHidden, CodeNoneToRelay}},
		"IPv6 only":           {but(func(o *Observations) { o.Route4, o.Route6 = false, true }), true, []string{CodeIPv6Only}},
		"a dormitory":         {but(func(o *Observations) { o.Sharing = 3 }), true, []string{CodeSharing}},
		"serving":             {but(func(o *Observations) { o.State.Serves = Serves{Running: true, Reservations: 2} }), true, []string{CodeServes}},
		"a target, directly":  {but(func(o *Observations) { o.Target = &Target{Addresses: true, Direct: true} }), true, []string{CodeTargetDirect}},
		"a target, by others": {but(func(o *Observations) { o.Target = &Target{Addresses: true, Circuit: true} }), true, []string{CodeTargetCircuit}},
		"their side":          {but(func(o *Observations) { o.Target = &Target{Addresses: true, Err: errors.New("refused")} }), false, []string{CodeTargetTheirs}},
		"our side": {Observations{State: State{Reach: Private, IPv4: PrivateAddress}, Route4: true, Known: 3, Target: &Target{Addresses: true}}, false,
			[]string{CodeNobodyAnswers, CodeTargetOurs}},
		"our side, and no network": {Observations{Known: 3, Target: &Target{Addresses: true}}, false, []string{CodeNoNetwork, CodeTargetOurs}},
		"nowhere":                  {but(func(o *Observations) { o.Target = &Target{} }), false, []string{CodeTargetNowhere}},
	} {
		d := Explain(c.o)
		var got []string
		for _, f := range d.Findings {
			got = append(got, f.Code)
			sound(t, f)
		}
		for _, code := range c.want {
			if !slices.Contains(got, code) {
				t.Errorf("%s: %v, want %s in it", name, got, code)
			}
		}
		if d.OK != c.ok || d.Headline == "" || d.Headline == "All is well." {
			t.Errorf("%s: ok %v, %q", name, d.OK, d.Headline)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != len(d.Findings) {
			t.Errorf("%s: a code twice in %v", name, got)
		}
	}
}

func TestAFirewallIsToLetInWhereThisNodeListens(t *testing.T) {
	d := Explain(Observations{Route4: true, Connected: 1, Answering: 1, Ports: []string{"UDP 5", "TCP 6"}, State: State{Reach: Private, IPv4: InternetAddress}})
	i := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Code == CodeFirewall })
	if i < 0 || !strings.HasSuffix(d.Findings[i].Do, ": UDP 5, TCP 6.") {
		t.Errorf("%+v", d.Findings)
	}
}

// sound holds a finding to what people can read.
func sound(t *testing.T, f Finding) {
	t.Helper()
	words := strings.FieldsFunc(strings.ToLower(f.Says+" "+f.Do), func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })
	for _, jargon := range []string{"nat", "peer", "relay", "autonat", "circuit", "stun"} {
		if slices.Contains(words, jargon) {
			t.Errorf("%s says %q to people", f.Code, jargon)
		}
	}
	if !strings.HasSuffix(f.Says, ".") || strings.Count(f.Says, ". ") > 0 || !f.OK && f.Do == "" || f.OK && f.Do != "" || strings.Contains(f.Detail, "\n") {
		t.Errorf("%+v", f)
	}
}

func TestDiagnose(t *testing.T) {
	public, ana := newNode(t, first), newNode(t, home, func(c *Config) { c.patience = time.Second })
	ana.connect(public)
	ana.holds(public)
	info := public.info()
	d := ana.Diagnose(t.Context(), 1, &info)
	codes := func(d Diagnosis) (codes []string) {
		for _, f := range d.Findings {
			codes = append(codes, f.Code)
		}
		return codes
	}
	if got := codes(d); !slices.Contains(got, CodeNeighbors) || !slices.Contains(got, CodeTargetDirect) || !slices.Contains(got, CodeCircuits) {
		t.Errorf("%v", got)
	}
	gone := newNode(t, home)
	info = gone.info()
	gone.stop()
	must(t, gone.Close())
	if d = ana.Diagnose(t.Context(), 1, &info); !slices.Contains(codes(d), CodeTargetTheirs) {
		t.Errorf("%v", codes(d))
	}
	must(t, public.Close())
	if d = ana.Diagnose(t.Context(), 1, &info); !slices.Contains(codes(d), CodeTargetOurs) {
		t.Errorf("%v", codes(d))
	}
}
