#!/bin/sh
# Makes ana.ogg and budi.ogg anew from ana.txt and budi.txt.
# Debian: apt-get install espeak-ng opus-tools ffmpeg
set -eu
cd "$(dirname "$0")"
wav=$(mktemp -d)
trap 'rm -rf "$wav"' EXIT

# NAME VOICE WORDS_A_MINUTE PITCH SERIAL
say() {
	espeak-ng -v "$2" -s "$3" -p "$4" -f "$1.txt" -w "$wav/$1.wav"
	ffmpeg -v error -y -i "$wav/$1.wav" -ar 48000 -ac 1 -bitexact "$wav/$1.48.wav"
	opusenc --quiet --bitrate 24 --framesize 20 --speech --downmix-mono --serial "$5" \
		--discard-comments --title "$1" --comment "COMMENT=espeak-ng reading $1.txt" "$wav/$1.48.wav" "$1.ogg"
}
say ana en-us+f3 165 55 1
say budi en-gb 160 40 2
