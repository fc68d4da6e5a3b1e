package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs gives pion a place in the node's log. All of it is Debug: most of
// what pion calls an error is a packet that some stranger sent.
type pionLogs struct{ log *slog.Logger }

func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{p.log.With("pion", scope)}
}

type pionLogger struct{ log *slog.Logger }

func (p pionLogger) on() bool { return p.log.Enabled(context.Background(), slog.LevelDebug) }

func (p pionLogger) printf(format string, args ...any) {
	if p.on() {
		p.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (p pionLogger) Trace(string)                      {}
func (p pionLogger) Tracef(string, ...any)             {}
func (p pionLogger) Debug(msg string)                  { p.log.Debug(msg) }
func (p pionLogger) Debugf(format string, args ...any) { p.printf(format, args...) }
func (p pionLogger) Info(msg string)                   { p.log.Debug(msg) }
func (p pionLogger) Infof(format string, args ...any)  { p.printf(format, args...) }
func (p pionLogger) Warn(msg string)                   { p.log.Debug(msg) }
func (p pionLogger) Warnf(format string, args ...any)  { p.printf(format, args...) }
func (p pionLogger) Error(msg string)                  { p.log.Debug(msg) }
func (p pionLogger) Errorf(format string, args ...any) { p.printf(format, args...) }
