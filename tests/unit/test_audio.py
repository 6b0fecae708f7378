"""Recordings → waveforms: what was put into a file comes out, at its time, on its channel."""

from __future__ import annotations

import hashlib
import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from speechlytics.audio import _ffmpeg, _plain, decode, fingerprint, peaks, transcode, wav_bytes
from speechlytics.audio._limits import Limits
from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from tests.data.audio.make import (
    HERE,
    LENGTH_S,
    TONES_S,
    encode,
    pcm16,
    riff,
    sounding_s,
    two_tones,
)

CONFIG = AudioConfig()
LIMITS = Limits(3600, 8)


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def assert_tones(row: np.ndarray, rate_hz: int, expected=TONES_S, tolerance_s: float = 0.03):
    heard = sounding_s(row, rate_hz)
    assert len(heard) == len(expected), heard
    assert np.allclose(heard, expected, atol=tolerance_s), heard


# name, FFmpeg encoder, sampling rate of the file, rate of the waveform
ENCODED = [
    ("pcm16.wav", "pcm_s16le", 8000, 8000),
    ("pcm16-16k.wav", "pcm_s16le", 16000, 16000),
    ("pcm16-44k.wav", "pcm_s16le", 44100, 16000),
    ("pcm16-96k.wav", "pcm_s16le", 96000, 16000),
    ("pcm16-6k.wav", "pcm_s16le", 6000, 8000),
    ("pcm24.wav", "pcm_s24le", 8000, 8000),
    ("pcm8.wav", "pcm_u8", 8000, 8000),
    ("float.wav", "pcm_f32le", 8000, 8000),
    ("alaw.wav", "pcm_alaw", 8000, 8000),
    ("mulaw.wav", "pcm_mulaw", 8000, 8000),
    ("adpcm.wav", "adpcm_ima_wav", 8000, 8000),
    ("call.mp3", "libmp3lame", 8000, 8000),
    ("call-48k.mp3", "libmp3lame", 48000, 16000),
    ("call.opus", "libopus", 48000, 16000),
    ("call.flac", "flac", 8000, 8000),
    ("call.m4a", "aac", 16000, 16000),
    ("call.ogg", "libopus", 48000, 16000),
    ("call.wma", "wmav2", 16000, 16000),
    ("call.webm", "libopus", 48000, 16000),
]


@pytest.mark.parametrize(("name", "codec", "stored_hz", "rate_hz"), ENCODED)
def test_every_codec_keeps_times(tmp_path, name, codec, stored_hz, rate_hz):
    path = encode(tmp_path / name, two_tones(stored_hz), stored_hz, codec)
    waveform = decode([str(path)], CONFIG)
    assert waveform.samples.dtype == np.int16
    assert waveform.samples.flags.c_contiguous
    assert waveform.rate_hz == rate_hz
    assert waveform.facts.sampling_rate_hz == stored_hz
    assert waveform.facts.loss_share == 0.0
    assert abs(waveform.facts.duration_ms - LENGTH_S * 1000) < 150  # padding of lossy codecs
    # Whole frames of the two codecs: AAC's priming stays in (PyAV writes no edit list), and
    # FFmpeg's WMA decoder drops its first frame.
    loose = codec in {"aac", "wmav2"}
    assert_tones(waveform.samples[0], rate_hz, tolerance_s=0.08 if loose else 0.03)


@pytest.mark.parametrize("name", ["tones.gsm", "tones.wav49", "tones.amr"])
def test_codecs_that_ffmpeg_cannot_write(name):
    waveform = decode([str(HERE / name)], CONFIG)
    assert waveform.rate_hz == 8000
    assert waveform.facts.loss_share < 0.001
    assert_tones(waveform.samples[0], 8000)


@pytest.mark.parametrize(
    ("name", "codec", "format_name", "rate_hz"),
    [
        ("a.ulaw", "pcm_mulaw", "mulaw", 8000),
        ("a.UL", "pcm_mulaw", "mulaw", 8000),
        ("a.alaw", "pcm_alaw", "alaw", 8000),
        ("a.al", "pcm_alaw", "alaw", 8000),
        ("a.g722", "g722", "g722", 16000),
    ],
)
def test_headerless_formats_take_rate_from_their_name(tmp_path, name, codec, format_name, rate_hz):
    path = encode(tmp_path / name, two_tones(rate_hz), rate_hz, codec, format_name=format_name)
    waveform = decode([str(path)], CONFIG)
    assert waveform.rate_hz == rate_hz
    assert abs(waveform.facts.duration_ms - 3000) <= 1
    assert_tones(waveform.samples[0], rate_hz)


