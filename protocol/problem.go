package protocol

// Problem is an error for a person: one line that says what was wrong, one
// that says what to do, and a code for scripts that never changes its meaning.
type Problem struct {
	Code    string // one of the Code constants
	Message string // without a final full stop
	Hint    string // what to do; "" if nothing can be done
	Cause   error  // for the log; nil if there is none
}

// Error gives the message and the hint on one line.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + "; " + p.Hint
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Codes of problems.
const (
	CodeNoNode         = "no_node"          // no node is running here
	CodeUsage          = "usage"            // the command's words are off
	CodeUnknownRoom    = "unknown_room"     // nobody known has it
	CodeAmbiguousRoom  = "ambiguous_room"   // a prefix of several rooms
	CodeClosedRoom     = "closed_room"      // its host closed it
	CodeOpensLater     = "room_opens_later" // it is to come
	CodeFullRoom       = "full_room"        // no upload to spare
	CodeLinkCut        = "link_cut"         // its checksum does not fit
	CodeLinkForm       = "link_form"        // not a link at all
	CodeOtherNetwork   = "other_network"    // a link or node of another network
	CodeNotOnStage     = "not_on_stage"     // may not speak here
	CodeNotHost        = "not_host"         // only the host may
	CodeNotAllowed     = "not_allowed"      // neither host nor moderator, or not of enough
	CodeBanned         = "banned"           // kept out of the room
	CodeRemoved        = "removed"          // from the room: may come again
	CodeMuted          = "muted"            // by somebody who may
	CodeLocked         = "locked"           // the room takes nobody new
	CodePaused         = "paused"           // the room is
	CodeFullLog        = "full_log"         // its actor's share is used up
	CodeBadLog         = "bad_log"          // an exported log does not hold
	CodeNeedsLog       = "needs_log"        // no more in use: rooms have logs
	CodeNotInRoom      = "not_in_room"      // this node is not in it
	CodeNoFile         = "no_file"          // no such file
	CodeNotOggOpus     = "not_ogg_opus"     // another format
	CodeBadAudio       = "bad_audio"        // Ogg Opus, but broken
	CodeOutput         = "output"           // a recording can't be written
	CodeAPITaken       = "api_taken"        // the API's port is in use
	CodeHomeUnwritable = "home_unwritable"  // the home can't be written
	CodeHomeInUse      = "home_in_use"      // by another node
	CodeHomeNewer      = "home_newer"       // written by a newer version
	CodeHomeDamaged    = "home_damaged"     // its database does not read
	CodeBadAddress     = "bad_address"      // not a multiaddress
	CodeUnreachable    = "unreachable"      // nobody answers there
	CodeBadToken       = "bad_token"        // missing or wrong
	CodeBadRequest     = "bad_request"      // malformed API request
	CodeUnknownPeer    = "unknown_peer"     // no such peer here
	CodeNoDoor         = "no_door"          // the node has no guest door
	CodeUnknownGuest   = "unknown_guest"    // no such guest is in
	CodeTooFast        = "too_fast"         // more than others listen to
	CodeNoConsent      = "no_consent"       // the person has not allowed it
	CodeNobodyFound    = "nobody_found"     // of those that were looked for
	CodeConfig         = "config"           // config.toml or environment
	CodeInternal       = "internal"         // ours to mend
)
