"""Replay: a trace is played to a server as its client, and what is answered is compared with what was.

Apart from what writes traces: a trace comes by mail, from another release, and is played to any server; nothing here knows ours.

`recording` reads a trace, `player` plays it, `likeness` says what counts as the same, and `transcript` shows both.
"""

from ftpd.replay.player import Login, Terms, play
from ftpd.replay.recording import Recording, Unreadable, read
from ftpd.replay.transcript import transcript

__all__ = ["Login", "Recording", "Terms", "Unreadable", "play", "read", "transcript"]
