-- title: Long calls
-- needs: longer_than
CREATE OR REPLACE VIEW long_ones AS SELECT * FROM longer_than(min_ms := 5000);