def test_container_with_a_headerless_name_is_read_by_content(tmp_path):
    uri = write(tmp_path / "a.ulaw", pcm16(two_tones(8000), 8000))
    waveform = decode([uri], CONFIG)
    assert waveform.facts.codec == "pcm_s16le"
    assert np.array_equal(waveform.samples, two_tones(8000))


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_alaw", "pcm_mulaw"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_lean_path_equals_ffmpeg(tmp_path, codec, channels, rate_hz):
    noise = np.random.default_rng(7).integers(-32768, 32768, (channels, 4001)).astype(np.int16)
    path = encode(tmp_path / "a.wav", noise, rate_hz, codec)
    header = _plain.wav_header(path)
    assert header is not None
    assert header.codec == codec
    lean = _plain.read_wav(path, header)
    general = _ffmpeg.decode_file(path, "a.wav", LIMITS)
    assert general.codec == codec
    assert np.array_equal(lean, general.samples)


@pytest.mark.parametrize(("law", "codec"), [("a", "alaw"), ("mu", "mulaw")])
def test_g711_tables_equal_ffmpeg_for_all_codes(tmp_path, law, codec):
    path = tmp_path / "codes.raw"
    path.write_bytes(bytes(range(256)))
    general = _ffmpeg.decode_file(path, "codes", LIMITS, format_name=codec)
    assert np.array_equal(_plain.g711_table(law), general.samples[0])


def test_channels_stay_apart(tmp_path):
    uri = str(encode(tmp_path / "a.opus", two_tones(48000, channels=2), 48000, "libopus"))
    waveform = decode([uri], CONFIG)
    assert waveform.facts.channels == 2
    assert_tones(waveform.samples[0], 16000, TONES_S[:1])
    assert_tones(waveform.samples[1], 16000, TONES_S[1:])


@pytest.mark.parametrize("codec", ["pcm_s16le", "libmp3lame", "pcm_alaw"])
@pytest.mark.parametrize("gain", [1.0, -0.9])
def test_fake_stereo_becomes_one_row(tmp_path, codec, gain):
    mono = two_tones(16000)
    stereo = np.concatenate([mono, (mono * gain).astype(np.int16)])
    path = encode(tmp_path / ("a.mp3" if codec == "libmp3lame" else "a.wav"), stereo, 16000, codec)
    waveform = decode([str(path)], CONFIG)
    assert waveform.facts.fake_stereo
    assert waveform.facts.channels == 2
    assert waveform.samples.shape[0] == 1
    assert_tones(waveform.samples[0], 16000)


def test_leaked_speech_is_not_fake_stereo(tmp_path):
    loud = two_tones(8000)
    leak = (loud * 0.1).astype(np.int16)  # 20 dB down: correlation 1, but another channel
    waveform = decode(
        [write(tmp_path / "a.wav", pcm16(np.concatenate([loud, leak]), 8000))], CONFIG
    )
    assert not waveform.facts.fake_stereo
    assert waveform.samples.shape[0] == 2


def test_silent_stereo_stays_stereo(tmp_path):
    silence = np.zeros((2, 8000), np.int16)
    waveform = decode([write(tmp_path / "a.wav", pcm16(silence, 8000))], CONFIG)
    assert waveform.samples.shape == (2, 8000)
    assert not waveform.facts.fake_stereo


def test_legs_are_joined_and_padded(tmp_path):
    legs = two_tones(8000, channels=2)
    first = write(tmp_path / "rx.wav", pcm16(legs[:1], 8000))
    second = write(tmp_path / "tx.wav", pcm16(legs[1:, :21000], 8000))
    waveform = decode([first, second], CONFIG)
    assert waveform.samples.shape == (2, 24000)
    assert np.array_equal(waveform.samples[0], legs[0])
    assert np.array_equal(waveform.samples[1, :21000], legs[1, :21000])
    assert not waveform.samples[1, 21000:].any()
    joined = Path(first).read_bytes() + Path(second).read_bytes()
    assert waveform.facts.audio_sha256 == hashlib.sha256(joined).hexdigest()
    assert fingerprint([first, second]) == waveform.facts.audio_sha256


def test_legs_of_different_rates_meet_at_the_higher(tmp_path):
    legs = two_tones(8000, channels=2)
    first = write(tmp_path / "rx.wav", pcm16(legs[:1], 8000))
    second = write(tmp_path / "tx.wav", pcm16(two_tones(16000, channels=2)[1:], 16000))
    waveform = decode([first, second], CONFIG)
    assert waveform.rate_hz == 16000
    assert_tones(waveform.samples[0], 16000, TONES_S[:1])
    assert_tones(waveform.samples[1], 16000, TONES_S[1:])


