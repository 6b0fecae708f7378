"""The tables: THE contract between Python and SQL.

One pyarrow schema per table, in the order of ``docs`` and of the files; every field carries a
sentence (and its unit) that becomes the column's SQL comment. ``call_date`` is the hive key of
partitioned tables: it is a column of the frames handed to the store and comes back from the
path, typed DATE, when read.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 2

INSTANT = pa.timestamp("us", tz="UTC")


def _field(name: str, type_: pa.DataType, sentence: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, type_, nullable=nullable, metadata={b"comment": sentence.encode()})


_CALL_ID = _field("call_id", pa.string(), "Call, unique in the store.", nullable=False)
_CALL_DATE = _field(
    "call_date", pa.date32(), "Local date on which the call started.", nullable=False
)
_RUN_ID = _field("run_id", pa.string(), "Run that wrote this row.", nullable=False)
_START = _field("start_ms", pa.int64(), "Start, ms from the start of the recording.")
_END = _field("end_ms", pa.int64(), "End (exclusive), ms from the start of the recording.")

SCREENS = pa.list_(
    pa.struct(
        [
            pa.field("uri", pa.string()),
            pa.field("kind", pa.string()),
            pa.field("start_ms", pa.int64()),
            pa.field("end_ms", pa.int64()),
        ]
    )
)
WORDS = pa.list_(
    pa.struct(
        [
            pa.field("word", pa.string()),
            pa.field("start_ms", pa.int64()),
            pa.field("end_ms", pa.int64()),
            pa.field("probability", pa.float32()),
        ]
    )
)
STAGE_SHA256 = pa.struct(
    [
        pa.field("activity", pa.string()),
        pa.field("transcript", pa.string()),
        pa.field("phrases", pa.string()),
    ]
)

CALLS = pa.schema(
    [
        _CALL_ID,
        _CALL_DATE,
        _field("started_at", INSTANT, "Instant at which the call started."),
        _field(
            "started_local",
            pa.timestamp("us"),
            "Start as wall-clock time in the configured zone; take hours and weekdays from it.",
        ),
        _field("recording_uri", pa.string(), "Path or URL of the recording (first leg)."),
        _field("leg_uris", pa.list_(pa.string()), "All files of a call recorded leg by leg."),
        _field("audio_sha256", pa.string(), "SHA-256 of the audio file (of all legs)."),
        _field("audio_size_bytes", pa.int64(), "Size of the audio files, bytes."),
        _field("audio_modified_at", INSTANT, "Latest change of the audio files."),
        _field("codec", pa.string(), "Codec of the recording, FFmpeg's name."),
        _field("sampling_rate_hz", pa.int32(), "Sampling rate of the recording, Hz."),
        _field("channels", pa.int16(), "Channels of the recording as stored."),
        _field("role_source", pa.string(), "How roles are known: channel, metadata or none."),
        _field("direction", pa.string(), "inbound, outbound or internal."),
        _field("agent_id", pa.string(), "Agent who took the call."),
        _field("team", pa.string(), "Team of the agent."),
        _field("customer_key", pa.string(), "Keyed pseudonym of the customer (HMAC)."),
        _field("queue", pa.string(), "Queue or skill group."),
        _field("answered", pa.bool_(), "Whether an agent answered."),
        _field("wait_ms", pa.int64(), "Wait before the answer, ms."),
        _field("csat", pa.float32(), "Customer's own rating, as the source gives it (1–5)."),
        _field("disconnect_by", pa.string(), "Who hung up: agent, customer or system."),
        _field("transferred_from", pa.string(), "Call or agent it was transferred from."),
        _field("duration_ms", pa.int64(), "Length of the recording, ms."),
        _field("agent_talk_ms", pa.int64(), "Agent's speech, ms; NULL where roles are unknown."),
        _field("customer_talk_ms", pa.int64(), "Customer's speech, ms; NULL where unknown."),
        _field("non_talk_ms", pa.int64(), "Inner time in which nobody speaks, ms."),
        _field("longest_silence_ms", pa.int64(), "Longest inner silence (not music), ms."),
        _field("hold_ms", pa.int64(), "Inner hold: music, or silence that was announced, ms."),
        _field("overtalk_ms", pa.int64(), "Both speak at once, ms; NULL for mono."),
        _field("overtalk_count", pa.int32(), "Stretches of overtalk; NULL for mono."),
        _field("agent_wpm", pa.float32(), "Agent's words per minute of own speech."),
        _field("customer_wpm", pa.float32(), "Customer's words per minute of own speech."),
        _field("language", pa.string(), "Language of the transcript, ISO 639-1."),
        _field("language_probability", pa.float32(), "Confidence in the language, 0–1."),
        _field("transcript_source", pa.string(), "asr, import, or NULL without transcript."),
        _field("model_id", pa.string(), "Speech model that wrote the transcript."),
        _field("status", pa.string(), "ok, no_speech, no_recording or failed.", nullable=False),
        _field("failed_stage", pa.string(), "Stage that gave up, NULL unless failed."),
        _field("error", pa.string(), "What it said, NULL unless failed."),
        _field("screens", SCREENS, "Captures of the agent's screen during the call."),
        _field("extra", pa.string(), "Unknown metadata columns, a JSON object."),
        _RUN_ID,
        _field("stage_sha256", STAGE_SHA256, "Settings that each stage ran with, hashed."),
    ]
)

SEGMENTS = pa.schema(
    [
        _CALL_ID,
        _CALL_DATE,
        _field("segment_id", pa.int32(), "Ordinal in the call, by time.", nullable=False),
        _field("channel", pa.int16(), "Channel of the recording, from 0."),
        _field("role", pa.string(), "agent, customer, ivr or unknown."),
        _START,
        _END,
        _field("text", pa.string(), "What was said."),
        _field("language", pa.string(), "Language of the segment, ISO 639-1."),
        _field("avg_logprob", pa.float32(), "Mean log-probability per token."),
        _field("no_speech_prob", pa.float32(), "Model's probability that nobody speaks, 0–1."),
        _field("compression_ratio", pa.float32(), "zlib ratio of the text; high means a loop."),
        _field(
            "suspect", pa.string(), "NULL, or why to doubt: loop, low_confidence, over_non_talk."
        ),
        _field("words", WORDS, "Words with their own times (ms) and probability."),
        _RUN_ID,
    ]
)

SILENCES = pa.schema(
    [
        _CALL_ID,
        _CALL_DATE,
        _field("silence_id", pa.int32(), "Ordinal in the call, by time.", nullable=False),
        _START,
        _END,
        _field("duration_ms", pa.int64(), "Length, ms; every non-talk span of 1 s or more."),
        _field("kind", pa.string(), "By sound: silence or hold_music."),
        _field("position", pa.string(), "leading, inner or trailing."),
        _field("before_role", pa.string(), "Who spoke last before it."),
        _field("after_role", pa.string(), "Who spoke first after it."),
        _field("announced", pa.bool_(), "The agent asked to wait; NULL without transcript."),
        _field("after_question", pa.bool_(), "A customer's question or problem hangs; NULL ditto."),
        _field("thanked", pa.bool_(), "The agent thanked for waiting; NULL ditto."),
        _RUN_ID,
    ]
)

PHRASE_HITS = pa.schema(
    [
        _CALL_ID,
        _CALL_DATE,
        _field("hit_id", pa.int32(), "Ordinal in the call, by time and rule.", nullable=False),
        _field("rule_id", pa.string(), "Rule that fired.", nullable=False),
        _field("category", pa.string(), "Category of the rule."),
        _field("role", pa.string(), "Who said it."),
        _field("segment_id", pa.int32(), "Segment in which the match starts."),
        _START,
        _END,
        _field("matched_text", pa.string(), "The words that matched, as recognised."),
        _field("match_kind", pa.string(), "exact, stem or fuzzy."),
        _field("score", pa.float32(), "Similarity of the match, 0–100."),
        _field("pack", pa.string(), "Pack that holds the rule."),
        _field("pack_sha256", pa.string(), "SHA-256 of that pack."),
        _RUN_ID,
    ]
)

POSTINGS = pa.schema(
    [
        _field(
            "key", pa.string(), "Stem; or # of a call; or * and a word as said.", nullable=False
        ),
        _CALL_DATE,
        _field("call_no", pa.int64(), "Number of the call, unique in its day; NULL of a * key."),
        _field("segment_id", pa.int32(), "Segment with a word of that stem; NULL of others."),
        _field("call_id", pa.string(), "Of a # key: the call of that number."),
        _field("stem", pa.string(), "Of a * key: a stem of the word."),
    ]
)

RULES = pa.schema(
    [
        _field("rule_id", pa.string(), "Rule.", nullable=False),
        _field("category", pa.string(), "Category."),
        _field("role", pa.string(), "Role it listens to, NULL for any."),
        _field("language", pa.string(), "Language of its phrases."),
        _field("weight", pa.float32(), "Points it adds to the unresolved score (may be < 0)."),
        _field("pack", pa.string(), "Pack that holds the rule."),
        _field("pack_sha256", pa.string(), "SHA-256 of that pack."),
        _RUN_ID,
    ]
)

REVIEWS = pa.schema(
    [
        _field("review_id", pa.string(), "Verdict, unique.", nullable=False),
        _CALL_ID,
        _field("reviewer", pa.string(), "Who gave it."),
        _field("verdict", pa.string(), "resolved, unresolved or unclear."),
        _field("reason", pa.string(), "Reason in a word, if given."),
        _field("note", pa.string(), "Free text."),
        _field("sample_kind", pa.string(), "How the call was picked: targeted or random."),
        _field("reviewed_at", INSTANT, "Instant of the verdict."),
        _RUN_ID,
    ]
)

RUNS = pa.schema(
    [
        _RUN_ID,
        _field("started_at", INSTANT, "Instant at which the run started."),
        _field("finished_at", INSTANT, "Instant at which it ended, NULL while it runs."),
        _field("status", pa.string(), "running, done, failed_calls or stopped."),
        _field("counts", pa.string(), "Counts by status and stage, RTFx, audio hours; JSON."),
        _field("versions", pa.string(), "Versions of speechlytics and its libraries; JSON."),
        _field("model_id", pa.string(), "Speech model."),
        _field("config_sha256", pa.string(), "SHA-256 of the settings."),
        _field("host", pa.string(), "Machine that ran it."),
    ]
)

AUDIT = pa.schema(
    [
        _field("audit_id", pa.string(), "Entry, unique.", nullable=False),
        _field("at", INSTANT, "Instant."),
        _field("actor", pa.string(), "Who."),
        _field("action", pa.string(), "listen, verdict, export, erase, sql."),
        _field("call_id", pa.string(), "Call concerned, if one."),
        _field("detail", pa.string(), "What exactly; JSON."),
        _RUN_ID,
    ]
)

PARTITION_KEY = "call_date"
CALL_TABLES: tuple[str, ...] = ("calls", "segments", "silences", "phrase_hits")
"""What a finished call brings."""
PARTITIONED: tuple[str, ...] = (*CALL_TABLES, "postings")
"""Tables by day: those, and what the store makes of them."""
DERIVED: tuple[str, ...] = ("postings",)
"""What the store makes of other tables: of another layout than today's it is made anew."""
TABLES: dict[str, pa.Schema] = {
    "calls": CALLS,
    "segments": SEGMENTS,
    "silences": SILENCES,
    "phrase_hits": PHRASE_HITS,
    "postings": POSTINGS,
    "rules": RULES,
    "reviews": REVIEWS,
    "runs": RUNS,
    "audit": AUDIT,
}


def comment(field: pa.Field) -> str:
    """Sentence that describes a column, for documentation and SQL comments."""
    return str((field.metadata or {}).get(b"comment", b"").decode())
