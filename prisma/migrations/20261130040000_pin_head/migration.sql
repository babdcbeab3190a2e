-- Look-up of the first six digits, by which PINs of other lengths are found that begin alike.
ALTER TABLE pin ADD COLUMN head bytea;
CREATE INDEX pin_number_head_idx ON pin (number, head);
