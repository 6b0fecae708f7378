"""Recording → waveform, one row per channel. The only importer of PyAV.

Plain WAV (16-bit PCM, A-law, µ-law) and headerless G.711 are read straight into numpy, an
order of magnitude faster than through FFmpeg and with the same samples; everything else goes
through FFmpeg's libraries, packet by packet. Whatever a file does to the decoder ends as an
``AudioError`` that names the file and the cause.
"""

from __future__ import annotations

from speechlytics.audio._decode import decode
from speechlytics.audio._files import fingerprint
from speechlytics.audio._length import video_length_ms
from speechlytics.audio._playback import peaks, transcode, wav_bytes
from speechlytics.audio._video import video_frame

__all__ = [
    "decode",
    "fingerprint",
    "peaks",
    "transcode",
    "video_frame",
    "video_length_ms",
    "wav_bytes",
]
