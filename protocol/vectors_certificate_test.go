package protocol

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

type certificateFields struct {
	Issuer  hexBytes `json:"issuer"`
	Subject hexBytes `json:"subject"`
	Duties  uint32   `json:"duties"`
	LifeS   uint32   `json:"life_s"`
	Serial  uint64   `json:"serial"`
}

// body is what the signature covers after domain and room.
func (f certificateFields) body() []byte {
	b := append(append(append([]byte{}, f.Issuer...), f.Subject...), byte(f.Duties))
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, f.LifeS), f.Serial)
}

func (f certificateFields) wire(signature []byte) message {
	return message{}.bytes(1, f.Issuer).bytes(2, f.Subject).number(3, uint64(f.Duties)).
		number(4, uint64(f.LifeS)).number(5, f.Serial).bytes(6, signature)
}

func (f certificateFields) signed(room []byte, p *person) message {
	return f.wire(p.sign("earshot-certificate", room, f.body()))
}

// certify gives a certificate for an hour as it travels.
func (p *person) certify(room []byte, subject *person, duties Duties) []byte {
	return certificateFields{p.pub, subject.pub, uint32(duties), 3600, 1}.signed(room, p)
}

func (c cast) badCertificates(room []byte) (all []refused) {
	good := certificateFields{c.founder.pub, c.delegate.pub, 2, 3600, 1}
	signature := c.founder.sign("earshot-certificate", room, good.body())
	with := func(change func(f *certificateFields)) []byte {
		f := good
		change(&f)
		return f.signed(room, c.founder)
	}
	for _, r := range []struct {
		name string
		b    []byte
		err  string
	}{
		{"no duty", with(func(f *certificateFields) { f.Duties = 0 }), "ErrCertificate"},
		{"a duty that is none", with(func(f *certificateFields) { f.Duties = 4 }), "ErrCertificate"},
		{"duties beyond the byte that is signed", with(func(f *certificateFields) { f.Duties = 0x102 }), "ErrCertificate"},
		{"no life", with(func(f *certificateFields) { f.LifeS = 0 }), "ErrCertificate"},
		{"life of a week and a second", with(func(f *certificateFields) { f.LifeS = 7*24*3600 + 1 }), "ErrCertificate"},
		{"the longest life there is", with(func(f *certificateFields) { f.LifeS = 1<<32 - 1 }), "ErrCertificate"},
		{"issuer of 31 bytes", with(func(f *certificateFields) { f.Issuer = f.Issuer[:31] }), "ErrPeer"},
		{"no subject", with(func(f *certificateFields) { f.Subject = nil }), "ErrPeer"},
		{"cut short", good.wire(signature)[:60], "ErrMalformed"},
		{"not signed", good.wire(nil), "ErrSignature"},
		{"signed by its subject", good.signed(room, c.delegate), "ErrSignature"},
		{"for another room", good.signed(make([]byte, 32), c.founder), "ErrSignature"},
		{"signed as a room message", good.wire(c.founder.sign("earshot-room-message", room, good.body())), "ErrSignature"},
		{"serial raised", certificateFields{good.Issuer, good.Subject, 2, 3600, 2}.wire(signature), "ErrSignature"},
		{"duties raised", certificateFields{good.Issuer, good.Subject, 3, 3600, 1}.wire(signature), "ErrSignature"},
		{"signature whose S is not reduced", good.wire(plusOrder(signature)), "ErrSignature"},
	} {
		all = append(all, refused{Name: r.name, Room: room, Bytes: r.b, Error: r.err})
	}
	return all
}

func TestVectorsCertificate(t *testing.T) {
	c := people()
	room := c.tea().Room
	v := vectors[certificateFields]{About: "A Certificate (bytes) of a room", Seeds: c.seeds(), Refused: c.badCertificates(room)}
	for _, f := range []struct {
		name string
		by   *person
		certificateFields
	}{
		{"to carry, by the founder", c.founder, certificateFields{c.founder.pub, c.delegate.pub, 2, 3600, 1}},
		{"to speak and carry, by a delegate", c.delegate, certificateFields{c.delegate.pub, c.announcer.pub, 3, 86400, 258}},
		{"the longest", c.founder, certificateFields{c.founder.pub, c.delegate.pub, 1, 7 * 24 * 3600, 1<<64 - 1}},
		{"serial 0", c.founder, certificateFields{c.founder.pub, c.delegate.pub, 1, 1, 0}},
	} {
		v.Accepted = append(v.Accepted, accepted[certificateFields]{Name: f.name, Room: room, Bytes: hexBytes(f.signed(room, f.by)), Fields: f.certificateFields})
	}
	v.Accepted = append(v.Accepted, accepted[certificateFields]{Name: "field of a later version: not signed, not passed on", Room: room, ReadOnly: true,
		Bytes: hexBytes(message(bytes.Clone(v.Accepted[0].Bytes)).text(15, "later")), Fields: v.Accepted[0].Fields})

	v = hold(t, "certificate.json", v)
	by := map[string]*person{string(c.founder.pub): c.founder, string(c.delegate.pub): c.delegate}
	for _, a := range v.Accepted {
		got, err := openCertificate(RoomID(a.Room), a.Bytes)
		must(t, err)
		w := got.Wire()
		same(t, a.Name, certificateFields{w.Issuer, w.Subject, w.Duties, w.LifeS, w.Serial}, a.Fields)
		a.sameBytes(t, marshal(t, w))
		subject, err := PeerOf(a.Fields.Subject)
		must(t, err)
		made := Certificate{Subject: subject, Duties: Duties(a.Fields.Duties), Life: time.Duration(a.Fields.LifeS) * time.Second, Serial: a.Fields.Serial}
		must(t, made.Issue(RoomID(a.Room), by[string(a.Fields.Issuer)].key))
		a.sameBytes(t, marshal(t, made.Wire()))
	}
	for _, r := range v.Refused {
		_, err := openCertificate(RoomID(r.Room), r.Bytes)
		r.is(t, err)
	}
}

func openCertificate(room RoomID, b []byte) (Certificate, error) {
	var w pb.Certificate
	if proto.Unmarshal(b, &w) != nil {
		return Certificate{}, ErrMalformed
	}
	return OpenCertificate(room, &w)
}
