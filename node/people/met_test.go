package people

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// metShelf keeps what is remembered in memory.
type metShelf map[protocol.PeerID][]byte

func (s metShelf) SaveMet(changes map[protocol.PeerID][]byte) error {
	for p, raw := range changes {
		if s[p] = raw; raw == nil {
			delete(s, p)
		}
	}
	return nil
}

func (s metShelf) Met() (map[protocol.PeerID][]byte, error) { return maps.Clone(s), nil }

func openMet(t testing.TB, s metShelf) *Met {
	t.Helper()
	m, err := OpenMet(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMetInTotal: ten minutes make somebody known, over as many days and starts as it
// takes.
func TestMetInTotal(t *testing.T) {
	s, now := metShelf{"broken": []byte("{")}, time.Unix(1_800_000_000, 0)
	for day := range 10 {
		m := openMet(t, s)
		if m.Before("ana") || m.Before("broken") {
			t.Errorf("known after %d minutes", day)
		}
		if err := m.Hear([]protocol.PeerID{"ana"}, time.Minute, now.Add(time.Duration(day)*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	m, before := openMet(t, s), string(s["ana"])
	if !m.Before("ana") || m.Before("budi") {
		t.Error("ten minutes are not remembered")
	}
	for _, after := range []time.Duration{time.Minute, 2 * time.Hour} {
		if err := m.Hear([]protocol.PeerID{"ana"}, time.Minute, now.Add(9*24*time.Hour+after)); err != nil {
			t.Fatal(err)
		}
		if noted := string(s["ana"]) != before; noted != (after > metNoted) {
			t.Errorf("heard again %v later: noted is %t", after, noted)
		}
	}
}

// TestKeysDontPushOutTheKnown: many new keys push out each other.
func TestKeysDontPushOutTheKnown(t *testing.T) {
	s, now := metShelf{}, time.Unix(1_800_000_000, 0)
	m := openMet(t, s)
	hear := func(lasted time.Duration, who ...protocol.PeerID) {
		t.Helper()
		now = now.Add(time.Minute)
		if err := m.Hear(who, lasted, now); err != nil {
			t.Fatal(err)
		}
	}
	hear(metAfter, "ana")
	hear(time.Minute, "budi")
	for n := range 3 {
		var crowd []protocol.PeerID
		for i := range MaxMet {
			crowd = append(crowd, protocol.PeerID(fmt.Sprint(n, "-", i)))
		}
		hear(time.Minute, crowd...)
	}
	if !m.Before("ana") || len(m.people) != MaxMet || len(s) != MaxMet {
		t.Errorf("ana is known: %t; %d are remembered, %d kept", m.Before("ana"), len(m.people), len(s))
	}
	if _, there := s["budi"]; there {
		t.Error("the stranger heard of longest ago stays")
	}
}
