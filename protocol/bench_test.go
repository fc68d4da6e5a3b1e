package protocol

import "testing"

func BenchmarkAnnouncement(b *testing.B) {
	c := people()
	for _, v := range c.goodAnnouncements() {
		by, name := c.founder, "founder"
		switch v.Name {
		case "by the founder":
		case "by a delegate's delegate":
			by, name = c.announcer, "chain of two"
		default:
			continue
		}
		a, err := OpenAnnouncement(v.Bytes)
		must(b, err)
		b.Run("Seal/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Seal(by.key); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Open/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := OpenAnnouncement(v.Bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Peek/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := PeekAnnouncement(v.Bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMessage(b *testing.B) {
	c := people()
	room := RoomID(c.tea().Room)
	for _, v := range c.goodMessages(room[:]) {
		if v.Name != "claim" && v.Name != "pulse" && v.Name != "presence" {
			continue
		}
		m, err := ParseMessage(v.Bytes)
		must(b, err)
		b.Run("Seal/"+v.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Seal(room, c.founder.key); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Parse/"+v.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseMessage(v.Bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Verify/"+v.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Verify(room); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFrameExtension(b *testing.B) {
	f := Frame{Counter: 0x1234, Marks: Start | Selected}
	var w [FrameExtensionBytes]byte
	b.ReportAllocs()
	for b.Loop() {
		f.PutExtension(w[:])
		if err := f.TakeExtension(w[:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLink(b *testing.B) {
	c := people()
	text := linkText(RoomID(c.tea().Room), linkFields{Network: "garden", Peers: []hintFields{
		{c.founder.pub, []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001"}}, {Peer: c.delegate.pub}}}.hints())
	l, err := ParseLink(text)
	must(b, err)
	b.Run("String", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = l.String()
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseLink(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
