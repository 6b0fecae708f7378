-- title: Search the transcripts
-- question: Where were these words said, in whatever form?
-- grain: one row per segment that holds a form of every word, newest first
-- example: FROM search('перезвоните завтра', most := 20)
-- needs:
--
-- A word is looked up as it was said somewhere in the store (postings with a key '=WORD'), which
-- gives its stems; their postings are the segments. A form that nobody ever said is unknown here:
-- `speechlytics search` knows it all the same. postings are sorted by key, so little is read; a
-- literal `since` leaves earlier days closed. most: the newest so many; the text of no others is
-- read, where a LIMIT behind the macro comes too late for that.
CREATE OR REPLACE MACRO search(words, since := NULL, most := NULL) AS TABLE
WITH wanted AS (
    SELECT DISTINCT unnest(regexp_extract_all(
        translate(lower(words), 'ёў’ʼ`', 'еу'''''''), '[\p{L}\p{N}]+(?:''[\p{L}\p{N}]+)*'
    )) AS word
),
-- each step is small before the next begins: left alone, the planner joins the long tables first
stems AS MATERIALIZED (
    SELECT DISTINCT wanted.word, postings.stem
    FROM postings
    JOIN wanted ON postings.key = '=' || wanted.word
    WHERE since IS NULL OR postings.call_date >= since::DATE
),
places AS MATERIALIZED (
    SELECT
        postings.call_date, postings.call_id, postings.segment_id,
        any_value(postings.start_ms) AS start_ms
    FROM postings
    JOIN stems ON postings.key = stems.stem
    WHERE since IS NULL OR postings.call_date >= since::DATE
    GROUP BY ALL
    HAVING count(DISTINCT stems.word) = (SELECT count(*) FROM wanted)
),
newest AS MATERIALIZED (
    SELECT places.*, calls.started_at, calls.started_local, calls.recording_uri
    FROM places
    JOIN calls USING (call_date, call_id)
    WHERE since IS NULL OR call_date >= since::DATE
    ORDER BY calls.started_at DESC, call_id, places.start_ms, segment_id
    LIMIT most
)
SELECT
    call_id,
    call_date,
    newest.started_local,
    segments.role,
    segments.start_ms,
    segments.end_ms,
    segments.text,
    segment_id,
    newest.recording_uri
FROM newest
JOIN segments USING (call_date, call_id, segment_id)
WHERE since IS NULL OR call_date >= since::DATE
ORDER BY newest.started_at DESC, call_id, segments.start_ms, segment_id;
