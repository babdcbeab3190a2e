ALTER TABLE dial_in_number ADD COLUMN max_per_caller_id integer NOT NULL DEFAULT 5;
