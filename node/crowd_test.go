package node

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery/gossip"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// What a crowd does in a minute, and of how many people it is; every other one of
// them means harm, and does more than is counted here.
const (
	crowdPeople  = 50
	crowdChats   = 2000
	crowdHands   = 200
	crowdEach    = time.Minute / crowdChats
	crowdPresent = 6 // a presence with each so many chats: each of them says one in 9 s
)

// What a node may keep of a crowd that has gone quiet: 500 messages and 2,048
// senders, each under a KiB with the maps around them; and what gossip remembers for
// a minute of each message's name and of who passed it on.
const (
	keptOfACrowd   = 4 << 20
	keptOfAMessage = 1 << 10
)

// TestACrowdWritesAndAsks has fifty people, half of them hostile, write and ask to
// speak in a room of five nodes: all show the same hands in one order and the same
// chat, claims and pulses keep their beat, no frame is lost, and little is kept.
func TestACrowdWritesAndAsks(t *testing.T) {
	lasts, each := 10*time.Second, crowdEach
	if os.Getenv("EARSHOT_LONG") == "1" {
		lasts = time.Minute
	}
	if raceEnabled { // each message is verified by five nodes, some twice
		each *= 8
	}
	s := newTheatre(t, lasts+2*time.Minute)
	c := gather(s)
	quiet, beats := elsewhere(s).watch(), s.watch()
	before, goroutines := heap(), runtime.NumGoroutine()
	c.riots(lasts, each)
	beats.check(s, quiet.waited(s))

	var asking, talking []string
	s.ana().eventually("all show one queue", func() bool {
		asking = s.queue(s.ana())
		return s.same(asking, s.queue)
	})
	s.ana().eventually("all show one chat", func() bool {
		talking = s.chat(s.ana())
		return s.same(talking, s.chat)
	})
	if n := len(asking); n < 3 && !raceEnabled || n > protocol.MaxHands {
		t.Errorf("%d hands are up", n)
	}
	if n := len(talking); n < 30 && !raceEnabled || n > protocol.MaxChats {
		t.Errorf("%d messages are kept", n)
	}
	for _, written := range c.known() {
		if !slices.Contains(talking, written) && !s.lame() {
			t.Errorf("%s is not kept, though the log stands for who wrote it", written)
		}
	}
	grown, more := (heap()-before)/int64(len(s.nodes)), 0
	if grown > keptOfACrowd+keptOfAMessage*int64(c.said) && !raceEnabled {
		t.Errorf("each node has grown by %d KiB", grown>>10)
	}
	s.ana().eventually("no goroutine is left for each of them", func() bool {
		more = runtime.NumGoroutine() - goroutines
		return more < crowdPeople/2
	})
	t.Logf("%v: %d said, %d hands up, %d messages kept, %d KiB a node, %d goroutines more; %s, of a quiet room %s; the machine stood still for %v",
		lasts, c.said, len(asking), len(talking), grown>>10, more, beats, quiet, s.stood())
	s.heardAll()
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// somebody is one of a crowd: a key whose words other's hosts carry.
type somebody struct {
	key            crypto.PrivKey
	boot, sequence uint64
	asked          int
	raised         uint64   // 0: the hand is down
	wrote          []string // the names of their messages
}

// assembly is a crowd, and how its words get about: those of the honest by one
// host's link to the relay, as their own nodes would send them; those of the others
// by gossip, and by links to every node. The first of the honest was on stage once.
type assembly struct {
	*stage
	honest, hostile []*somebody
	carries, harms  *enemy
	topic           *gossip.RoomTopic
	order           uint64   // the highest that an honest one has seen
	old             [][]byte // what others said, to be said again
	said            int
}

func gather(s *stage) *assembly {
	s.t.Helper()
	c := &assembly{stage: s, carries: newEnemy(s.t), harms: newEnemy(s.t)}
	for i, key := range crowd(s.t, crowdPeople) {
		p := &somebody{key: key, boot: c.harms.boot}
		if i%2 == 0 {
			c.honest = append(c.honest, p)
		} else {
			c.hostile = append(c.hostile, p)
		}
	}
	c.topic = c.harms.gossips(s)
	c.carries.at(s.ana())
	c.carries.child(s.ana(), s.id, pb.Attach_WARM)
	for _, v := range s.nodes {
		c.harms.at(v)
		c.harms.child(v, s.id, pb.Attach_WARM)
	}
	deaf := func(_ protocol.PeerID, m *pb.LinkMessage) bool { return m.GetDescription() == nil }
	c.carries.hears.Store(&deaf)
	c.harms.hears.Store(&deaf)
	for _, p := range c.honest {
		c.sends(p, &protocol.Message{Presence: &protocol.Presence{Name: "honest", Listening: true}})
	}
	first, err := peer.IDFromPrivateKey(c.honest[0].key)
	must(s.t, err)
	s.does(protocol.Grant{Peer: first, Role: protocol.RoleSpeaker})
	s.does(protocol.Revoke{Peer: first, Role: protocol.RoleSpeaker})
	for _, v := range s.nodes {
		v.eventually("the log stands for the first", func() bool { return v.lawful(s.id).Vouched(first) })
	}
	for _, p := range c.hostile {
		c.shouts(c.signs(p, &protocol.Message{Presence: &protocol.Presence{Name: "hostile"}}))
	}
	return c
}

// signs makes somebody's next message.
func (c *assembly) signs(p *somebody, m *protocol.Message) []byte {
	p.sequence++
	m.Boot, m.Sequence = p.boot, p.sequence
	return signed(c.t, p.key, c.id, m)
}

// known gives the newest of what was written by the one for whom the log stands, as
// many as are kept of one.
func (c *assembly) known() []string {
	wrote := c.honest[0].wrote
	return wrote[max(0, len(wrote)-protocol.MaxChatsOfOne):]
}

// sends has an honest one say something.
func (c *assembly) sends(p *somebody, m *protocol.Message) {
	raw := c.signs(p, m)
	if m.Chat != nil {
		p.wrote = append(p.wrote, name(m.ID()))
	}
	c.said++
	if !c.carries.feed(c.ana(), c.id, raw) && !c.lame() {
		c.t.Error("the relay cut off an honest node")
	}
	if c.old = append(c.old, raw); len(c.old) > 500 {
		c.old = c.old[1:]
	}
}

// shouts has the topic hear something; feeds, each node.
func (c *assembly) shouts(raw []byte) {
	c.said++
	_ = c.topic.Publish(raw) // what does not fit is another's
}

func (c *assembly) feeds(raw []byte) {
	c.said++
	for _, v := range c.nodes {
		c.harms.feed(v, c.id, raw)
	}
}

// riots has the crowd do what it does, one thing after the other.
func (c *assembly) riots(lasts, each time.Duration) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for i := range int(lasts / each) {
		<-tick.C
		honest, hostile := c.honest[i%len(c.honest)], c.hostile[i*7%len(c.hostile)]
		if i%16 < 5 { // one in two seconds and a half: what a person may
			c.order++
			c.sends(honest, &protocol.Message{Chat: &protocol.Chat{Order: c.order, Name: "honest", Text: fmt.Sprint("honest ", i)}})
		} else {
			c.shouts(c.signs(hostile, &protocol.Message{Chat: &protocol.Chat{Order: c.order + 2, Name: "hostile", Text: fmt.Sprint("rude ", i)}}))
		}
		if i%(crowdChats/crowdHands) == 0 {
			c.asks(c.honest[i/(crowdChats/crowdHands)*3%len(c.honest)])
		}
		if i%crowdPresent == 0 {
			c.present(i / crowdPresent)
		}
		c.harm(i, hostile)
	}
}

