package protocol

import (
	"errors"
	"testing"
	"time"
)

func TestCheckChain(t *testing.T) {
	founder, delegate, third, stranger := someone(1).id, someone(2).id, someone(3).id, someone(4).id
	link := func(from, to PeerID, d Duties) Certificate { return Certificate{Issuer: from, Subject: to, Duties: d} }
	for _, c := range []struct {
		name   string
		holder PeerID
		duty   Duties
		chain  []Certificate
		ok     bool
	}{
		{"founder", founder, Carry, nil, true},
		{"founder, both", founder, Carry | Speak, nil, true},
		{"nobody", stranger, Carry, nil, false},
		{"founder to herself", founder, Carry, []Certificate{link(founder, founder, Carry)}, true},
		{"delegate", delegate, Carry, []Certificate{link(founder, delegate, Carry)}, true},
		{"delegate, both", delegate, Carry | Speak, []Certificate{link(founder, delegate, Carry|Speak)}, true},
		{"delegate, one of both", delegate, Carry | Speak, []Certificate{link(founder, delegate, Carry)}, false},
		{"delegate, the other duty", delegate, Speak, []Certificate{link(founder, delegate, Carry)}, false},
		{"delegate, no duty asked", delegate, 0, []Certificate{link(founder, delegate, Carry)}, false},
		{"delegate without duties", delegate, Carry, []Certificate{link(founder, delegate, 0)}, false},
		{"another's certificate", stranger, Carry, []Certificate{link(founder, delegate, Carry)}, false},
		{"founder with another's", founder, Carry, []Certificate{link(founder, delegate, Carry)}, false},
		{"self-made", delegate, Carry, []Certificate{link(delegate, delegate, Carry)}, false},
		{"two", third, Carry, []Certificate{link(founder, delegate, Carry), link(delegate, third, Carry)}, true},
		{"two, to speak", third, Speak, []Certificate{link(founder, delegate, Carry|Speak), link(delegate, third, Speak)}, true},
		{"two, through one who may only speak", third, Speak, []Certificate{link(founder, delegate, Speak), link(delegate, third, Speak)}, false},
		{"two, more than the delegate has", third, Carry, []Certificate{link(founder, delegate, Carry), link(delegate, third, Carry|Speak)}, false},
		{"two, not joined", third, Carry, []Certificate{link(founder, delegate, Carry), link(stranger, third, Carry)}, false},
		{"two, the wrong way round", third, Carry, []Certificate{link(delegate, third, Carry), link(founder, delegate, Carry)}, false},
		{"two, the first missing", third, Carry, []Certificate{link(delegate, third, Carry)}, false},
		{"two, the last missing", third, Carry, []Certificate{link(founder, delegate, Carry)}, false},
		{"two, from a stranger", third, Carry, []Certificate{link(stranger, delegate, Carry), link(delegate, third, Carry)}, false},
		{"three", stranger, Carry, []Certificate{link(founder, delegate, Carry), link(delegate, third, Carry), link(third, stranger, Carry)}, false},
	} {
		if err := CheckChain(founder, c.holder, c.duty, c.chain); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrNoRight) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestIssueTakesWholeSeconds(t *testing.T) {
	founder, room := someone(1), RoomID{7}
	c := Certificate{Subject: someone(2).id, Duties: Speak, Life: 1500 * time.Millisecond}
	must(t, c.Issue(room, founder.key))
	if got, err := OpenCertificate(room, c.Wire()); err != nil || got.Life != time.Second || got.Issuer != founder.id {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := OpenCertificate(room, nil); !errors.Is(err, ErrCertificate) {
		t.Errorf("none: %v", err)
	}
}
