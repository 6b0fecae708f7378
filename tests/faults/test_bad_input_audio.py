"""Bad recordings. Each gives an ``AudioError`` that names the file, or what could be saved.

========================================  =====================================================
bad input                                 what it gives
========================================  =====================================================
0 bytes                                   AudioError: is empty (0 bytes)
44-byte WAV (header only)                 AudioError: holds no audio (0 samples)
20-byte WAV (cut in its header)           AudioError: cannot be decoded (Invalid data …)
WAV cut by 10 %                           decoded, loss_share 0.10
WAV cut by 50 %                           AudioError: 50% of the audio is damaged or missing
FLAC cut by 50 %, Ogg with lost pages     AudioError: … damaged or missing (stated length)
MP3 named .wav, WAV named .mp3            decoded: the content decides
text named .wav                           AudioError: cannot be decoded (Invalid data …)
sampling rate 0                           AudioError: sampling rate 0 Hz; 2000 to 384000 …
65,535 channels                           AudioError: 65535 channels; 1 to audio.max_channels …
8 channels                                decoded, 8 rows; AudioError where max_channels is less
1-bit WAV                                 AudioError: 1 bits per sample; 8 or more are read
96 kHz                                    decoded at 16000 Hz
NaN, ±inf samples                         decoded, those samples silent
bit flips                                 decoded with a loss share, or AudioError; never else
ffconcat text naming another recording    AudioError: the other recording is not read
decompression bomb (tiny file, hours)     AudioError: longer than audio.max_duration_s
WAV header promising 4 GB                 AudioError or what is there; no memory is taken
unreadable file                           AudioError: cannot be read (Permission denied)
missing file                              AudioError: cannot be read (No such file …)
folder named .wav                         AudioError: is a folder, not a recording
named pipe                                AudioError: is not a regular file (no waiting)
file name with a NUL, not UTF-8           AudioError / decoded
``http:evil.wav``, ``concat:…``           taken for the file names that they are
no audio stream (video only, picture)     AudioError: holds no audio stream / Invalid data
one leg bad                               AudioError naming that leg
========================================  =====================================================
"""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from speechlytics.audio import decode
from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from tests.data.audio.make import HERE, encode, pcm16, riff, sounding_s, two_tones

CONFIG = AudioConfig()


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def refused(uri: str, config: AudioConfig = CONFIG) -> str:
    with pytest.raises(AudioError) as caught:
        decode([uri], config)
    message = str(caught.value)
    assert uri in message
    return message


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("empty.ulaw", b"", "is empty (0 bytes)"),
        ("header.wav", riff(b""), "holds no audio"),
        ("header-gsm.wav", riff(b"", tag=0x31, bits=0), "holds no audio"),
        ("cut.wav", riff(b"")[:20], "cannot be decoded"),
        ("text.wav", b"Dear Sir or Madam,\n" * 400, "cannot be decoded"),
        ("text.mp3", "Добрый день!\n".encode() * 400, "cannot be decoded"),
        ("zeros.wav", bytes(100_000), "cannot be decoded"),
        ("rate0.wav", riff(bytes(8000), rate_hz=0), "sampling rate 0 Hz"),
        ("rate1.wav", riff(bytes(8000), rate_hz=1), "sampling rate 1 Hz"),
        ("rate4g.wav", riff(bytes(8000), rate_hz=0xFFFFFFFF), "sampling rate 4294967295 Hz"),
        ("channels.wav", riff(bytes(1 << 20), channels=65535), "65535 channels; 1 to"),
        ("channels0.wav", riff(bytes(8000), channels=0), "0 channels; 1 to"),
        ("onebit.wav", riff(bytes(8000), bits=1), "1 bits per sample"),
        ("bits999.wav", riff(bytes(8000), bits=999), "cannot be decoded"),
        ("codec.wav", riff(bytes(8000), tag=0x7777), "cannot be decoded"),
        ("picture.wav", b"\x89PNG\r\n\x1a\n" + bytes(500), "cannot be decoded"),
    ],
)
def test_refused_with_its_cause(tmp_path, name, data, cause):
    assert cause in refused(write(tmp_path / name, data))


