package protocol

import "time"

// Specification: all implementations agree on these.
const (
	// Version of the link's Hello.
	Version = 1

	MaxAnnouncementBytes = 1024 // an announcement's envelope
	MaxGenesisBytes      = 320
	MaxMessageBytes      = 768 // a RoomMessage
	MaxTitleBytes        = 120
	MaxNameBytes         = 48
	MaxLanguageBytes     = 12
	MaxTopics            = 3
	MaxTopicBytes        = 20
	MaxNetworkBytes      = 20
	MaxAddresses         = 8
	MaxAddressesBytes    = 400 // of an announcement, together
	MaxAddressBytes      = 128
	MaxClaimAddresses    = 4 // of a relay, of a standby
	MaxCertificates      = 64
	MaxChain             = 2    // founder -> delegate -> announcer
	MaxHands             = 64   // in a room's queue
	MaxStamps            = 10   // of hands, in one message: with the largest numbers they fit
	MaxNamedGuests       = 8    // of one node, in one room
	MaxGuests            = 1000 // of one node, as it tells the room: more count as that

	MaxChatBytes     = 500
	MaxChats         = 500 // newest messages of a room that are kept
	MaxChatsOfOne    = 50  // among them, of one sender
	VouchedChats     = 250 // among them, of those for whom the log stands, whatever others write
	AttachedChats    = 125 // among them, of those who were attached, in turn
	MaxHides         = 128 // kept
	MaxReactionBytes = 32
	MaxCaptionBytes  = 300
	MaxProfileBytes  = 160
	MaxOrder         = 1<<53 - 1 // of a chat message: exact in JSON too (RFC 8259 section 6)

	MaxReportBytes = 4096        // a SignedReport, before it is sealed
	MaxReported    = 32          // in it: talkspurts, sayings, reactions, each
	MaxWhyBytes    = 300         // of it: the reporter's own words
	ReportSpan     = time.Minute // what it tells of

	// The founder's node certifies this many carriers by itself.
	Carriers = 12

	ClockRate = 48000 // of RTP timestamps, Hz (RFC 7587 section 4.1)

	MinPacketDuration = 10 * time.Millisecond
	MaxPacketDuration = 60 * time.Millisecond
	MaxPacketBytes    = 1900
	MaxPacketsASecond = 130     // of a source
	MaxBitsASecond    = 192_000 // of a source

	// An announcement is refreshed every max(RefreshFloor, rooms/RoomsASecond)
	// and dead after Misses missed refreshes.
	RefreshFloor = 20 * time.Second
	RoomsASecond = 50
	Misses       = 3
	MaxLife      = 10 * time.Minute

	CertificateLife = 24 * time.Hour
	MaxCertificate  = 7 * 24 * time.Hour

	// RingSpan is what a forwarder keeps of each source.
	RingSpan = time.Second

	PresenceBeat = 10 * time.Second
	PresenceLife = 32 * time.Second

	// MaxWaited is the longest wait of a hand that is told.
	MaxWaited = 24 * time.Hour
	// QueuePace is the shortest time between two words of the relay on the queue.
	QueuePace = 250 * time.Millisecond

	// A child takes its parent for silent after max(SilenceFloor, 4 x its
	// measured p99 interarrival), StarvedSilence under a starved one.
	SilenceFloor   = 80 * time.Millisecond
	StarvedSilence = 300 * time.Millisecond
	SwitchHoldOff  = 2 * time.Second
	// Heartbeat is the longest pause of a parent's media path while a source is hot.
	Heartbeat = 20 * time.Millisecond
	// HotFor is how long after its last frame an unended source counts as hot
	// (browsers' DTX sends one frame in 400 ms).
	HotFor = 600 * time.Millisecond

	// A lost packet is asked for at the gap, again each 1.5 round trips, until this old.
	NackSpan = 250 * time.Millisecond
)

// Specification of a room's log.
const (
	MaxActionBytes = 512 // a SignedAction
	MaxParents     = 4
	FounderActions = 1024                       // the founder's own
	MaxShares      = 3072                       // what moderators may fill together
	MaxActions     = FounderActions + MaxShares // that count, of a room
	MaxBeyond      = 1024                       // that don't count, and come before what one actor did
	MaxAncestors   = MaxActions + MaxBeyond     // of an action
	MaxKept        = MaxActions + 4*MaxBeyond   // with what comes before what counts
	ModeratorShare = 64                         // what one is given if nothing else is said
	MaxModerators  = 16                         // at a time
	MaxRank        = 4                          // links of the chain of appointments
	MaxEras        = 16                         // by one whom the founder appointed, and all below
	MaxPinBytes    = 200
	MaxBan         = 366 * 24 * time.Hour // a ban's life, if it has one
)

// Names on the wire.
const (
	RoomsTopic       = "/earshot/rooms/1" // "/"+network after it for a named network
	RoomTopicPrefix  = "/earshot/room/1/" // room ID after it
	DirectoryStream  = "/earshot/directory/1.0.0"
	LinkStream       = "/earshot/link/1.0.0"
	FramesStream     = "/earshot/frames/1.0.0" // RTP packets, framed as in RFC 4571
	ReachStream      = "/earshot/reach/1.0.0"
	DHTPrefix        = "/earshot" // "/"+network after it for a named network
	EnvelopeDomain   = "earshot-room-announcement"
	AnnouncementType = "/earshot/room-announcement"
	LevelExtension   = "urn:ietf:params:rtp-hdrext:ssrc-audio-level" // RFC 6464
	FrameExtension   = "urn:earshot:frame"
)

// Implementation: ours to tune.
const (
	MaxLinkMessageBytes  = 16 << 10
	MaxDirectoryEntries  = 512
	MaxDirectoryRooms    = 4096
	MaxAnnouncersOfARoom = 4
	MaxMembers           = 512 // that a node remembers of a room
	MaxSources           = 64  // open at once in a room
	MaxChildren          = 64
	MaxHeard             = 3 // loudest speakers that go to children
	MaxHints             = 4 // peers in a link
)