// asks raises an honest one's hand, says the next time that it is up, and the time
// after that takes it down.
func (c *assembly) asks(p *somebody) {
	switch p.asked++; {
	case p.asked%3 == 0:
		p.raised = 0
	case p.raised == 0:
		p.raised = p.sequence + 1
	}
	c.sends(p, &protocol.Message{Hand: &protocol.Hand{Up: p.raised > 0, Raised: p.raised}})
}

// present says again who is here, and whose hand is up.
func (c *assembly) present(i int) {
	if p := c.honest[i/2%len(c.honest)]; i%2 == 0 {
		c.sends(p, &protocol.Message{Presence: &protocol.Presence{Name: "honest", Listening: true}})
		if p.raised > 0 {
			c.sends(p, &protocol.Message{Hand: &protocol.Hand{Up: true, Raised: p.raised}})
		}
		return
	}
	p := c.hostile[i/2%len(c.hostile)]
	c.shouts(c.signs(p, &protocol.Message{Presence: &protocol.Presence{Name: "hostile"}}))
}

// harm is what a modified client does, each time something else.
func (c *assembly) harm(i int, p *somebody) {
	long := strings.Repeat("x", protocol.MaxChatBytes)
	chat := func(order uint64) *protocol.Message {
		return &protocol.Message{Chat: &protocol.Chat{Order: order, Name: "hostile", Text: long}}
	}
	switch i % 8 {
	case 0: // beyond all rates, of the largest size
		for n := range uint64(20) {
			c.shouts(c.signs(p, chat(c.order+n)))
		}
	case 1: // said before, by others
		for n := range min(len(c.old), 10) {
			c.shouts(c.old[(i+n)%len(c.old)])
			c.feeds(c.old[(i*3+n)%len(c.old)])
		}
	case 2: // wrongly signed
		raw := slices.Clone(c.signs(p, chat(c.order+1)))
		raw[len(raw)-9] ^= 1
		c.feeds(raw)
	case 3: // a hand up and down
		for n := range 10 {
			c.shouts(c.signs(p, &protocol.Message{Hand: &protocol.Hand{Up: n%2 == 0, Raised: p.sequence + 1}}))
		}
		c.shouts(c.signs(p, &protocol.Message{Hand: &protocol.Hand{Up: true, Raised: p.sequence + 1}}))
	case 4: // of an earlier life
		for _, m := range []*protocol.Message{chat(c.order + 1), {Presence: &protocol.Presence{Name: "risen"}}, {Hand: &protocol.Hand{Up: true, Raised: 1}}} {
			p.sequence++
			m.Boot, m.Sequence = p.boot-1, p.sequence
			c.shouts(signed(c.t, p.key, c.id, m))
		}
	case 5: // far ahead: beyond what is taken, and within
		c.feeds(c.signs(p, chat(protocol.MaxOrder)))
		c.order += 1000
		c.shouts(c.signs(p, chat(c.order)))
	case 6:
		for range 10 {
			c.shouts(c.signs(p, &protocol.Message{Presence: &protocol.Presence{Name: "hostile"}}))
		}
	case 7: // without right, or too often
		c.feeds(c.signs(p, &protocol.Message{Hide: &protocol.Hide{Order: c.order, Of: protocol.MessageID{From: c.ana().self}}}))
		c.shouts(c.signs(p, &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 1000}}}}))
		for range 10 {
			c.shouts(c.signs(p, &protocol.Message{Reaction: &protocol.Reaction{Emoji: "👎"}}))
		}
	}
}
