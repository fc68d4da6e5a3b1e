package node

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"
)

// sockets are the UDP sockets of a host. They are held here because QUIC says
// goodbye when its connections close, and one who is killed doesn't: cut keeps
// it in.
type sockets struct {
	mu   sync.Mutex
	open []net.PacketConn
	of   *quicreuse.ConnManager
}

// manager makes what libp2p takes its UDP sockets from, just as it would by
// itself: who may connect is for the resource manager to say.
func (s *sockets) manager(key quic.StatelessResetKey, tokens quic.TokenGeneratorKey, resources network.ResourceManager) (*quicreuse.ConnManager, error) {
	m, err := quicreuse.NewConnManager(key, tokens,
		quicreuse.OverrideListenUDP(s.listen),
		quicreuse.VerifySourceAddress(resources.VerifySourceAddress),
		quicreuse.ConnContext(func(ctx context.Context, from *quic.ClientInfo) (context.Context, error) {
			remote, err := quicreuse.ToQuicMultiaddr(from.RemoteAddr, quic.Version1)
			if err != nil {
				remote = nil
			}
			scope, err := resources.OpenConnection(network.DirInbound, false, remote)
			if err != nil {
				return ctx, err
			}
			ctx = network.WithConnManagementScope(ctx, scope)
			context.AfterFunc(ctx, scope.Done)
			return ctx, nil
		}))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of = m
	return m, err
}

func (s *sockets) listen(network string, at *net.UDPAddr) (net.PacketConn, error) {
	c, err := net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, c)
	return c, nil
}

// cut lets nothing out any more. The sockets stay open until the host closes
// them: one that is closed under it, it complains of.
func (s *sockets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		_ = c.SetWriteDeadline(time.Now()) // the host may have closed it
	}
}

// close ends them; the host has been closed before.
func (s *sockets) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of
	s.of = nil
	if m == nil {
		return nil
	}
	return m.Close()
}