def test_wav_cut_a_little_is_decoded_and_counted(tmp_path):
    data = pcm16(two_tones(8000), 8000)
    waveform = decode([write(tmp_path / "a.wav", data[: 44 + 43200])], CONFIG)
    assert waveform.facts.duration_ms == 2700
    assert waveform.facts.loss_share == pytest.approx(0.1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le"])
def test_wav_cut_in_half_is_quarantined(tmp_path, codec):
    path = encode(tmp_path / "a.wav", two_tones(8000), 8000, codec)
    data = path.read_bytes()
    assert "50% of the audio is damaged or missing" in refused(
        write(path, data[: 44 + (len(data) - 44) // 2])
    )


def test_flac_cut_in_half_is_quarantined(tmp_path):
    noise = np.random.default_rng(1).integers(-8000, 8000, (1, 80_000)).astype(np.int16)
    path = encode(tmp_path / "a.flac", noise, 8000, "flac")
    data = path.read_bytes()
    assert "of the audio is damaged or missing" in refused(write(path, data[: len(data) // 2]))
    waveform = decode([write(path, data[: len(data) * 9 // 10])], CONFIG)
    assert waveform.facts.loss_share == pytest.approx(0.1, abs=0.05)


def test_opus_with_lost_pages_is_quarantined(tmp_path):
    noise = np.random.default_rng(1).integers(-8000, 8000, (1, 48000 * 20)).astype(np.int16)
    path = encode(tmp_path / "a.opus", noise, 48000, "libopus")
    data = path.read_bytes()
    hole = data[: len(data) // 4] + bytes(len(data) // 2) + data[len(data) * 3 // 4 :]
    assert "of the audio is damaged or missing" in refused(write(path, hole))


def test_wrong_extension_is_read_by_content(tmp_path):
    mp3 = encode(tmp_path / "a.mp3", two_tones(16000), 16000, "libmp3lame")
    waveform = decode([str(mp3.rename(tmp_path / "a.wav"))], CONFIG)
    assert waveform.facts.codec.startswith("mp3")
    uri = write(tmp_path / "b.mp3", pcm16(two_tones(8000), 8000))
    assert decode([uri], CONFIG).facts.codec == "pcm_s16le"


def test_eight_channels_are_kept_and_capped(tmp_path):
    samples = two_tones(8000, channels=8)
    uri = write(tmp_path / "a.wav", pcm16(samples, 8000))
    assert np.array_equal(decode([uri], CONFIG).samples, samples)
    assert "8 channels" in refused(uri, AudioConfig(max_channels=2))
    flac = encode(tmp_path / "a.flac", samples, 8000, "flac")
    assert decode([str(flac)], CONFIG).samples.shape[0] == 8
    assert "8 channels" in refused(str(flac), AudioConfig(max_channels=2))


@pytest.mark.parametrize("bits", [32, 64])
def test_nan_and_infinite_samples_are_silent(tmp_path, bits):
    kind = np.float32 if bits == 32 else np.float64
    samples = np.full(16000, 0.25, kind)
    samples[100:200], samples[300:400], samples[500:600] = np.nan, np.inf, -np.inf
    data = riff(samples.tobytes(), tag=3, bits=bits)
    row = decode([write(tmp_path / "a.wav", data)], CONFIG).samples[0]
    bad = ~np.isfinite(samples)
    assert not row[bad].any()
    assert np.abs(row[~bad] - 8192).max() <= 1


def test_ffconcat_does_not_read_another_recording(tmp_path):
    other = encode(tmp_path / "other.mp3", two_tones(16000), 16000, "libmp3lame")
    text = f"ffconcat version 1.0\nfile '{other.name}'\n"
    assert "cannot be decoded" in refused(write(tmp_path / "call.wav", text.encode()))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{other.name}\n#EXT-X-ENDLIST\n"
    assert "cannot be decoded" in refused(write(tmp_path / "call.mp3", playlist.encode()))


def test_decompression_bomb_stops_at_the_cap(tmp_path):
    minute = np.zeros((1, 48000 * 60), np.int16)
    path = encode(tmp_path / "bomb.flac", np.tile(minute, 10), 48000, "flac")
    assert path.stat().st_size < 200_000  # ten minutes of silence
    tracemalloc.start()
    message = refused(str(path), AudioConfig(max_duration_s=20))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "longer than audio.max_duration_s = 20" in message
    assert peak_bytes < 4 * 20 * 16000 * 2


@pytest.mark.parametrize("name", ["long.wav", "long.ulaw", "long.gsm"])
def test_too_long_is_refused_before_it_is_read(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:  # a sparse file: no disk behind it
        file.write(riff(b"", promised=0)[:44] if name.endswith("wav") else b"")
        file.truncate(200_000_000)
    tracemalloc.start()
    message = refused(str(path), AudioConfig(max_duration_s=60))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "longer than" in message or "damaged" in message or "cannot be decoded" in message
    assert peak_bytes < 8_000_000


def test_header_that_promises_4_gb_takes_no_memory(tmp_path):
    data = riff(two_tones(8000).tobytes(), promised=0xFFFFFFF0)
    tracemalloc.start()
    message = refused(write(tmp_path / "a.wav", data))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "100% of the audio is damaged or missing" in message
    assert peak_bytes < 8_000_000


def test_unreadable_file(tmp_path, monkeypatch):
    uri = write(tmp_path / "a.wav", pcm16(two_tones(8000), 8000))
    real = Path.open

    def denied(self, *args, **kwargs):
        if str(self) == uri:
            raise PermissionError(13, "Permission denied", uri)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", denied)  # chmod would not stop root
    assert "cannot be read (Permission denied)" in refused(uri)


def test_read_error_in_the_middle(tmp_path, monkeypatch):
    uri = write(tmp_path / "a.wav", pcm16(two_tones(8000), 8000))

    def broken(*args, **kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(np, "fromfile", broken)
    assert "cannot be read (Input/output error)" in refused(uri)


def test_what_is_not_a_file(tmp_path):
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    assert "is a folder" in refused(str(folder))
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    assert "is not a regular file" in refused(str(pipe))
    assert "No such file" in refused(str(tmp_path / "none.wav"))
    with pytest.raises(AudioError, match="not a file name"):
        decode(["/tmp/a\0.wav"], CONFIG)
    with pytest.raises(AudioError, match="no file"):
        decode([], CONFIG)


@pytest.mark.parametrize(
    "name",
    ["http:evil.wav", "concat:a|b.wav", "pipe:0", "-i.wav", "привет, мир.wav", "%d.wav", "a\n.wav"],
)
@pytest.mark.parametrize("lean", [True, False])
def test_names_are_only_names(tmp_path, monkeypatch, name, lean):
    monkeypatch.chdir(tmp_path)
    tones = two_tones(8000 if lean else 44100)
    Path(name).write_bytes(pcm16(tones, 8000 if lean else 44100))
    assert decode([name], CONFIG).facts.duration_ms == 3000


@pytest.mark.parametrize("lean", [True, False])
def test_name_that_is_not_utf8(tmp_path, lean):
    name = os.fsdecode(b"\xff\xfe.wav")
    rate_hz = 8000 if lean else 44100
    uri = write(tmp_path / name, pcm16(two_tones(rate_hz), rate_hz))
    assert decode([uri], CONFIG).facts.duration_ms == 3000


def test_video_without_sound(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8)))
            )
        container.mux(stream.encode(None))
    assert "holds no audio stream" in refused(str(path))


def test_one_bad_leg_is_named(tmp_path):
    good = write(tmp_path / "rx.wav", pcm16(two_tones(8000), 8000))
    bad = write(tmp_path / "tx.wav", b"no audio" * 100)
    with pytest.raises(AudioError, match=r"tx\.wav"):
        decode([good, bad], CONFIG)


def seeds(tmp_path: Path) -> list[Path]:
    """One good file per family of decoders."""
    files = [HERE / "tones.gsm", HERE / "tones.wav49", HERE / "tones.amr"]
    for name, codec, rate_hz in [
        ("a.wav", "pcm_s16le", 8000),
        ("b.wav", "pcm_alaw", 8000),
        ("c.wav", "adpcm_ima_wav", 8000),
        ("a.mp3", "libmp3lame", 16000),
        ("a.opus", "libopus", 48000),
        ("a.flac", "flac", 8000),
        ("a.m4a", "aac", 16000),
        ("a.wma", "wmav2", 16000),
    ]:
        files.append(encode(tmp_path / name, two_tones(rate_hz, channels=2), rate_hz, codec))
    return files


def flipped(data: bytes, rng: random.Random, count: int) -> bytes:
    broken = bytearray(data)
    for _ in range(count):
        at = rng.randrange(len(broken))
        broken[at] ^= 1 << rng.randrange(8)
    return bytes(broken)


def sweep(tmp_path: Path, rounds: int) -> None:
    """Whatever the damage, a valid waveform or an ``AudioError``: nothing else escapes."""
    rng = random.Random(20261101)
    config = AudioConfig(max_duration_s=30)
    refusals = []
    for seed in seeds(tmp_path):
        data = seed.read_bytes()
        for _ in range(rounds):
            broken = flipped(data, rng, rng.choice([1, 8, 64, 512]))
            if rng.random() < 0.3:
                broken = broken[: rng.randrange(1, len(broken))]
            if rng.random() < 0.2:  # headers are where decoders break
                broken = flipped(broken[:64] or b"\0", rng, 6) + broken[64:]
            uri = write(tmp_path / f"broken{seed.suffix}", broken)
            try:
                waveform = decode([uri], config)
            except AudioError as error:
                refusals.append((uri, str(error)))
            else:
                assert waveform.samples.dtype == np.int16
                assert waveform.rate_hz in {8000, 16000}
                assert 0 < waveform.samples.shape[1] <= 30 * waveform.rate_hz
                assert 0.0 <= waveform.facts.loss_share <= config.max_packet_loss
    assert all(uri in message for uri, message in refusals)


def test_bit_flips(tmp_path):
    sweep(tmp_path, rounds=6)


@pytest.mark.slow
def test_bit_flips_sweep(tmp_path):
    sweep(tmp_path, rounds=300)


def test_bit_flipped_mp3_keeps_most_of_the_call(tmp_path):
    path = encode(tmp_path / "a.mp3", two_tones(16000), 16000, "libmp3lame")
    data = bytearray(path.read_bytes())
    rng = random.Random(3)
    for _ in range(25):
        data[rng.randrange(2000, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    waveform = decode([str(path)], AudioConfig(max_packet_loss=1.0))
    assert waveform.facts.duration_ms > 2500
    assert len(sounding_s(waveform.samples[0], 16000)) >= 2


def test_stream_that_changes_its_shape_is_loss(tmp_path):
    mono = encode(tmp_path / "a.mp3", two_tones(16000), 16000, "libmp3lame").read_bytes()
    stereo = encode(
        tmp_path / "b.mp3", two_tones(16000, channels=2), 16000, "libmp3lame"
    ).read_bytes()
    uri = write(tmp_path / "c.mp3", mono + stereo)
    assert "damaged or missing" in refused(uri)


def test_fmt_chunk_of_4_gb(tmp_path):
    data = bytearray(pcm16(two_tones(8000), 8000))
    struct.pack_into("<I", data, 16, 0xFFFFFFF0)
    refused(write(tmp_path / "a.wav", bytes(data)))
