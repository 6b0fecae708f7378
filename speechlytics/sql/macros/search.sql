-- title: Search the transcripts
-- question: Where were these words said, in whatever form?
-- grain: one row per segment that holds a form of every word, newest day and call first
-- example: FROM search('перезвоните завтра', most := 20)
-- needs:
--
-- A word is looked up as it was said somewhere in the store (postings with a key '*WORD'), which
-- gives its stems; their postings are the segments, and those with the key '#' say which call a
-- number stands for. A form that nobody ever said is unknown here: `speechlytics search` knows it
-- all the same. postings are sorted by key, so little is read; a literal `since` leaves earlier
-- days closed. most: the newest so many; the text of no others is read, where a LIMIT behind the
-- macro comes too late for that. Of words, the first 60 count.
CREATE OR REPLACE MACRO search(words, since := NULL, most := NULL) AS TABLE
WITH wanted AS MATERIALIZED (
    SELECT '*' || word AS key, 1::BIGINT << (row_number() OVER () - 1) AS bit
    FROM (
        SELECT DISTINCT unnest(regexp_extract_all(
            translate(lower(words), 'ёў’ʼ`', 'еу'''''''),
            -- a run of what no punctuation is; \p{L} would say it shorter and takes 6 ms to compile
            replace(
                '[^_]+(?:''[^_]+)*', '_',
                '\x00-/:-@\[-`{-¿×÷\x{2000}-\x{2BFF}\x{3000}-\x{303F}\x{FE00}-\x{FE0F}'
                || '\x{1F000}-\x{1FAFF}'
            )
        )) AS word
        LIMIT 60
    )
),
-- each step is small before the next begins, and what it found tells which files and row groups
-- the next one opens: left alone, the planner joins the long tables first. It takes a list for
-- short, whatever is in it; so what was found comes as one
stems AS MATERIALIZED (
    SELECT postings.stem AS key, bit_or(wanted.bit) AS bits
    FROM postings
    JOIN wanted USING (key)
    WHERE since IS NULL OR postings.call_date >= since::DATE
    GROUP BY postings.stem
),
hits AS MATERIALIZED (
    SELECT unnest(list(found), recursive := true)
    FROM (
        SELECT postings.call_date, postings.call_no, postings.segment_id
        FROM postings
        JOIN stems USING (key)
        WHERE since IS NULL OR postings.call_date >= since::DATE
        GROUP BY postings.call_date, postings.call_no, postings.segment_id
        HAVING bit_or(stems.bits) = (SELECT sum(bit) FROM wanted)
        -- only those of the newest days can be shown: of a day with enough hits on later ones, none
        QUALIFY most IS NULL OR rank() OVER (ORDER BY postings.call_date DESC) <= most
    ) AS found
),
places AS MATERIALIZED (
    SELECT unnest(list(found), recursive := true)
    FROM (
        SELECT hits.call_date, postings.call_id, hits.segment_id
        FROM hits
        JOIN postings USING (call_date, call_no)
        WHERE postings.key = '#' AND (since IS NULL OR postings.call_date >= since::DATE)
    ) AS found
),
newest AS MATERIALIZED (
    SELECT places.*, calls.started_at, calls.started_local, calls.recording_uri
    FROM places
    JOIN calls USING (call_date, call_id)
    WHERE since IS NULL OR calls.call_date >= since::DATE
    ORDER BY call_date DESC, calls.started_at DESC, call_id, segment_id
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
WHERE since IS NULL OR segments.call_date >= since::DATE
ORDER BY call_date DESC, newest.started_at DESC, call_id, segments.start_ms, segment_id;
