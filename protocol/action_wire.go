package protocol

import (
	"time"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// fillDeed puts a deed into an action on its way to the wire.
func fillDeed(w *pb.Action, deed Deed) error {
	switch d := deed.(type) {
	case Lock:
		w.Deed = &pb.Action_Lock{Lock: bool(d)}
	case Pause:
		w.Deed = &pb.Action_Pause{Pause: bool(d)}
	case Close:
		w.Deed = &pb.Action_Close{Close: bool(d)}
	case Title:
		w.Deed = &pb.Action_Title{Title: string(d)}
	case Topics:
		w.Deed = &pb.Action_Topics{Topics: &pb.Topics{Topics: d}}
	case Language:
		w.Deed = &pb.Action_Language{Language: string(d)}
	case Stage:
		w.Deed = &pb.Action_Stage{Stage: pb.Stage(d)}
	case Pin:
		w.Deed = &pb.Action_Pin{Pin: string(d)}
	case Next:
		w.Deed = &pb.Action_NextMs{NextMs: NextMS(d.At)}
	default:
		return fillDeedOnPeer(w, deed)
	}
	return nil
}

// fillDeedOnPeer is fillDeed for what is done to a peer.
func fillDeedOnPeer(w *pb.Action, deed Deed) error {
	var err error
	key := func(p PeerID) []byte {
		var k []byte
		k, err = PeerKey(p)
		return k
	}
	most := func(p PeerID) []byte { // or everybody
		if p == "" {
			return nil
		}
		return key(p)
	}
	switch d := deed.(type) {
	case Grant:
		w.Deed = &pb.Action_Grant{Grant: &pb.Grant{Peer: key(d.Peer), Role: pb.Role(d.Role), Share: d.Share}}
	case Revoke:
		w.Deed = &pb.Action_Revoke{Revoke: &pb.Revoke{Peer: key(d.Peer), Role: pb.Role(d.Role)}}
	case Remove:
		w.Deed = &pb.Action_Remove{Remove: &pb.Remove{Peer: key(d.Peer)}}
	case Ban:
		w.Deed = &pb.Action_Ban{Ban: &pb.Ban{Peer: key(d.Peer), LifeS: uint32(d.Life / time.Second)}}
	case Unban:
		w.Deed = &pb.Action_Unban{Unban: &pb.Unban{Peer: key(d.Peer)}}
	case Mute:
		w.Deed = &pb.Action_Mute{Mute: &pb.Mute{Peer: most(d.Peer), MayUnmute: d.MayUnmute}}
	case Unmute:
		w.Deed = &pb.Action_Unmute{Unmute: &pb.Unmute{Peer: most(d.Peer)}}
	default:
		return ErrMalformed
	}
	return err
}

// takeDeed reads an action's deed; none, of a later version, is nil.
func takeDeed(w *pb.Action) (Deed, error) {
	switch d := w.Deed.(type) {
	case nil:
		return nil, nil
	case *pb.Action_Lock:
		return Lock(d.Lock), nil
	case *pb.Action_Pause:
		return Pause(d.Pause), nil
	case *pb.Action_Close:
		return Close(d.Close), nil
	case *pb.Action_Title:
		return Title(d.Title), nil
	case *pb.Action_Topics:
		return Topics(d.Topics.GetTopics()), nil
	case *pb.Action_Language:
		return Language(d.Language), nil
	case *pb.Action_Stage:
		if d.Stage < 0 || d.Stage > pb.Stage_STAGE_MODERATORS {
			return nil, ErrMalformed
		}
		return Stage(d.Stage), nil
	case *pb.Action_Pin:
		return Pin(d.Pin), nil
	case *pb.Action_NextMs:
		at, ok := NextAt(d.NextMs)
		if !ok {
			return nil, ErrMalformed
		}
		return Next{at}, nil
	}
	return takeDeedOnPeer(w)
}

// takeDeedOnPeer is takeDeed for what is done to a peer.
func takeDeedOnPeer(w *pb.Action) (Deed, error) {
	switch d := w.Deed.(type) {
	case *pb.Action_Grant:
		peer, err := PeerOf(d.Grant.GetPeer())
		return Grant{peer, takeRole(d.Grant.GetRole()), d.Grant.GetShare()}, err
	case *pb.Action_Revoke:
		peer, err := PeerOf(d.Revoke.GetPeer())
		return Revoke{peer, takeRole(d.Revoke.GetRole())}, err
	case *pb.Action_Remove:
		peer, err := PeerOf(d.Remove.GetPeer())
		return Remove{peer}, err
	case *pb.Action_Ban:
		peer, err := PeerOf(d.Ban.GetPeer())
		return Ban{peer, time.Duration(d.Ban.GetLifeS()) * time.Second}, err
	case *pb.Action_Unban:
		peer, err := PeerOf(d.Unban.GetPeer())
		return Unban{peer}, err
	case *pb.Action_Mute:
		peer, err := peerOrAll(d.Mute.GetPeer())
		return Mute{peer, d.Mute.GetMayUnmute()}, err
	case *pb.Action_Unmute:
		peer, err := peerOrAll(d.Unmute.GetPeer())
		return Unmute{peer}, err
	}
	return nil, ErrMalformed
}

// takeRole reads a role; one that nobody can be given is refused by check.
func takeRole(r pb.Role) Role { return Role(min(max(0, r), pb.Role(RoleHost))) }

// peerOrAll reads a peer; "" is everybody.
func peerOrAll(key []byte) (PeerID, error) {
	if len(key) == 0 {
		return "", nil
	}
	return PeerOf(key)
}
