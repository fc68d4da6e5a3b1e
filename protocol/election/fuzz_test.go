package election

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A tape turns a fuzzer's bytes into inputs. At its end it reads zeros.
type tape []byte

func (t *tape) byte() byte {
	if len(*t) == 0 {
		return 0
	}
	b := (*t)[0]
	*t = (*t)[1:]
	return b
}

// number gives small numbers mostly, and some near each power of two.
func (t *tape) number() uint64 {
	b := t.byte()
	if b < 128 {
		return uint64(b % 16)
	}
	return uint64(1)<<(b%64) + uint64(t.byte()%4) - 2
}

func (t *tape) peer() protocol.PeerID {
	return []protocol.PeerID{"", alice, bob, carol, "dave"}[t.byte()%5]
}

func (t *tape) key() protocol.Key { return protocol.Key{Term: t.number(), Relay: t.peer()} }

func (t *tape) roster() Roster {
	r := Roster{Era: uint32(t.byte() % 4), Pin: t.peer()}
	for n := t.byte() % 6; n > 0; n-- {
		r.Candidates = append(r.Candidates, t.peer())
	}
	return r
}

func (t *tape) claim() protocol.Claim {
	flags := t.byte()
	return protocol.Claim{
		Era: uint32(flags >> 1 & 3), Key: t.key(), Standby: t.peer(),
		Boot: t.number(), Sequence: t.number(), Solo: flags&1 > 0,
	}
}

func (t *tape) pulse() protocol.Pulse {
	flags := t.byte()
	return protocol.Pulse{
		From: t.peer(), Boot: t.number(), Sequence: t.number(), Era: uint32(flags >> 3 & 3), Class: t.byte(),
		Max: t.key(), Suspects: flags&1 > 0, Yields: flags&2 > 0, Bye: flags&4 > 0,
	}
}

// FuzzMachine gives a machine any inputs in any order, and any lives one after the
// other: it never panics, keeps I1 and I2, claims no key in two lives, and knows of no
// more peers than its roster.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{})
	f.Add(binary.BigEndian.AppendUint64([]byte{1, 3, 1, 2, 3, 0, 0, 0, 5, 40, 5, 40, 5, 40, 6, 5, 40}, 1<<63))
	f.Add([]byte("\x00\x03\x01\x02\x03\x04\xff\x04\xff\x08\x00\x01\x00\x02\x02\x01\x01\x01\x04\xff\x07\x04\xff\x04\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := tape(data)
		cfg := Config{Self: alice, Boot: 5, Class: in.byte(), Roster: in.roster()}
		if in.byte() == 0 {
			cfg.Persisted, cfg.PersistedEra = in.key(), uint32(in.byte()%4)
		}
		now := time.Duration(int64(in.number()>>4)) - time.Hour
		m := New(cfg, now)
		claimed := map[holder]uint64{}
		highest, era := m.Max(), m.Era()
		for len(in) > 0 {
			var out Out
			switch in.byte() % 10 {
			case 0:
				m.Claim(in.claim(), now)
			case 1:
				m.Pulse(in.pulse(), now)
			case 2:
				m.SetRoster(in.roster(), now)
			case 3:
				m.SetClass(in.byte())
			case 4:
				m.Open(now)
			case 5:
				m.Suspect(now)
			case 6:
				out = m.Bye(now)
			case 7: // the next life, with what was stored
				cfg.Boot, cfg.Roster = cfg.Boot+1, m.roster
				m = New(cfg, now)
				highest = m.Max()
			default:
				now += time.Duration(in.byte()) * 10 * ms
			}
			if out.Pulse == nil {
				out = m.Tick(now)
			}
			if out.Keep.Term > 0 {
				cfg.Persisted, cfg.PersistedEra = out.Keep, m.Era()
			}
			if m.Era() == era && m.candidate() && m.Max().Compare(highest, m.room) < 0 {
				t.Fatalf("I1: max fell from %v to %v", highest, m.Max())
			}
			highest, era = m.Max(), m.Era()
			if best := m.Best(); best.Term > 0 && !m.in(best.Relay) {
				t.Fatalf("I2: follows %v, not in %v", best, m.roster)
			}
			if len(m.peers) > len(m.roster.Candidates) {
				t.Fatalf("knows %d peers of %d", len(m.peers), len(m.roster.Candidates))
			}
			if c := out.Claim; c != nil {
				k := holder{c.Era, c.Key}
				if boot, ok := claimed[k]; ok && boot != c.Boot {
					t.Fatalf("I3: claims %v in two lives", c.Key)
				}
				claimed[k] = c.Boot
				if c.Term == 0 || c.Term >= termLimit || cfg.Persisted.Compare(c.Key, m.room) < 0 {
					t.Fatalf("claims %v, stored %v", c.Key, cfg.Persisted)
				}
			}
		}
	})
}
