package node

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
	"github.com/quic-go/quic-go"

	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/node/upload"
)

// sockets are what hosts send by. UDP sockets are held here because QUIC says
// goodbye when its connections close, and one who is killed doesn't: cut keeps
// it in.
type sockets struct {
	meter *upload.Meter // nil: no limit
	ports *reach.Ports  // that a router opens; nil: none is asked to

	mu   sync.Mutex
	open []net.PacketConn
	of   []*quicreuse.ConnManager
}

// tcp makes a transport as libp2p's own, within the limit. Sharing a TCP port with
// another node of this machine would hand each the other's visitors.
func (s *sockets) tcp(u transport.Upgrader, resources network.ResourceManager, shared *tcpreuse.ConnMgr) (*tcp.TcpTransport, error) {
	if s.meter != nil {
		u = s.meter.Upgrader(u)
	}
	return tcp.NewTCPTransport(u, resources, shared, tcp.DisableReuseport())
}

// media puts a socket for sound within the limit.
func (s *sockets) media(c net.PacketConn) net.PacketConn {
	if s.meter == nil {
		return c
	}
	return s.meter.Media(c)
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
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of = append(s.of, m)
	return m, nil
}

func (s *sockets) listen(network string, at *net.UDPAddr) (net.PacketConn, error) {
	c, err := net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, c)
	if s.meter != nil {
		return s.meter.Control(c), nil
	}
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

// close ends them; the hosts have been closed before.
func (s *sockets) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.of {
		errs = append(errs, m.Close())
	}
	s.of = nil
	return errors.Join(errs...)
}