def test_empty_leg_beside_a_good_one_is_silence(tmp_path):
    first = write(tmp_path / "rx.wav", pcm16(two_tones(8000), 8000))
    second = write(tmp_path / "tx.wav", riff(b""))
    waveform = decode([first, second], CONFIG)
    assert waveform.samples.shape == (2, 24000)
    assert not waveform.samples[1].any()


@pytest.mark.parametrize("promised", [0, 0xFFFFFFFF])
def test_wav_of_unknown_length_is_read_to_its_end(tmp_path, promised):
    payload = two_tones(8000).tobytes()
    waveform = decode([write(tmp_path / "a.wav", riff(payload, promised=promised))], CONFIG)
    assert waveform.facts.duration_ms == 3000
    assert waveform.facts.loss_share == 0.0


def test_extensible_and_odd_chunks_are_plain_too(tmp_path):
    payload = two_tones(8000).tobytes()
    odd = b"LIST" + (3).to_bytes(4, "little") + b"abc\0"
    waveform = decode([write(tmp_path / "a.wav", riff(payload, before=odd))], CONFIG)
    assert np.array_equal(waveform.samples, two_tones(8000))
    path = encode(tmp_path / "w.wav", two_tones(8000), 8000, "pcm_s16le")
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ")
    fmt = data[at + 8 : at + 24]
    fmt[0:2] = b"\xfe\xff"
    guid = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    extended = b"fmt " + (40).to_bytes(4, "little") + fmt + b"\x16\0\x10\0\x04\0\0\0" + guid
    data[at : at + 24] = extended
    path.write_bytes(data)
    header = _plain.wav_header(path)
    assert header is not None
    assert header.codec == "pcm_s16le"
    assert np.array_equal(decode([str(path)], CONFIG).samples, two_tones(8000))


def test_lost_packets_are_counted_and_keep_later_times(tmp_path):
    path = encode(tmp_path / "a.mp3", two_tones(16000), 16000, "libmp3lame")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux() if p.size]
    for position, size in packets[20:27]:  # between the tones
        data[position + 4 : position + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    waveform = decode([str(path)], CONFIG)
    assert 0.0 < waveform.facts.loss_share < 0.2
    assert sounding_s(waveform.samples[0], 16000)[-1] == pytest.approx(TONES_S[1], abs=0.12)
    with pytest.raises(AudioError, match=r"a\.mp3: .*max_packet_loss = 0%"):
        decode([str(path)], AudioConfig(max_packet_loss=0.0))


def test_remote_recording_is_fetched(tmp_path):
    import fsspec

    fsspec.filesystem("memory").pipe_file("/audio-test/a.ulaw", bytes([0xFF]) * 8000)
    waveform = decode(["memory://audio-test/a.ulaw"], CONFIG)
    assert waveform.facts.codec == "pcm_mulaw"
    assert waveform.facts.duration_ms == 1000
    with pytest.raises(AudioError, match=r"memory://audio-test/none\.wav: cannot be fetched"):
        decode(["memory://audio-test/none.wav"], CONFIG)
    uri = write(tmp_path / "call 1.wav", pcm16(two_tones(8000), 8000))
    assert decode([Path(uri).as_uri()], CONFIG).facts.duration_ms == 3000


def test_transcode_gives_pcm16_that_a_browser_plays(tmp_path):
    with wave.open(io.BytesIO(transcode([str(HERE / "tones.gsm")], CONFIG))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        row = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert_tones(row, 8000)


def test_wav_bytes_round_trip(tmp_path):
    uri = write(tmp_path / "a.wav", pcm16(two_tones(8000, channels=2), 8000))
    waveform = decode([uri], CONFIG)
    again = decode([write(tmp_path / "b.wav", wav_bytes(waveform))], CONFIG)
    assert np.array_equal(again.samples, waveform.samples)


def test_peaks_show_where_it_sounds(tmp_path):
    uri = write(tmp_path / "a.wav", pcm16(two_tones(8000, channels=2), 8000))
    outline = peaks(decode([uri], CONFIG), 10)
    assert outline.shape == (2, 30)
    assert np.allclose(outline[0, 5:10], 0.5, atol=0.01)
    assert not outline[0, 10:].any()
    assert np.allclose(outline[1, 20:25], 0.5, atol=0.01)
