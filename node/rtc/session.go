package rtc

import "log/slog"

// Session is one program or browser on this machine, by WHIP or WHEP.
type Session struct{}

// Close ends the session.
func (s *Session) Close() {}

type local struct{}

func listenLocal(*slog.Logger) (*local, error) { return &local{}, nil }

func (l *local) close() {}
